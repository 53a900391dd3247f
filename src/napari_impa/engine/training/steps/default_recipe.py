"""The values of the recipe `default`, which was found better at equal minutes; `default_step` follows them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from napari_impa.engine.training.steps.recipe import Recipe, Stage, StepKind
from napari_impa.errors import TrainingError

NEW_CONDITIONS = 0.15
"""Fraction of a training that goes on from a model in which new conditions first find their mean style."""


@dataclass(frozen=True)
class DefaultRecipe(Recipe):
    """Values of the default recipe; a weight of 0 leaves its loss out.

    Parameters
    ----------
    learning_rate, critic_rate
        Adam's, of all but the discriminator, and of the discriminator (0: the same).
    muon
        Learning rate of `Muon` for the convolutions of generator and style encoder; 0 for Adam.
    autoencoder
        Fraction of the training that learns only to give cells back and to map conditions to their mean style.
    autoencoder_rates
        Learning rates of Adam and Muon meanwhile.
    ramp
        Fraction of the training over which the adversarial loss then grows to its weight.
    decay_from
        Fraction of the training from which the learning rate falls linearly to a tenth.
    average
        Decay of the running average of the weights (0: none).
    adversarial, cycle, style, self_reconstruction, r1, peaks
        Weights of these losses. Self-reconstruction, |G(x, F(x)) − x|, makes strength 0 give the cell back; it and the
        cycles share a batch (`turns`). `r1` is R2's too. `peaks` are spikes in the generator's coarsest maps
        (`losses.peaks`).
    r1_every
        R1 and R2 every n-th step at n times their weight (lazy regularisation, Karras et al., CVPR 2020).
    detail
        Weight of the two finest octaves in (self-)reconstructions.
    contrast
        How far cells change contrast in (self-)reconstructions, see `at_other_contrast`; 0 for not at all.
    mismatch
        Fraction of the discriminator's loss in which real cells are compared with control cells called treated;
        in the rest they are with generated ones. In the first stage it learns from the former alone; with 0 not at all.
    relative_style
        A condition moves a cell's own style by what parts the mean style of its real cells from the controls' (or the
        cell's batch's); both means are learned from the style encoder alone, all through the training. The style
        encoder itself learns in the first stage only.
    backward_cycle
        Weight of |G(x', F(x') + shift) − x|, where x is a treated cell and x' what it is when the shift is taken off:
        the backward cycle of CycleGAN (Zhu et al., ICCV 2017), without a gradient through x'. Relative styles only,
        and not for batch correction, whose cycle goes both ways.
    mixed_precision
        Networks in bfloat16 where the device has it in hardware; R1 and all losses stay in float32.

    Raises
    ------
    TrainingError
        If a value is out of its range.
    """

    learning_rate: float = 5e-4
    critic_rate: float = 1e-3
    muon: float = 0.01
    autoencoder: float = 0.35
    autoencoder_rates: tuple[float, float] = (2e-3, 0.02)
    ramp: float = 0.05
    decay_from: float = 0.7
    average: float = 0.995
    adversarial: float = 0.7
    cycle: float = 1.0
    style: float = 1.0
    self_reconstruction: float = 2.0
    r1: float = 0.02
    r1_every: int = 8
    peaks: float = 0.3
    detail: float = 2.0
    contrast: float = 0.4
    mismatch: float = 0.5
    relative_style: bool = True
    backward_cycle: float = 2.0
    mixed_precision: bool = True
    upsampling: str = "bilinear_skip"
    discriminator: str = "spread"

    name: ClassVar[str] = "default"
    even_conditions: ClassVar[bool] = True
    rotations: ClassVar[bool] = True
    standardizes_tables: ClassVar[bool] = True
    forgets_unknown: ClassVar[bool] = True
    constants: ClassVar = {
        "weight_decay": 0.0, "diversity": 0.0, "shared_pass": True, "in_turns": True, "even_conditions": True,
        "rotations": True,
    }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require(("learning_rate",), low=0, above=True)
        weights = ("adversarial", "cycle", "style", "self_reconstruction", "r1", "peaks", "detail", "backward_cycle")
        self._require((*weights, "critic_rate", "muon", "contrast"), low=0)
        self._require(("autoencoder", "ramp", "decay_from", "average", "mismatch"), low=0, high=1)
        self._require(("r1_every",), low=1)
        if self.r1_every != int(self.r1_every):
            raise TrainingError(f"r1_every of the recipe default is a number of steps, not {self.r1_every}.")
        if len(self.autoencoder_rates) != 2 or min(self.autoencoder_rates) < 0:
            raise TrainingError(
                f"autoencoder_rates of the recipe default are two numbers from 0 up, not {self.autoencoder_rates}."
            )
        if self.average == 1:
            raise TrainingError("average of the recipe default is less than 1; at 1 the first weights would stay.")

    def starts(self, count: int) -> int:
        """All of them, where styles are relative."""
        return count if self.relative_style else 0

    def stage(self, progress: float) -> Stage:
        """First the autoencoder's."""
        return "autoencoder" if progress < self.autoencoder else "adversarial"

    def kinds_of_steps(self) -> list[StepKind]:
        """Of both stages, with penalties or without."""
        whole, every = min(1.0, self.autoencoder + self.ramp), self.r1_every
        stages: list[tuple[Stage, float, float]] = [
            ("adversarial", 1 - self.autoencoder, whole), ("autoencoder", self.autoencoder, 0.0)
        ]  # fmt: skip
        numbers = {0: 1 / every, 1: 1 - 1 / every}
        kinds = [
            StepKind(stage, number, share * part, progress)
            for stage, share, progress in stages for number, part in numbers.items() if share * part
        ]  # fmt: skip
        return sorted(kinds, key=lambda kind: -kind.share)

    def dearest(self, number: int) -> int:
        """One with R1."""
        return number - number % self.r1_every

    def going_on(self, *, new_conditions: bool) -> Self:
        """Leave out the autoencoder's stage, whose large steps would undo what was learned.

        Where there are new conditions a short one remains, with the small steps of the second stage, in which they find
        their mean style.
        """
        if not self.autoencoder:
            return self
        first = NEW_CONDITIONS if new_conditions else 0.0
        return replace(self, autoencoder=first, autoencoder_rates=(self.learning_rate, self.muon))
