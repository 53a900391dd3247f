"""A survey of a source, as the Train dock shows it, without a window: conditions, what is guessed, what is doubtful."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_impa.cells.checks import Concern, plate_column
from napari_impa.cells.checks.of_cells import training_concerns
from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.cells.plate_maps.picture import PlatePicture, pictures_text, plate_pictures
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source
from napari_impa.cells.store import Cells
from napari_impa.cells.tables import guess_control, no_conditions, shortest
from napari_impa.cells.words import WELL, WHERE_IMAGED
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.survey import finished, look, look_closer
from napari_impa.work.tables.conditions_table import conditions_table, default_hold_out, held_rows, values_of
from napari_impa.work.tables.replicate_wells import HeldWells, settled
from napari_impa.work.tables.text_table import aligned

MOST_NAMED = 12
"""Files that were passed over, columns and plates that are named; the rest is counted."""

NOTHING = pd.DataFrame(columns=["condition", "count", "plates", "control", "held", "training"])
"""The conditions of a source of which no label is known."""


@dataclass(frozen=True, eq=False)
class Survey:
    """What a source holds, what a training would take of it, and what is doubtful.

    Parameters
    ----------
    source
        Its table, channels and sizes.
    task
        `perturbation` or `batch`.
    label, control
        Columns that name conditions, and the control's name; none where nothing is known of them.
    guessed
        Which of `label` and `control` were not given, but guessed or stored with the cells.
    columns
        Of the table that can name conditions.
    conditions
        As `conditions_table` counts them; empty where there is no label.
    plate, plates
        The column that says what was imaged together, and its values; None where there is none.
    hold_out
        Columns and values that would be held out.
    proposed
        Whether that is a proposal, and was not asked for.
    drawn
        The wells among it that were drawn, where half of the replicate wells was asked for.
    concerns
        What is doubtful, the gravest first.
    """

    source: Source
    task: str
    label: tuple[str, ...]
    control: str | None
    guessed: frozenset[str]
    columns: tuple[str, ...]
    conditions: pd.DataFrame
    plate: str | None
    plates: tuple[str, ...]
    hold_out: Mapping[str, tuple[str, ...]]
    proposed: bool
    drawn: HeldWells | None
    concerns: tuple[Concern, ...]

    def text(self) -> str:
        """Say it for a terminal."""
        lines = [self.source.describe(), "", *aligned(self._facts())]
        if len(self.conditions):
            lines += ["", *aligned(self._counts(), right=range(1, 5))]
        lines += ["", *drawn] if (drawn := pictures_text(self.pictures)) else []
        lines += ["", *(f"Warning: {concern.message}" for concern in self.concerns)] if self.concerns else []
        return "\n".join(lines)

    @property
    def pictures(self) -> tuple[PlatePicture, ...]:
        """A picture of each plate, where the wells are known."""
        return plate_pictures(self.source.table, self.label, self.control, self.source.plate_map)

    def _facts(self) -> list[tuple[str, str]]:
        source = self.source
        size = "unknown" if source.pixel_size is None else f"{shortest(round(source.pixel_size, 6))} µm"
        facts = [("Channels", ", ".join(source.channels)), ("Pixel size", size)]
        if self.label:
            facts.append(("Label", ", ".join(self.label) + self._mark("label")))
        elif self.task == "perturbation" and all(map(WHERE_IMAGED.fits, source.table.columns)):
            facts.append(("Label", f"none known. {no_conditions(source.table)}"))
        else:
            known = f"none known; name one with --label: {_some(self.columns) or 'there is no column'}"
            maps = self.task == "perturbation" and source.plate_map is None and WELL.find(source.table) is not None
            facts.append(("Label", f"{known}; or give a plate map (--plate-map FILE)" if maps else known))
        if self.task == "perturbation":
            known = "none known; name it with --control"
            facts.append(("Control", known if self.control is None else self.control + self._mark("control")))
        by = f"{len(self.plates)} by {self.plate} ({_some(self.plates)})" if self.plate else "none known"
        facts.append(("Plates", by))
        held = _some([f"{column}={value}" for column, values in self.hold_out.items() for value in values])
        facts.append(("Hold out", f"{held}{' (proposed)' * self.proposed}" if held else "nothing"))
        facts += [("", self.drawn.in_words())] if self.drawn is not None else []
        if source.skipped:
            facts += [("Passed over", line) for line in self._passed_over()]
        return facts

    def _passed_over(self) -> list[str]:
        """A line for each reason, with the files' names."""
        by_reason: dict[str, list[str]] = {}
        for path, why in self.source.skipped.items():
            by_reason.setdefault(why, []).append(str(_below(path, self.source.path)))
        return [f"{_some(names)}: {why}" for why, names in by_reason.items()]

    def _mark(self, what: str) -> str:
        return " (guessed)" if what in self.guessed else ""

    def _counts(self) -> list[tuple[str, ...]]:
        head = ("condition", self.source.kind, "plates", "held out", "training")
        return [head] + [
            (
                f"{row.condition}{' (control)' * bool(row.control)}", f"{row.count_:,}",
                f"{row.plates}" if self.plate else "", f"{row.held:,}", f"{row.training:,}",
            )
            for row in self.conditions.rename(columns={"count": "count_"}).itertuples()
        ]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        source = self.source
        return {
            "source": str(source.path),
            "kind": source.kind,
            "count": len(source),
            "channels": list(source.channels),
            "shape": list(source.shape),
            "dtype": str(source.dtype),
            "pixel_size": source.pixel_size,
            "layout": source.layout,
            "masks": source.has_masks,
            "passed_over": [str(path) for path in source.skipped],
            "passed_over_why": dict(Counter(source.skipped.values())),
            "notes": list(source.notes),
            "plate_map": None
            if source.plate_map is None
            else asdict(replace(source.plate_map, said_without_images=())),
            "task": self.task,
            "columns": list(self.columns),
            "label": list(self.label),
            "control": self.control,
            "guessed": sorted(self.guessed),
            "plate_column": self.plate,
            "plates": list(self.plates),
            "conditions": json.loads(self.conditions.to_json(orient="records")),
            "hold_out": {column: list(values) for column, values in self.hold_out.items()},
            "hold_out_proposed": self.proposed,
            "warnings": [{"kind": concern.kind, "message": concern.message} for concern in self.concerns],
        }


def survey_source(
    path: str | Path,
    *,
    task: str = "perturbation",
    label: Sequence[str] = (),
    control: str | None = None,
    hold_out: Mapping[str, Sequence[str]] | None = None,
    segment: str | Segmenter | None = None,
    nuclei_channel: str | None = None,
    choice: LayoutChoice = AS_FOUND,
    watch: Watch = UNWATCHED,
) -> Survey:
    """Open a source, guess what was not said of it, read some cells of every condition, and say what is doubtful.

        print(survey_source("plate/").text())

    Parameters
    ----------
    path
        As `open_source` takes it.
    task
        What a model would be trained for: `perturbation` or `batch`.
    label, control
        Columns that name conditions, and the control's name; guessed where not given.
    hold_out
        Columns and values to hold out; proposed where None. `{"wells": ["half"]}` draws half of the wells of each
        condition, as a training with the seed 0 would.
    segment, nuclei_channel
        How nuclei of whole fields are found; `segment` makes every image a whole field.
    choice
        How the folder is read: its layout, which Z planes and times.
    watch
        Asked whether to stop before every image.

    Raises
    ------
    SourceError, CellsError
        If the source cannot be used as it is.
    ConditionError
        If a label column is missing, or nothing has the control's name.
    """
    looked = look(path, task, "fields" if segment else None, choice, watch=watch)
    source, table = looked.source, looked.source.table
    guessed = {name for name, given in (("label", label), ("control", control)) if not given}
    columns = tuple(label or looked.labels)
    if control is None and task == "perturbation" and columns:
        control = looked.control if columns == looked.labels else guess_control(table, columns)
    conditions = conditions_table(table, columns, control) if columns else NOTHING
    if control is not None and not conditions["control"].any():
        found = _some(list(map(str, conditions["condition"]))) or "not known, as no label is"
        raise ConditionError(
            f"No row of {source.name} has the control's name {control!r}; the conditions are: {found}."
        )
    proposed = hold_out is None
    if hold_out is None:
        held_by, values = default_hold_out(table, columns, control) if columns else ("", ())
        hold_out = {held_by: values} if values else {}
    hold_out, drawn = settled(hold_out, table, columns, control, seed=0)
    concerns: tuple[Concern, ...] = ()
    if columns:
        conditions = conditions_table(table, columns, control, hold_out)
        closer = look_closer(looked, columns, control, hold_out, segment, nuclei_channel, watch=watch)
        concerns = finished(closer).checks
    plate = plate_column(table, columns)
    plates = () if plate is None else tuple(values_of(table, plate))
    held = {column: tuple(map(shortest, values)) for column, values in hold_out.items()}
    return Survey(
        source, task, columns, control, frozenset(guessed), looked.columns, conditions, plate, plates, held, proposed,
        drawn, concerns,
    )  # fmt: skip


def concerns_of(cells: Cells, settings: TrainingSettings) -> tuple[Concern, ...]:
    """Say what is doubtful about cells that a training is to be given, the gravest first."""
    if not cells.label:
        return ()
    rows = np.flatnonzero(cells.mask_where(settings.where))
    held = held_rows(cells.table.iloc[rows].reset_index(drop=True), settings.hold_out)
    return training_concerns(cells, rows, held, perturbed=settings.task == "perturbation")


def _some(names: Sequence[str]) -> str:
    """Name a few, and count the rest."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _below(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path
