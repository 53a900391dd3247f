"""What is asked of a prediction of a whole folder, as it is written down beside what is unfinished."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import list2cmdline
from typing import Any, Self

from napari_impa.cells.choice import AS_FOUND, LayoutChoice
from napari_impa.cells.segmenters import Segmenter, segmenter
from napari_impa.engine.describing.new_condition import NewCondition, Target
from napari_impa.errors import ConditionError


@dataclass(frozen=True, kw_only=True)
class PredictionPlan:
    """What cells are turned, and into what.

    Parameters
    ----------
    model
        What `load_model` takes.
    source
        A plate, a folder of images, or `.cells`.
    to
        Names of conditions, or new ones.
    strength, variability, seed
        As `IMPA.predict` takes them.
    segment
        How nuclei are found; None: as `crop_source` does by default.
    choice
        How the folder is read.
    all_cells
        Turn treated cells too, not the controls alone.
    batch_size
        Cells at a time.
    nuclei_channel
        Name or number of the channel that shows nuclei; guessed where None.
    channels
        Names for the channels; those of the files where None.
    """

    model: str
    source: str
    to: tuple[Target, ...]
    strength: float = 1.0
    variability: float = 0.1
    seed: int = 0
    segment: Segmenter | None = None
    choice: LayoutChoice = AS_FOUND
    all_cells: bool = False
    batch_size: int | None = None
    nuclei_channel: str | None = None
    channels: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        find = self.segment
        return {
            "model": self.model,
            "source": self.source,
            "to": [one if isinstance(one, str) else one.to_json() for one in self.to],
            "strength": self.strength,
            "variability": self.variability,
            "seed": self.seed,
            "segment": None if find is None else {"name": find.name, "settings": find.changed},
            "choice": self.choice.changed,
            "all_cells": self.all_cells,
            "batch_size": self.batch_size,
            "nuclei_channel": self.nuclei_channel,
            "channels": None if self.channels is None else list(self.channels),
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The plan that `to_json` wrote down."""
        find = values["segment"]
        return cls(**{
            **values,
            "to": tuple(one if isinstance(one, str) else NewCondition(**one) for one in values["to"]),
            "segment": None if find is None else segmenter(find["name"], **find["settings"]),
            "choice": LayoutChoice.of(values["choice"]),
            "channels": tuple(values.get("channels") or ()) or None,
        })  # fmt: skip

    def commands(self, out: Path, table: Path | None = None, report: Path | None = None) -> str:
        """The commands that write the same, a line each, quoted for this system's shell.

        Raises
        ------
        ConditionError
            If the command line has no words for the new conditions.
        """
        new = [one for one in self.to if isinstance(one, NewCondition)]
        if len(new) > 1 or any(one.smiles is None or one.modality is not None for one in new):
            raise ConditionError("The command line takes one new compound, by its SMILES.")
        to = ["--to", *names] if (names := [one for one in self.to if isinstance(one, str)]) else []
        for one in new:
            to += ["--smiles", str(one.smiles), *([] if one.dose is None else ["--dose", f"{one.dose}"])]
        how = [f"--{name}={getattr(self, name)}" for name in ("strength", "variability", "seed")]
        if self.segment is not None:
            how += ["--segment", self.segment.name]
            settings = [f"{name}={value}" for name, value in self.segment.changed.items()]
            how += ["--segment-option", *settings] if settings else []
        for name, value in self.choice.changed.items():
            how += [f"--{name.replace('_', '-')}", f"{value}"]
        only_predicted = ["--nuclei-channel", self.nuclei_channel] if self.nuclei_channel is not None else []
        only_predicted += ["--channels", *self.channels] if self.channels is not None else []
        predict = ["napari-impa", "predict", self.model, self.source, *to, "--out", str(out), *how, *only_predicted]
        predict += ["--all-cells"] * self.all_cells + ([] if table is None else ["--table", str(table)])
        lines = [predict]
        if report is not None:
            lines.append(["napari-impa", "evaluate", self.model, self.source, "--report", str(report), *how])
        return "\n".join(list2cmdline(line) if sys.platform == "win32" else shlex.join(line) for line in lines)
