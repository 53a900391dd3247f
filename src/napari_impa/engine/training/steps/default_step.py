"""The recipe `default`, found better at equal minutes: the step that follows the values in `default_recipe`."""

from __future__ import annotations

import math
from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from napari_impa.engine.device import has_bfloat16
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.contrast import at_other_contrast
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.draws import Draws
from napari_impa.engine.training.steps.losses import paired, pairing_losses, peaks, reconstruction
from napari_impa.engine.training.steps.optimizers import Muon
from napari_impa.engine.training.steps.rates import by_batch, by_width
from napari_impa.engine.training.steps.recipe import BETA2, Stage
from napari_impa.engine.training.steps.step import Step, frozen, set_rate
from napari_impa.engine.training.steps.turns import Turns
from napari_impa.watch import Watch

FINAL_RATE = 0.1
"""Fraction of the learning rate left at the end of each stage."""

STYLE_DECAY = 0.01
"""Weight of the mean squared style while the networks learn as an autoencoder."""

WARM_UP = 20
"""Steps over which the autoencoder's learning rate rises."""

MOMENTUM = (0.9, 0.95)
"""Adam's beta1 and Muon's momentum while the networks learn as an autoencoder; against the discriminator it is 0."""

STYLES = ("mapping_network.", "embedding_matrix.", "modality_embedding.")
"""Weights that say what the mean styles of conditions are."""

FOLLOW = 0.05
"""How far a step takes the mean styles that conditions are relative to towards those of its cells."""

MATRIX = 8
"""Kernels from more than so many to more than so many channels are matrices worth orthogonalising."""


class Drawn(NamedTuple):
    """Control cells under their target conditions, and how far the maps that they were drawn from peak."""

    content: Tensor
    style: Tensor
    fake: Tensor
    excess: Tensor | float
    own: Tensor | None


class MadeControls(NamedTuple):
    """Some treated cells made controls: which, their own styles, their images, and the styles that treat them again."""

    cells: slice
    own: Tensor
    control: Tensor
    style: Tensor


class DefaultStep(Step[DefaultRecipe]):
    """First a step of an autoencoder; later one of the discriminator, then one of the generator.

    Raises
    ------
    ValueError
        The recipe's styles are relative and the networks have no mean styles to start from.
    """

    recipe_type = DefaultRecipe
    layout = torch.channels_last  # the same numbers, a quarter faster on a CPU

    def _make_optimizers(self, watch: Watch) -> dict[str, torch.optim.Optimizer]:
        recipe = self.recipe
        if recipe.relative_style and not self.networks.shape.relative_style:
            raise ValueError("the recipe's styles are relative: use a Shape with relative_style=1 or more")
        kernels: list[Parameter] = []
        others: list[Parameter] = []
        styles: list[Parameter] = []
        starts: list[Parameter] = []
        for name, p in self.networks.named_parameters():
            if name.startswith("discriminator."):
                continue
            if name == "start_style":
                starts.append(p)
            elif recipe.relative_style and name.startswith(STYLES):
                styles.append(p)
            else:
                is_kernel = p.ndim == 4 and min(p.shape[:2]) > MATRIX
                (kernels if recipe.muon and is_kernel else others).append(p)
        optimizers: dict[str, torch.optim.Optimizer] = {
            name: self._adam(parameters, recipe.learning_rate, betas=(0.0, BETA2))
            for name, parameters in (("critic", self._critic), ("maker", others))
        }
        if kernels:
            rate = torch.tensor(recipe.muon, device=self.device) if self._on_device else recipe.muon
            optimizers["kernels"] = Muon(kernels, rate, momentum=0.0, watch=watch)
        if styles:
            optimizers["styles"] = self._adam(styles, recipe.learning_rate, betas=(MOMENTUM[0], BETA2))
            # Plain descent on their mean squared distance is a running mean, which processes share like any gradient.
            optimizers["starts"] = torch.optim.SGD(starts, lr=FOLLOW * self.networks.shape.style_dim / 2)
        return optimizers

    def _set_rates(self, number: int, stage: Stage, progress: float) -> None:
        recipe, rates = self.recipe, (self.recipe.learning_rate, self.recipe.muon)
        if stage == "autoencoder":
            left = max(0.0, 1 - progress / recipe.autoencoder)
            factor = min(1.0, (number + 1) / WARM_UP) * max(FINAL_RATE, math.sin(math.pi / 2 * min(1.0, 1.5 * left)))
            rates, momentum = recipe.autoencoder_rates, MOMENTUM
        else:
            decay = (progress - recipe.decay_from) / max(1e-9, 1 - recipe.decay_from)
            factor, momentum = 1 - (1 - FINAL_RATE) * min(1.0, max(0.0, decay)), (0.0, 0.0)
        factor *= by_batch(self._batch_size)
        width, lowered = by_width(self.networks.shape.width), self.lowered
        groups = {name: optimizer.param_groups[0] for name, optimizer in self.optimizers.items()}
        critic = factor * width * (recipe.critic_rate or recipe.learning_rate)
        set_rate(groups["critic"], lowered.critic * critic)
        factor *= lowered.makers
        set_rate(groups["maker"], factor * rates[0] * (1.0 if recipe.muon else width))
        groups["maker"]["betas"] = (momentum[0], BETA2)
        if "styles" in groups:
            set_rate(groups["styles"], factor * rates[0])
        if "kernels" in groups:
            set_rate(groups["kernels"], factor * rates[1])
            groups["kernels"]["momentum"] = momentum[1]

    def _decay(self, number: int) -> float:
        return min(self.recipe.average, (1 + number) / (10 + number))

    @cached_property
    def _mixed(self) -> bool:
        return self.recipe.mixed_precision and has_bfloat16(self.device)

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self._mixed else nullcontext()

    def _kind(self, number: int, stage: Stage) -> Hashable:
        return number % self.recipe.r1_every == 0, 0 if stage == "autoencoder" else self._ways.kind(number)

    def _weights_of(self, number: int, progress: float) -> dict[str, float]:
        recipe = self.recipe
        begun = min(1.0, max(0.0, (progress - recipe.autoencoder) / recipe.ramp)) if recipe.ramp else 1.0
        return {"adversarial": begun * recipe.adversarial}

    def _make(self, batch: Batch, draws: Draws, number: int, stage: Stage) -> dict[str, Tensor]:
        if stage == "autoencoder":
            return self._learn_to_draw(batch, draws, number)
        with self._precision():
            drawn = self._draw(batch, draws.noise[0])  # one pass serves both players
        critic, real = self._teach_discriminator(batch, drawn.fake, number)
        still: list[Module] = [self.networks.discriminator]
        if self.recipe.relative_style:  # else styles, which nothing holds to a scale, would grow without end
            still.append(self.networks.style_encoder)
        with frozen(*still):
            maker = self._teach_generator(batch, draws, drawn, real, number)
        return {**critic, **maker}

    # ---- the three lessons --------------------------------------------------------------------------------------

    def _learn_to_draw(self, batch: Batch, draws: Draws, number: int) -> dict[str, Tensor]:
        """Give cells back from their content and own style, and lead each condition to the style of its real cells.

        A weak penalty on the squared styles keeps them near the scale that the mapping network starts with. The
        discriminator learns meanwhile what tells treated cells from control cells, for which it needs no generator.
        """
        nets, recipe = self.networks, self.recipe
        critic = self._teach_discriminator(batch, None, number)[0] if recipe.mismatch else {}
        odd = (torch.arange(len(batch.control), device=self.device) + batch.first) % 2 == 1
        images = torch.where(odd[:, None, None, None], batch.treated, batch.control)
        wanted = self._at_other_contrast(images, draws)
        with self._precision():
            own = nets.style_encoder(wanted)
            again, excess = self._render(nets.generator.content(images), own)
            losses = {"reconstruction": reconstruction(again, wanted, recipe.detail)}
            losses["style_match"] = self._style_match(batch, draws.noise[0])
            total = losses["reconstruction"] + losses["style_match"] + STYLE_DECAY * own.float().square().mean()
            total = total + recipe.peaks * excess
            controls = self._own_style(batch.control)
            if controls is not None:
                losses["start_match"] = self._start_match(controls, batch)
                total = total + losses["start_match"]
        self._learn(total, "maker", "kernels", "styles", "starts")
        return {**critic, **losses}

    def _teach_discriminator(self, batch: Batch, fake: Tensor | None, number: int) -> tuple[dict[str, Tensor], Tensor]:
        """Let the discriminator learn; without generated cells, in the first stage, from real ones alone.

        Returns the losses, and the logits (B,) of the real cells before it learned.
        """
        recipe = self.recipe
        mismatched = batch.control if recipe.mismatch else None
        if mismatched is not None and fake is not None and batch.at_target is not None:
            made = fake.detach().to(mismatched.dtype)
            mismatched = torch.where(batch.at_target[:, None, None, None], made, mismatched)
        part = recipe.mismatch if fake is not None else 1.0
        penalty = recipe.r1 * recipe.r1_every
        weights = {"pairing": 1 - part, "mismatch": part, "r1": penalty, "r2": penalty}
        with self._precision():
            losses, logits = pairing_losses(
                self.networks, batch.treated, batch.y_treated, batch.y_target, fake=fake, mismatched=mismatched,
                penalties=number % recipe.r1_every == 0, modality=batch.modality,
            )  # fmt: skip
            total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        self._learn(total, "critic")
        return losses, logits.detach()

    def _teach_generator(
        self, batch: Batch, draws: Draws, drawn: Drawn, real: Tensor, number: int
    ) -> dict[str, Tensor]:
        """Let generator, mapping network and, unless styles are relative, style encoder learn.

        Parameters
        ----------
        real
            Logits (B,) of the real cells, which generated ones are to exceed.
        """
        nets, recipe = self.networks, self.recipe
        made = self._made_control(batch, draws.noise[0], number)
        with self._precision():
            losses = {"adversarial": paired(nets.discriminator(drawn.fake, batch.y_target, batch.modality), real)}
            losses["style"] = (nets.style_encoder(drawn.fake) - drawn.style).abs().mean()
            total = self._weights["adversarial"] * losses["adversarial"] + recipe.style * losses["style"]
            total = total + recipe.peaks * drawn.excess
            if drawn.own is not None:
                losses["start_match"] = self._start_match(drawn.own, batch)
                losses["style_match"] = self._style_match(batch, draws.noise[0], made)
                total = total + losses["start_match"] + losses["style_match"]
            for name, loss in self._given_back(batch, draws, drawn, made, number).items():
                losses[name] = loss
                total = total + getattr(recipe, name) * loss
        self._learn(total, "maker", "kernels", "styles", "starts")
        return losses

    # ---- cells given back ---------------------------------------------------------------------------------------

    @cached_property
    def _ways(self) -> Turns:
        """Losses that give cells back, which share a batch."""
        ways = ["self_reconstruction", "cycle"]
        if self.recipe.relative_style and not self._is_batch_task:
            ways.append("backward_cycle")
        return Turns(tuple(way for way in ways if getattr(self.recipe, way)), self._batch_size)

    def _made_control(self, batch: Batch, noise: Tensor, number: int) -> MadeControls | None:
        """Treated cells made controls, for those of the backward cycle; without a gradient."""
        if "backward_cycle" not in self._ways.names:
            return None
        nets, cells = self.networks, self._ways.cells("backward_cycle", batch.first, number)
        treated = batch.treated[cells]
        with torch.no_grad(), self._precision():
            shift = (nets.style(batch.y_treated, noise, batch.modality) - self._start(batch))[cells]
            if not len(treated):
                return MadeControls(cells, shift, treated, shift)
            own = nets.style_encoder(treated)
            control = nets.generator(treated, own - shift)
            return MadeControls(cells, own, control, nets.style_encoder(control) + shift)

    def _given_back(
        self, batch: Batch, draws: Draws, drawn: Drawn, made: MadeControls | None, number: int
    ) -> dict[str, Tensor]:
        """How far cells are from themselves: each is given back in one way, all by one pass of the generator."""
        nets, recipe, ways = self.networks, self.recipe, self._ways
        taken = {way: ways.cells(way, batch.first, number) for way in ways.names}
        there = [way for way, cells in taken.items() if len(batch.control[cells])]  # of a process that has few cells
        wanted, styles, contents, images = [], [], [], []
        for way in there:
            cells = taken[way]
            if way == "self_reconstruction":
                wanted.append(self._at_other_contrast(batch.control, draws)[cells])
                styles.append(nets.style_encoder(wanted[-1]))
                contents.append(drawn.content[cells])
            elif way == "cycle":
                wanted.append(batch.control[cells])
                styles.append(nets.style_encoder(wanted[-1]) if drawn.own is None else drawn.own[cells])
                images.append(drawn.fake[cells])
            elif made is not None:
                wanted.append(batch.treated[cells])
                styles.append(made.style)
                images.append(made.control)
        if images:
            contents.append(nets.generator.content(torch.cat(images)))
        losses = {way: drawn.fake.sum() * 0 for way in ways.names}
        if not there:
            return losses
        again = nets.generator.render(torch.cat(contents), torch.cat(styles))
        for way, one, other in zip(there, torch.split(again, [len(cells) for cells in wanted]), wanted, strict=True):
            loss = reconstruction(one, other, 0.0 if way == "cycle" else recipe.detail)
            losses[way] = ways.weighed(loss, len(one), len(batch.control))
        return losses

    # ---- styles -------------------------------------------------------------------------------------------------

    def _shifted(self, nets: Networks, control: Tensor, style: Tensor, start: int | Tensor) -> Tensor:
        return nets.style_encoder(control) + style - nets.start_style[start] if self.recipe.relative_style else style

    def _own_style(self, cells: Tensor) -> Tensor | None:
        """Styles of cells as they are, where conditions move them; what moves them learns, they do not."""
        if not self.recipe.relative_style:
            return None
        with torch.no_grad():
            styles: Tensor = self.networks.style_encoder(cells)
            return styles

    def _start(self, batch: Batch) -> Tensor:
        """Mean styles (B, d) of what the cells to transform are: controls of a modality, or cells of a batch."""
        starts = self.networks.start_style
        if self._is_batch_task:
            return starts[batch.y_treated]
        return starts[batch.modality].expand(len(batch.control), -1)

    def _start_match(self, own: Tensor, batch: Batch) -> Tensor:
        """Mean squared distance of the cells' own styles from the mean styles that they start from."""
        return (self._start(batch) - own.float()).square().mean()

    def _style_match(self, batch: Batch, noise: Tensor, made: MadeControls | None = None) -> Tensor:
        """Mean squared distance of the styles of real cells from those that their conditions are mapped to.

        Of cells that were made controls the styles are known; else those of all are asked for.
        """
        styles = self.networks.style(batch.y_treated, noise, batch.modality).float()
        if made is None:
            with torch.no_grad():
                treated: Tensor = self.networks.style_encoder(batch.treated)
            return (styles - treated).square().mean()
        distance = (styles[made.cells] - made.own.float()).square().sum()
        return distance * (len(self._ways.names) / styles.numel())

    # ---- images -------------------------------------------------------------------------------------------------

    def _draw(self, batch: Batch, noise: Tensor) -> Drawn:
        """The control cells under their target conditions; relative styles are no one's to change here."""
        content = self.networks.generator.content(batch.control)
        own = self._own_style(batch.control)
        style = self.networks.style(batch.y_target, noise, batch.modality)
        if own is not None:
            style = own + (style - self._start(batch)).detach()
        return Drawn(content, style, *self._render(content, style), own)

    def _render(self, content: Tensor, style: Tensor) -> tuple[Tensor, Tensor | float]:
        """Image, and how far content and the maps of the same resolution peak, where the recipe weighs that."""
        generator = self.networks.generator
        maps = list(generator.decoded(content, style))
        coarse = [content, *(part for part in maps if part.shape[-1] == content.shape[-1])]
        return generator.to_rgb(maps[-1]), sum(map(peaks, coarse)) if self.recipe.peaks else 0.0

    def _at_other_contrast(self, images: Tensor, draws: Draws) -> Tensor:
        if not self.recipe.contrast:
            return images
        return at_other_contrast(images, self.recipe.contrast, draws.normal, draws.uniform)
