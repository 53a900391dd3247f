"""What a training can be told, validated: one object for the API, the command line, the dock and the run folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from napari_impa.errors import TrainingError

Task = Literal["perturbation", "batch"]
Preset = Literal["tiny", "small", "paper"]
RecipeName = Literal["default", "paper"]

WIDTHS: dict[str, int] = {"tiny": 16, "small": 32, "paper": 64}
"""Base width of the networks of each preset; `tiny` is for a CPU."""


@dataclass(frozen=True)
class Recipe:
    """How a training step is made.

    Parameters
    ----------
    learning_rate, beta2, weight_decay
        Adam's; beta1 is 0.
    cycle, style, diversity, r1
        Weights λ of the losses; `diversity` falls linearly to 0 over `diversity_steps`.
    self_reconstruction
        Weight of |G(x, F(x)) − x|, which makes strength 0 give the cell back.
    r1_every
        R1 every n-th step at n times its weight (lazy regularisation, Karras et al., CVPR 2020).
    shared_pass
        One generator pass serves the discriminator's and the generator's loss.
    autoencoder
        Fraction of the training that learns only to give cells back and to map conditions to their mean style.
    average
        Decay of the running average of the weights (0: none).
    even_conditions
        Draw conditions evenly, however many cells each has.
    rotations
        Right-angle rotations beside flips.
    decay_from
        Fraction of the training from which the learning rate falls linearly to a tenth.
    mixed_precision
        Networks in bfloat16 where the device has it in hardware; R1 and all losses stay in float32.
    """

    learning_rate: float = 1e-4
    beta2: float = 0.99
    weight_decay: float = 1e-4
    cycle: float = 1.0
    style: float = 1.0
    diversity: float = 1.0
    diversity_steps: int = 100_000
    r1: float = 1.0
    self_reconstruction: float = 0.0
    r1_every: int = 1
    shared_pass: bool = False
    autoencoder: float = 0.0
    average: float = 0.0
    even_conditions: bool = False
    rotations: bool = False
    decay_from: float = 1.0
    mixed_precision: bool = False


RECIPES: dict[str, Recipe] = {
    "paper": Recipe(),
    "default": Recipe(
        learning_rate=4e-4,
        diversity=0.3,
        self_reconstruction=1.0,
        r1=0.1,
        r1_every=8,
        shared_pass=True,
        autoencoder=0.25,
        average=0.995,
        even_conditions=True,
        rotations=True,
        decay_from=0.7,
        mixed_precision=True,
    ),
}
"""`paper` is the published training step, exactly; `default` is what was found better at equal minutes."""


def _option(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


MAY_CHANGE = ("steps", "minutes", "device", "threads", "checkpoint_seconds")
"""Settings that a resumed training may be given anew."""


@dataclass(frozen=True)
class TrainingSettings:
    """Everything a training can be told.

    Raises
    ------
    TrainingError
        If a value is out of its range.
    """

    task: Task = _option(
        "perturbation", "perturbation: control cells become treated ones; batch: cells move between batches"
    )
    size: int = _option(64, "crop side in pixels")
    preset: Preset = _option("tiny", "width of the networks: tiny 16 (for a CPU), small 32, paper 64")
    recipe: RecipeName = _option("default", "how a step is made: default, or paper for the published step")
    steps: int | None = _option(None, "steps to train; 3000 where neither steps nor minutes are given")
    minutes: float | None = _option(None, "minutes to train")
    batch_size: int = _option(16, "cells a step")
    seed: int = _option(0, "seed of everything random")
    device: str = _option("auto", "auto, cuda, mps or cpu")
    threads: int | None = _option(None, "threads on a CPU; by default all cores but one, which the viewer keeps")
    checkpoint_seconds: float = _option(60.0, "seconds between checkpoints, from which a killed training goes on")
    hold_out: Mapping[str, Sequence[str]] = field(
        default_factory=dict, metadata={"help": "cells kept out of the training, by column and values"}
    )
    style_dim: int = _option(64, "dimension of the style")
    noise_dim: int = _option(16, "dimension of the noise")
    embedding_dim: int = _option(64, "dimension of a learned condition")

    def __post_init__(self) -> None:
        from napari_impa.engine.networks import is_valid_size, valid_sizes  # torch, which takes seconds, only here

        held = {
            str(column): (str(values),) if isinstance(values, (str, int, float)) else tuple(str(v) for v in values)
            for column, values in dict(self.hold_out).items()
        }
        object.__setattr__(self, "hold_out", held)
        if self.steps is None and self.minutes is None:
            object.__setattr__(self, "steps", 3000)
        for name, choices in (("task", Task), ("preset", Preset), ("recipe", RecipeName)):
            if getattr(self, name) not in get_args(choices):
                raise TrainingError(f"{name} is one of {', '.join(get_args(choices))}, not {getattr(self, name)!r}.")
        if not is_valid_size(self.size):
            near = sorted(valid_sizes(1024), key=lambda side: abs(side - self.size))[:2]
            raise TrainingError(
                f"A crop side of {self.size} px does not fit the networks; "
                f"the nearest that do are {min(near)} and {max(near)}."
            )
        for name, least in (("batch_size", 1), ("style_dim", 1), ("noise_dim", 1), ("embedding_dim", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise TrainingError(f"{name} is at least {least}, not {getattr(self, name)}.")
        if self.threads is not None and self.threads < 1:
            raise TrainingError(f"A training takes at least 1 thread, not {self.threads}.")
        if not self.checkpoint_seconds >= 0:
            raise TrainingError(f"checkpoint_seconds is at least 0, not {self.checkpoint_seconds}.")
        if self.steps is not None and self.steps < 1:
            raise TrainingError(f"A training takes at least 1 step, not {self.steps}.")
        if self.minutes is not None and not self.minutes > 0:
            raise TrainingError(f"A training takes more than 0 minutes, not {self.minutes}.")

    @property
    def width(self) -> int:
        """Base width of the networks."""
        return WIDTHS[self.preset]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written into `config.json` and the model."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainingSettings:
        """Read what `to_json` wrote; what this version does not know is passed over."""
        known = {entry.name for entry in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})
