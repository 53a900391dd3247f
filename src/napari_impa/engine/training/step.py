"""One training step: the losses of `losses` in the order and with the weights that a recipe gives them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from napari_impa.engine.device import has_bfloat16
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.tensor_file import flatten_optimizer, restore_optimizer
from napari_impa.engine.steering import watch
from napari_impa.engine.training.contrast import at_other_contrast
from napari_impa.engine.training.data.training_cells import Batch
from napari_impa.engine.training.draws import Drawn, Draws
from napari_impa.engine.training.losses import discriminator_losses, generator_losses, peaks, reconstruction
from napari_impa.engine.training.optimizers import Muon
from napari_impa.engine.training.settings import Recipe, TrainingSettings

FINAL_RATE = 0.1
"""Fraction of the learning rate left at the end of a recipe that lets it fall."""

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


class Step:
    """Networks, their optimisers and their running average; a call makes one step.

    Parameters
    ----------
    networks
        On the device to train on; changed in place.
    recipe, settings
        How, and with which seed.
    share_gradients
        Called with the parameters after every backward pass, before the optimiser's step: where several processes
        train one model, it averages their gradients.
    check
        Called at every convolution and product of matrices; what it raises leaves the step, with some weights changed.

    Raises
    ------
    ValueError
        The recipe's styles are relative and the networks have no mean styles to start from.
    """

    def __init__(
        self,
        networks: Networks,
        recipe: Recipe,
        settings: TrainingSettings,
        share_gradients: Callable[[Sequence[Parameter]], None] | None = None,
        *,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        if recipe.relative_style and not networks.shape.relative_style:
            raise ValueError("the recipe's styles are relative: use a Shape with relative_style=1 or more")
        self._share_gradients = share_gradients or (lambda parameters: None)
        self.networks = networks.train().requires_grad_(True)
        if recipe.shared_pass:  # the same numbers, a quarter faster on a CPU
            self.networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.settings = recipe, settings
        self._mixed = recipe.mixed_precision and has_bfloat16(next(networks.parameters()).device)
        self._critic = list(networks.discriminator.parameters())
        self._makers = [p for name, p in networks.named_parameters() if not name.startswith("discriminator.")]
        kernels: list[Parameter] = []
        others: list[Parameter] = []
        styles = [p for name, p in networks.named_parameters() if name.startswith(STYLES) and recipe.relative_style]
        starts = [p for name, p in networks.named_parameters() if name == "start_style"]
        followed = {id(p) for p in (*styles, *starts)}
        for p in self._makers:
            if id(p) in followed:
                continue
            (kernels if recipe.muon and p.ndim == 4 and min(p.shape[:2]) > MATRIX else others).append(p)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(
                parameters,
                lr=recipe.learning_rate,
                betas=(0.0, recipe.beta2),
                weight_decay=recipe.weight_decay,
                fused=self.device.type == "cuda",
            )
            for name, parameters in (("critic", self._critic), ("maker", others))
        }
        if kernels:
            self.optimizers["kernels"] = Muon(kernels, recipe.muon, momentum=0.0, check=check)
        if styles:
            self.optimizers["styles"] = torch.optim.Adam(styles, betas=(MOMENTUM[0], recipe.beta2))
            # Plain descent on their mean squared distance is a running mean, which processes share like any gradient.
            self.optimizers["starts"] = torch.optim.SGD(starts, lr=FOLLOW * settings.style_dim / 2)
        self.average = copy.deepcopy(networks).requires_grad_(False) if recipe.average else None
        for watched in (self.networks, self.average):
            if watched is not None:
                watch(watched, check)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self._critic[0].device

    def __call__(self, batch: Batch, step: int, stage: str, *, progress: float) -> dict[str, float]:
        """Make step number `step`; returns the losses by name."""
        self._set_rates(step, stage, progress)
        draws = Draws(self.settings, step, batch, self.device)
        layout = torch.channels_last if self.recipe.shared_pass else torch.contiguous_format
        batch = replace(
            batch,
            control=batch.control.to(self.device).contiguous(memory_format=layout),
            treated=batch.treated.to(self.device).contiguous(memory_format=layout),
            y_treated=batch.y_treated.to(self.device),
            y_target=batch.y_target.to(self.device),
            at_target=None if batch.at_target is None else batch.at_target.to(self.device),
        )
        if stage == "autoencoder":
            losses = self._autoencoder_step(batch, draws)
        else:
            losses = self._adversarial_step(batch, draws, step, progress)
        self._update_average(step)
        values = torch.stack([value.detach().float() for value in losses.values()]).tolist()  # waits once
        return dict(zip(losses, values, strict=True))

    def _precision(self) -> AbstractContextManager[object]:
        """One for each forward pass: autocast keeps its copies of weights until it is left, though they may change."""
        if not self._mixed:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _set_rates(self, step: int, stage: str, progress: float) -> None:
        recipe, rates = self.recipe, (self.recipe.learning_rate, self.recipe.muon)
        if stage == "autoencoder":
            left = max(0.0, 1 - progress / recipe.autoencoder)
            factor = min(1.0, (step + 1) / WARM_UP) * max(FINAL_RATE, math.sin(math.pi / 2 * min(1.0, 1.5 * left)))
            rates, momentum = recipe.autoencoder_rates, MOMENTUM
        else:
            decay = (progress - recipe.decay_from) / max(1e-9, 1 - recipe.decay_from)
            factor, momentum = 1 - (1 - FINAL_RATE) * min(1.0, max(0.0, decay)), (0.0, 0.0)
        groups = {name: optimizer.param_groups[0] for name, optimizer in self.optimizers.items()}
        groups["critic"]["lr"] = factor * (recipe.critic_rate or recipe.learning_rate)
        groups["maker"].update(lr=factor * rates[0], betas=(momentum[0], recipe.beta2))
        if "styles" in groups:
            groups["styles"]["lr"] = factor * rates[0]
        if "kernels" in groups:
            groups["kernels"].update(lr=factor * rates[1], momentum=momentum[1])

    def _learn(self, total: Tensor, *names: str) -> None:
        """Let the optimisers named make a step down the gradient of a loss."""
        optimizers = [self.optimizers[name] for name in names if name in self.optimizers]
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._share_gradients(self._critic if "critic" in names else self._makers)
        for optimizer in optimizers:
            optimizer.step()

    def _adversarial_step(self, batch: Batch, draws: Draws, step: int, progress: float) -> dict[str, Tensor]:
        drawn = None
        with self._precision():
            if self.recipe.shared_pass:
                drawn = self._draw(batch, draws)
                fake = drawn.fake
            else:
                with torch.no_grad():
                    fake = self._draw(batch, draws).fake
        critic = self._teach_discriminator(batch, fake, step)
        still: list[Module] = [self.networks.discriminator]
        if self.recipe.relative_style:  # else styles, which nothing holds to a scale, would grow without end
            still.append(self.networks.style_encoder)
        with _frozen(*still):
            maker = self._teach_generator(batch, draws, drawn, step, progress)
        return {**critic, **maker}

    def _draw(self, batch: Batch, draws: Draws) -> Drawn:
        """The control cells under their target conditions."""
        content = self.networks.generator.content(batch.control)
        own = self._own_style(batch.control)
        style = self._style(batch, draws.noise[0], own)
        return Drawn(content, style, *self._render(content, style), own)

    def _own_style(self, cells: Tensor) -> Tensor | None:
        """Styles of cells as they are, where conditions move them; what moves them learns, they do not."""
        if not self.recipe.relative_style:
            return None
        with torch.no_grad():
            return self.networks.style_encoder(cells)

    def _style(self, batch: Batch, noise: Tensor, own: Tensor | None) -> Tensor:
        """Styles of the control cells under their target conditions; relative ones are no one's to change here."""
        target = self.networks.style(batch.y_target, noise, batch.modality)
        return target if own is None else own + (target - self._start(batch)).detach()

    def _start(self, batch: Batch) -> Tensor:
        """Mean styles (B, d) of what the cells to transform are: controls of a modality, or cells of a batch."""
        starts = self.networks.start_style
        if self.settings.task == "batch":
            return starts[batch.y_treated]
        return starts[batch.modality].expand(len(batch.control), -1)

    def _start_match(self, own: Tensor, batch: Batch) -> Tensor:
        """Mean squared distance of the cells' own styles from the mean styles that they start from."""
        return (self._start(batch) - own.float()).square().mean()

    def _style_match(self, batch: Batch, noise: Tensor) -> Tensor:
        """Mean squared distance of the styles of real cells from those that their conditions are mapped to."""
        with torch.no_grad():
            treated = self.networks.style_encoder(batch.treated)
        return (self.networks.style(batch.y_treated, noise, batch.modality).float() - treated).square().mean()

    def _teach_discriminator(self, batch: Batch, fake: Tensor, step: int) -> dict[str, Tensor]:
        recipe, with_r1 = self.recipe, step % self.recipe.r1_every == 0
        mismatched = None
        if recipe.mismatch:
            mismatched = batch.control
            if batch.at_target is not None:
                made = fake.detach().to(mismatched.dtype)
                mismatched = torch.where(batch.at_target[:, None, None, None], made, mismatched)
        with self._precision():
            losses = discriminator_losses(
                self.networks, batch.treated, batch.y_treated, fake, batch.y_target,
                mismatched=mismatched, r1=with_r1, modality=batch.modality,
            )  # fmt: skip
            total = losses["real"] + losses["fake"]
            if mismatched is not None:
                total = total + recipe.mismatch * (losses["mismatch"] - losses["fake"])
            if with_r1:
                total = total + recipe.r1 * recipe.r1_every * losses["r1"]
        self._learn(total, "critic")
        return losses

    def _teach_generator(
        self, batch: Batch, draws: Draws, drawn: Drawn | None, step: int, progress: float
    ) -> dict[str, Tensor]:
        """Let generator, mapping network and, unless styles are relative, style encoder learn.

        `drawn` is the shared pass, if there was one.
        """
        nets, recipe = self.networks, self.recipe
        # cycle and self-reconstruction either both, or in turns at twice their weight
        turn, double = (step % 2, 2) if recipe.in_turns else (None, 1)
        diversity = recipe.diversity * max(0.0, 1 - step / recipe.diversity_steps)
        begun = min(1.0, max(0.0, (progress - recipe.autoencoder) / recipe.ramp)) if recipe.ramp else 1.0
        with self._precision():
            if drawn is None:
                drawn = self._draw(batch, draws)
            other = None
            if diversity:
                with torch.no_grad():
                    style = self._style(batch, draws.noise[1], drawn.own)
                    other = nets.generator.render(drawn.content, style)
            losses = generator_losses(
                nets, batch.control, batch.y_target, drawn.style, drawn.fake, other,
                cycle=turn != 0, modality=batch.modality,
            )  # fmt: skip
            total = begun * recipe.adversarial * losses["adversarial"] + recipe.style * losses["style"]
            total = total + recipe.peaks * drawn.excess
            if drawn.own is not None:
                losses["start_match"] = self._start_match(drawn.own, batch)
                losses["style_match"] = self._style_match(batch, draws.noise[0])
                total = total + losses["start_match"] + losses["style_match"]
            if other is not None:
                total = total - diversity * losses["diversity"]
            if "cycle" in losses:
                total = total + double * recipe.cycle * losses["cycle"]
            if recipe.self_reconstruction and turn != 1:
                wanted = self._at_other_contrast(batch.control, draws)
                again = nets.generator.render(drawn.content, nets.style_encoder(wanted))
                losses["self_reconstruction"] = reconstruction(again, wanted, recipe.detail)
                total = total + double * recipe.self_reconstruction * losses["self_reconstruction"]
        if recipe.backward_cycle and drawn.own is not None and self.settings.task != "batch":
            losses["backward_cycle"] = self._backward_cycle(batch, draws.noise[0])
            total = total + recipe.backward_cycle * losses["backward_cycle"]
        self._learn(total, "maker", "kernels", "styles", "starts")
        return losses

    def _backward_cycle(self, batch: Batch, noise: Tensor) -> Tensor:
        """How far treated cells are from themselves when they have been made controls and treated again."""
        nets = self.networks
        with torch.no_grad(), self._precision():
            shift = nets.style(batch.y_treated, noise, batch.modality) - self._start(batch)
            control = nets.generator(batch.treated, nets.style_encoder(batch.treated) - shift)
            style = nets.style_encoder(control) + shift
        with self._precision():  # anew, as copies of weights made without a gradient have none
            again = nets.generator.render(nets.generator.content(control), style)
            return reconstruction(again, batch.treated, self.recipe.detail)

    def _autoencoder_step(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Give cells back from their content and own style, and lead each condition to the style of its real cells.

        A weak penalty on the squared styles keeps them near the scale that the mapping network starts with.
        """
        nets = self.networks
        odd = (torch.arange(len(batch.control), device=self.device) + batch.first) % 2 == 1
        images = torch.where(odd[:, None, None, None], batch.treated, batch.control)
        wanted = self._at_other_contrast(images, draws)
        with self._precision():
            own = nets.style_encoder(wanted)
            again, excess = self._render(nets.generator.content(images), own)
            losses = {"reconstruction": reconstruction(again, wanted, self.recipe.detail)}
            losses["style_match"] = self._style_match(batch, draws.noise[0])
            total = losses["reconstruction"] + losses["style_match"] + STYLE_DECAY * own.float().square().mean()
            total = total + self.recipe.peaks * excess
            controls = self._own_style(batch.control)
            if controls is not None:
                losses["start_match"] = self._start_match(controls, batch)
                total = total + losses["start_match"]
        self._learn(total, "maker", "kernels", "styles", "starts")
        return losses

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

    def _update_average(self, step: int) -> None:
        if self.average is None:
            return
        decay = min(self.recipe.average, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.networks.parameters()), 1 - decay)

    @torch.no_grad()
    def predict(
        self, control: Tensor, y: Tensor, noise: Tensor, modality: int = 0, start: Tensor | None = None
    ) -> Tensor:
        """Predicted images of a few cells, by the averaged weights where there are any; `start` (B,): their batches."""
        nets = self.average or self.networks
        control, y, noise = control.to(self.device), y.to(self.device), noise.to(self.device)
        style = nets.style(y, noise, modality)
        if self.recipe.relative_style:
            style = nets.style_encoder(control) + style - nets.start_style[modality if start is None else start]
        return nets.generator(control, style).cpu()

    def averaged_state(self) -> dict[str, Tensor]:
        """The weights to predict with."""
        nets = self.average or self.networks
        return {name: value.detach().cpu().clone() for name, value in nets.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        tensors = {f"networks.{name}": value for name, value in self.networks.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            tensors |= flatten_optimizer(optimizer, name)
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the state that `state` gave."""
        self.networks.load_state_dict(_part(tensors, "networks."))
        if self.average is not None:
            self.average.load_state_dict(_part(tensors, "average."))
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, name, tensors)


@contextmanager
def _frozen(*modules: Module) -> Iterator[None]:
    """Let gradients pass through some modules, but not reach their weights."""
    for module in modules:
        module.requires_grad_(False)
    try:
        yield
    finally:
        for module in modules:
            module.requires_grad_(True)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
