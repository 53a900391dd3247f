"""What a training can be told, validated: one object for the API, the command line, the dock and the run folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from napari_impa.cells.words import SIDE, Task
from napari_impa.engine.describing import BY_FILE, BY_SMILES, DESCRIBED, DESCRIPTIONS, kind_asked, names_of
from napari_impa.engine.describing.description import Description
from napari_impa.engine.model.shape import is_valid_size, valid_sizes
from napari_impa.engine.training.options import option
from napari_impa.engine.training.presets import PRESETS, WIDTHS
from napari_impa.engine.training.steps import RECIPES
from napari_impa.errors import TrainingError

if TYPE_CHECKING:
    PresetName: TypeAlias = str
    RecipeName: TypeAlias = str
else:  # the command line offers what is listed
    PresetName = Literal[tuple(preset.name for preset in PRESETS)]
    RecipeName = Literal[tuple(entry.name for entry in RECIPES)]


CELLS_A_STEP = 16
"""Unless something else is said, and the device is no large GPU."""

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

    task: Task = option(
        "perturbation",
        "perturbation: control cells become treated ones; batch: cells move between batches",
        group="data",
    )
    size: int = option(
        SIDE, "crop side in pixels: the part of the image around each nucleus that the model sees",
        label="Crop side", unit="px", offered="sizes",
    )  # fmt: skip
    preset: PresetName = option(
        "tiny", "width of the networks: " + ", ".join(f"{one.name} {one.width}{one.note}" for one in PRESETS),
        label="Preset", group="essential", choices=tuple((one.name, one.title) for one in PRESETS),
    )  # fmt: skip
    recipe: RecipeName = option(
        "default", "how a step is made: " + ", or ".join(one.help for one in RECIPES), label="Recipe",
        choices=tuple((one.name, one.title) for one in RECIPES),
    )  # fmt: skip
    steps: int | None = option(None, "steps to train; 3000 where neither steps nor minutes are given", group="budget")
    minutes: float | None = option(None, "minutes to train", group="budget")
    batch_size: int | None = option(
        None, "cells a step; fewer need less memory and make a step quicker; by default 16, on a large GPU up to 64",
        label="Batch size", unit="cells", low=1, high=512, automatic="as suits the device",
    )  # fmt: skip
    seed: int = option(0, "seed of everything random; the same seed gives the same model", label="Seed")
    device: str = option("auto", "auto, cuda, mps or cpu", label="Device", offered="devices")
    threads: int | None = option(
        None, "threads on a CPU; by default all cores but one, which the viewer keeps",
        label="CPU threads", low=1, high=256, automatic="all cores but one",
    )  # fmt: skip
    checkpoint_seconds: float = option(
        60.0, "seconds between checkpoints, from which a killed training goes on", label="Checkpoint every", unit="s",
        high=86_400,
    )  # fmt: skip
    hold_out: Mapping[str, Sequence[str]] = option(
        dict, "cells kept out of the training, by column and values", group="data"
    )
    where: Mapping[str, Sequence[str]] = option(
        dict, "cells that the training is about, by column and values; all if empty", group="data"
    )
    style_dim: int = option(
        64,
        "dimension of the style: numbers that say how cells of a condition look",
        label="Style size",
        low=1,
        high=1024,
    )
    noise_dim: int = option(
        16, "dimension of the noise, which makes cells of a condition differ", label="Noise size", low=1, high=1024
    )
    embedding_dim: int = option(
        64,
        "dimension of a learned condition: numbers that stand for its name",
        label="Condition size",
        low=1,
        high=1024,
    )
    modality: str | None = option(
        None, "column that names the kind of perturbation (compound, CRISPR, …)", label="Kinds in", group="conditions",
        offered="modality", automatic="one kind only", tasks=("perturbation",),
    )  # fmt: skip
    description: str | Mapping[str, str] = option(
        DESCRIPTIONS[0].kind,
        f"how conditions are described: {'; '.join(kind.help for kind in DESCRIPTIONS)}; or one of these for each "
        "modality",
        label="Describe by", group="conditions", offered="descriptions", tasks=("perturbation",),
    )  # fmt: skip
    smiles: str | None = option(
        None, "column of the compounds' SMILES; guessed where one is called smiles", label="SMILES in",
        group="conditions", offered="smiles", automatic="found by its name", when=("description", names_of(BY_SMILES)),
        tasks=("perturbation",),
    )  # fmt: skip
    dose: str | None = option(
        None, "column of the dose, which becomes a feature of the description", label="Dose in", group="conditions",
        offered="dose", automatic="not used", when=("description", names_of(DESCRIBED)), tasks=("perturbation",),
    )  # fmt: skip
    modality_dim: int = option(
        0, "dimension of a learned embedding of the modality; 0 for none", label="Kind size", high=1024,
        automatic="none", when=("modality", ()), tasks=("perturbation",),
    )  # fmt: skip
    controls_to_themselves: bool = option(
        False, "the control is one more condition, which keeps controls as they are",
        label="Control is a condition too", tasks=("perturbation",),
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name in ("hold_out", "where"):
            columns = {
                column: (str(values),) if isinstance(values, (str, int, float)) else tuple(str(v) for v in values)
                for column, values in dict(getattr(self, name)).items()
            }
            object.__setattr__(self, name, columns)
        described = self.description
        if isinstance(described, Mapping):
            object.__setattr__(self, "description", {str(name): str(kind) for name, kind in described.items()})
        else:
            object.__setattr__(self, "description", str(described))
        if self.steps is None and self.minutes is None:
            object.__setattr__(self, "steps", 3000)
        listed = {"task": get_args(Task), "preset": tuple(WIDTHS), "recipe": tuple(entry.name for entry in RECIPES)}
        for name, choices in listed.items():
            if getattr(self, name) not in choices:
                raise TrainingError(f"{name} is one of {', '.join(choices)}, not {getattr(self, name)!r}.")
        if not is_valid_size(self.size):
            near = sorted(valid_sizes(1024), key=lambda side: abs(side - self.size))[:2]
            raise TrainingError(
                f"A crop side of {self.size} px does not fit the networks; "
                f"the nearest that do are {min(near)} and {max(near)}."
            )
        ones = ("cells_a_step", "style_dim", "noise_dim", "embedding_dim")
        for name, least in (*((name, 1) for name in ones), ("seed", 0), ("modality_dim", 0)):
            if getattr(self, name) < least:
                said = "batch_size" if name == "cells_a_step" else name
                raise TrainingError(f"{said} is at least {least}, not {getattr(self, name)}.")
        if self.seed >= 2**63:
            raise TrainingError(f"seed is at most 2⁶³ - 1, not {self.seed}.")
        if self.threads is not None and self.threads < 1:
            raise TrainingError(f"A training takes at least 1 thread, not {self.threads}.")
        if not self.checkpoint_seconds >= 0:
            raise TrainingError(f"checkpoint_seconds is at least 0, not {self.checkpoint_seconds}.")
        if self.steps is not None and self.steps < 1:
            raise TrainingError(f"A training takes at least 1 step, not {self.steps}.")
        if self.minutes is not None and not self.minutes > 0:
            raise TrainingError(f"A training takes more than 0 minutes, not {self.minutes}.")
        self._check_conditions()

    def _check_conditions(self) -> None:
        by_modality = isinstance(self.description, Mapping)
        told = list(self.description.values()) if isinstance(self.description, Mapping) else [self.description]
        for text in told:
            if kind_asked(text) is None:
                names = ", ".join(names_of(kind for kind in DESCRIPTIONS if kind not in BY_FILE))
                files = " or ".join(kind.help.partition(" (")[0] for kind in BY_FILE)
                raise TrainingError(f"A description is {names} or {files}, not {text!r}.")
        learned = not any(kind.needs for text in told if (kind := kind_asked(text)))
        if self.modality is None and (by_modality or self.modality_dim):
            what = "A description for each modality" if by_modality else "modality_dim"
            raise TrainingError(f"{what} needs modality, the column that names the modality.")
        if self.dose is not None and learned:
            raise TrainingError(
                "dose adds to a description (bit, count or a table); learned conditions take it as a label column."
            )
        if self.task == "batch" and (not learned or self.modality or self.controls_to_themselves):
            raise TrainingError(
                "Batches are learned by name; description, modality and controls_to_themselves are for the task "
                "perturbation."
            )

    def description_of(self, modality: str) -> str:
        """Return how the conditions of a modality are described: the name of a kind, or the path of its file."""
        if isinstance(self.description, Mapping):
            return self.description.get(modality, DESCRIPTIONS[0].kind)
        return self.description

    def kind_of(self, modality: str) -> type[Description]:
        """Return the kind of description of a modality."""
        found = kind_asked(self.description_of(modality))
        assert found is not None  # `_check_conditions`
        return found

    @property
    def cells_a_step(self) -> int:
        """Cells a step, the usual number where nothing is said; a training decides that first (`cells_a_step`)."""
        return CELLS_A_STEP if self.batch_size is None else self.batch_size

    @property
    def width(self) -> int:
        """Base width of the networks."""
        return WIDTHS[self.preset]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written into `config.json` and the model."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainingSettings:
        """Read what `to_json` wrote; what this version does not know is passed over."""
        known = {entry.name for entry in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})
