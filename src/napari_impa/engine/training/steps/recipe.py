"""The values of a recipe, and what others ask of them: its stages, what kinds of steps it makes, how it draws cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

from napari_impa.engine.model.shape import DISCRIMINATORS
from napari_impa.errors import TrainingError

Stage = Literal["autoencoder", "adversarial"]
"""Of a training: networks learn to give cells back; then generator and discriminator play against each other."""

BETA2 = 0.99
"""Adam's, in all recipes."""

FORMER: Mapping[str, object] = {
    "learning_rate": 1e-4, "beta2": BETA2, "weight_decay": 1e-4, "adversarial": 1.0, "cycle": 1.0, "style": 1.0,
    "diversity": 1.0, "diversity_steps": 100_000, "r1": 1.0, "self_reconstruction": 0.0, "r1_every": 1,
    "shared_pass": False, "detail": 0.0, "contrast": 0.0, "peaks": 0.0, "in_turns": False, "critic_rate": 0.0,
    "mismatch": 0.0, "muon": 0.0, "autoencoder": 0.0, "autoencoder_rates": (2e-3, 0.02), "ramp": 0.0, "average": 0.0,
    "even_conditions": False, "rotations": False, "decay_from": 1.0, "mixed_precision": False, "relative_style": False,
    "backward_cycle": 0.0, "upsampling": "nearest", "discriminator": "published",
}  # fmt: skip
"""What every recipe was made of when its values had no name, and what such a run means where it lacks one of them."""


class StepKind(NamedTuple):
    """Steps that cost the same: a stage, the number of one of them, their share of a training, and a progress in it."""

    stage: Stage
    number: int
    share: float
    progress: float


@dataclass(frozen=True)
class Recipe:
    """What the recipes have in common; one of them is a subclass, with its own values, in the file of its step.

    Parameters
    ----------
    upsampling
        How the decoder doubles its maps (`Shape.upsampling`). Where a training goes on from a model: as that does.
    discriminator
        What it sees (`Shape.discriminator`). Where a training goes on from a model that has one: as that does.

    Attributes
    ----------
    name
        As settings and run folders call it.
    even_conditions
        Conditions are drawn evenly, however many cells each has.
    rotations
        Cells are shown in right-angle rotations beside flips.
    standardizes_tables
        Columns of a table that describes conditions are brought to mean 0 and standard deviation 1.
    forgets_unknown
        Whether `Networks.forget_unknown` at the beginning.
    constants
        What this recipe does without a choice, where that is not in `FORMER`: runs of older versions name it.
    """

    upsampling: str = "nearest"
    discriminator: str = "published"

    name: ClassVar[str]
    even_conditions: ClassVar[bool]
    rotations: ClassVar[bool]
    standardizes_tables: ClassVar[bool]
    forgets_unknown: ClassVar[bool]
    constants: ClassVar[Mapping[str, object]] = {}

    def __post_init__(self) -> None:
        from napari_impa.engine.model.blocks import UPSAMPLING  # torch, which takes seconds, only here

        if self.upsampling not in UPSAMPLING:
            raise TrainingError(f"upsampling is one of {', '.join(UPSAMPLING)}, not {self.upsampling!r}.")
        if self.discriminator not in DISCRIMINATORS:
            raise TrainingError(f"discriminator is one of {', '.join(DISCRIMINATORS)}, not {self.discriminator!r}.")

    def starts(self, count: int) -> int:
        """Mean styles that conditions are relative to, where cells start from so many: modalities, or batches."""
        return 0

    def stage(self, progress: float) -> Stage:
        """Stage of a training of which the fraction `progress` is done; once the second has begun, it stays."""
        return "adversarial"

    def kinds_of_steps(self) -> list[StepKind]:
        """Tell steps that cost the same apart, the most frequent first."""
        return [StepKind("adversarial", 0, 1.0, 0.0)]

    def dearest(self, number: int) -> int:
        """Number of the last step up to `number` that takes as much memory as any."""
        return number

    def going_on(self, *, new_conditions: bool) -> Self:
        """Return the recipe of a training that goes on from a model, which may lack some of its conditions."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Name and values, as written into `config.json`."""
        return {"name": self.name, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_json`, or an older version, wrote.

        Raises
        ------
        TypeError, ValueError
            If this version does not know a value, or has another one for good.
        """
        kept: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        if kept.pop("name", None) is None:
            kept = {**FORMER, **kept}
            for name in FORMER.keys() - {entry.name for entry in dataclasses.fields(cls)}:
                known = cls.constants.get(name, FORMER[name])
                if kept.pop(name) != known:
                    raise ValueError(f"{name} is {known} now")
        kept.setdefault("discriminator", "published")  # a choice since recipes have names
        return cls(**kept)

    def _require(self, names: Sequence[str], *, low: float, high: float = float("inf"), above: bool = False) -> None:
        """Check that values lie from `low`, or above it, up to `high`."""
        for name in names:
            value = getattr(self, name)
            if not (low < value if above else low <= value) or not value <= high:
                least = f"more than {low:g}" if above else f"at least {low:g}"
                most = "" if high == float("inf") else f" and at most {high:g}"
                raise TrainingError(f"{name} of the recipe {self.name} is {least}{most}, not {value}.")
