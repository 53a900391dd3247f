"""The recipe `paper`: the training step as published, and nothing else.

Palma et al., Nature Communications 16:505 (2025), after StarGAN v2 (Choi et al., CVPR 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.draws import Draws
from napari_impa.engine.training.steps.losses import discriminator_losses, generator_losses
from napari_impa.engine.training.steps.recipe import BETA2, Recipe, Stage
from napari_impa.engine.training.steps.step import Step, frozen, set_rate
from napari_impa.watch import Watch

LEARNING_RATE = 1e-4
WEIGHT_DECAY = 1e-4

DIVERSITY_STEPS = 100_000
"""Steps over which the weight of `diversity` falls linearly from 1 to 0; all other weights are 1."""


@dataclass(frozen=True)
class PaperRecipe(Recipe):
    """The published recipe: one stage, and nothing to choose."""

    name: ClassVar[str] = "paper"
    even_conditions: ClassVar[bool] = False
    rotations: ClassVar[bool] = False
    standardizes_tables: ClassVar[bool] = False
    forgets_unknown: ClassVar[bool] = False


class PaperStep(Step[PaperRecipe]):
    """One step of the discriminator, then one of generator, style encoder and mapping network together."""

    recipe_type = PaperRecipe

    def _make_optimizers(self, watch: Watch) -> dict[str, torch.optim.Optimizer]:
        return {
            name: self._adam(parameters, LEARNING_RATE, betas=(0.0, BETA2), weight_decay=WEIGHT_DECAY)
            for name, parameters in (("critic", self._critic), ("maker", self._makers))
        }

    def _set_rates(self, number: int, stage: Stage, progress: float) -> None:
        for name, factor in (("critic", self.lowered.critic), ("maker", self.lowered.makers)):
            set_rate(self.optimizers[name].param_groups[0], factor * LEARNING_RATE)

    def _weights_of(self, number: int, progress: float) -> dict[str, float]:
        return {"diversity": max(0.0, 1 - number / DIVERSITY_STEPS)}

    def _make(self, batch: Batch, draws: Draws, number: int, stage: Stage) -> dict[str, Tensor]:
        nets, x, y, modality = self.networks, batch.control, batch.y_target, batch.modality
        z, z_other = draws.noise

        with torch.no_grad():
            fake = nets.generator(x, nets.style(y, z, modality))
        critic = discriminator_losses(nets, batch.treated, batch.y_treated, fake, y, modality=modality)
        self._learn(critic["real"] + critic["fake"] + critic["r1"], "critic")

        with frozen(nets.discriminator):
            content = nets.generator.content(x)
            style = nets.style(y, z, modality)
            fake = nets.generator.render(content, style)
            with torch.no_grad():
                other = nets.generator.render(content, nets.style(y, z_other, modality))
            maker = generator_losses(nets, x, y, style, fake, other, modality=modality)
            total = maker["adversarial"] + maker["style"] - self._weights["diversity"] * maker["diversity"]
            total = total + maker["cycle"]
            self._learn(total, "maker")
        return {**critic, **maker}
