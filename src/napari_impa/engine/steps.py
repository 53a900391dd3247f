"""One training step: the losses of `losses` in the order and with the weights that a recipe gives them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from napari_impa.engine.checkpoint import flatten_optimizer, restore_optimizer
from napari_impa.engine.data import Batch
from napari_impa.engine.device import has_bfloat16
from napari_impa.engine.losses import discriminator_losses, generator_losses
from napari_impa.engine.networks import Networks
from napari_impa.engine.settings import Recipe, TrainingSettings

FINAL_RATE = 0.1
"""Fraction of the learning rate left at the end of a recipe that lets it fall."""

STYLE_DECAY = 0.01
"""Weight of the mean squared style while the networks learn as an autoencoder."""


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
    """

    def __init__(
        self,
        networks: Networks,
        recipe: Recipe,
        settings: TrainingSettings,
        share_gradients: Callable[[Sequence[Parameter]], None] | None = None,
    ) -> None:
        self._share_gradients = share_gradients or (lambda parameters: None)
        self.networks = networks.train().requires_grad_(True)
        if recipe.shared_pass:  # the same numbers, a quarter faster on a CPU
            self.networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe, self.settings = recipe, settings
        self._mixed = recipe.mixed_precision and has_bfloat16(next(networks.parameters()).device)
        adam = {"lr": recipe.learning_rate, "betas": (0.0, recipe.beta2), "weight_decay": recipe.weight_decay}
        self._critic = list(networks.discriminator.parameters())
        self._makers = [p for name, p in networks.named_parameters() if not name.startswith("discriminator.")]
        self.critic_optimizer = torch.optim.Adam(self._critic, **adam)  # type: ignore[arg-type]
        self.maker_optimizer = torch.optim.Adam(self._makers, **adam)  # type: ignore[arg-type]
        self.average = copy.deepcopy(networks).requires_grad_(False) if recipe.average else None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self._critic[0].device

    def __call__(self, batch: Batch, step: int, stage: str, *, progress: float) -> dict[str, float]:
        """Make step number `step`; returns the losses by name."""
        decay = (progress - self.recipe.decay_from) / max(1e-9, 1 - self.recipe.decay_from)
        for optimizer in (self.critic_optimizer, self.maker_optimizer):
            rate = self.recipe.learning_rate * (1 - (1 - FINAL_RATE) * min(1.0, max(0.0, decay)))
            optimizer.param_groups[0]["lr"] = rate
        rng = np.random.default_rng([self.settings.seed, step, 1])
        z = [rng.standard_normal((self.settings.batch_size, self.settings.noise_dim), np.float32) for _ in range(2)]
        mine = slice(batch.first, batch.first + len(batch.y_target))
        noise = [torch.from_numpy(draw[mine]).to(self.device) for draw in z]
        layout = torch.channels_last if self.recipe.shared_pass else torch.contiguous_format
        batch = replace(
            batch,
            control=batch.control.to(self.device).contiguous(memory_format=layout),
            treated=batch.treated.to(self.device).contiguous(memory_format=layout),
            y_treated=batch.y_treated.to(self.device),
            y_target=batch.y_target.to(self.device),
        )
        make = self._autoencoder_step if stage == "autoencoder" else self._adversarial_step
        with self._precision():
            losses = make(batch, noise, step)
        self._update_average(step)
        return {name: float(value.detach()) for name, value in losses.items()}

    def _precision(self) -> AbstractContextManager[object]:
        if not self._mixed:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _adversarial_step(self, batch: Batch, noise: list[Tensor], step: int) -> dict[str, Tensor]:
        nets, recipe = self.networks, self.recipe
        shared = None
        if recipe.shared_pass:
            style = nets.style(batch.y_target, noise[0], batch.modality)
            shared = nets.generator(batch.control, style)
            fake = shared
        else:
            with torch.no_grad():
                fake = nets.generator(batch.control, nets.style(batch.y_target, noise[0], batch.modality))
        with_r1 = step % recipe.r1_every == 0
        critic = discriminator_losses(
            nets, batch.treated, batch.y_treated, fake, batch.y_target, r1=with_r1, modality=batch.modality
        )
        total = critic["real"] + critic["fake"]
        if with_r1:
            total = total + recipe.r1 * recipe.r1_every * critic["r1"]
        self.critic_optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._share_gradients(self._critic)
        self.critic_optimizer.step()

        nets.discriminator.requires_grad_(False)
        if shared is None:
            style = nets.style(batch.y_target, noise[0], batch.modality)
            shared = nets.generator(batch.control, style)
        diversity = recipe.diversity * max(0.0, 1 - step / recipe.diversity_steps)
        other = None
        if diversity:
            with torch.no_grad():
                other = nets.generator(batch.control, nets.style(batch.y_target, noise[1], batch.modality))
        maker = generator_losses(nets, batch.control, batch.y_target, style, shared, other, modality=batch.modality)
        total = maker["adversarial"] + recipe.style * maker["style"] + recipe.cycle * maker["cycle"]
        if other is not None:
            total = total - diversity * maker["diversity"]
        if recipe.self_reconstruction:
            again = nets.generator(batch.control, nets.style_encoder(batch.control))
            maker["self_reconstruction"] = (again - batch.control).abs().mean()
            total = total + recipe.self_reconstruction * maker["self_reconstruction"]
        self.maker_optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._share_gradients(self._makers)
        self.maker_optimizer.step()
        nets.discriminator.requires_grad_(True)
        return {**critic, **maker}

    def _autoencoder_step(self, batch: Batch, noise: list[Tensor], step: int) -> dict[str, Tensor]:
        """Give cells back from their content and own style, and lead each condition to the style of its real cells.

        A weak penalty on the squared styles keeps them near the scale that the mapping network starts with.
        """
        nets, half = self.networks, max(0, self.settings.batch_size // 2 - batch.first)  # half of the whole batch
        images = torch.cat([batch.control[:half], batch.treated[half:]])
        own = nets.style_encoder(images)
        losses = {"reconstruction": (nets.generator(images, own) - images).abs().mean()}
        with torch.no_grad():
            wanted = nets.style_encoder(batch.treated)
        losses["style_match"] = (nets.style(batch.y_treated, noise[0], batch.modality) - wanted).square().mean()
        total = losses["reconstruction"] + losses["style_match"] + STYLE_DECAY * own.square().mean()
        self.maker_optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._share_gradients(self._makers)
        self.maker_optimizer.step()
        return losses

    def _update_average(self, step: int) -> None:
        if self.average is None:
            return
        decay = min(self.recipe.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.networks.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)

    @torch.no_grad()
    def predict(self, control: Tensor, y: Tensor, noise: Tensor) -> Tensor:
        """Predicted images of a few cells, by the averaged weights where there are any."""
        nets = self.average or self.networks
        control, y, noise = control.to(self.device), y.to(self.device), noise.to(self.device)
        return nets.generator(control, nets.style(y, noise)).cpu()

    def averaged_state(self) -> dict[str, Tensor]:
        """The weights to predict with."""
        nets = self.average or self.networks
        return {name: value.detach().cpu().clone() for name, value in nets.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""
        tensors = {f"networks.{name}": value for name, value in self.networks.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        tensors |= flatten_optimizer(self.critic_optimizer, "critic")
        return tensors | flatten_optimizer(self.maker_optimizer, "maker")

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take the state that `state` gave."""
        self.networks.load_state_dict(_part(tensors, "networks."))
        if self.average is not None:
            self.average.load_state_dict(_part(tensors, "average."))
        restore_optimizer(self.critic_optimizer, "critic", tensors)
        restore_optimizer(self.maker_optimizer, "maker", tensors)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
