"""Open layers as what is trained on: cells cut from them, group by group, each with its condition and plate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels
from numpy.typing import NDArray

from napari_impa.cells.source import Source
from napari_impa.cells.store import Cells, concatenate
from napari_impa.cells.tables import guess_labels, shortest
from napari_impa.errors import CellsError, ConditionError
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.found_cells import CROPS, LABELS
from napari_impa.watch import Token
from napari_impa.work.survey import Looked, looked_at

CONDITION, PLATE = "condition", "plate"
"""Columns of the cells' table that say what was done to them, and with which others they were imaged."""

NAME = "open layers"
_OTHER_SCALE = 0.1  # pixel sizes that differ by more than this share cannot be joined


@dataclass(frozen=True, eq=False)
class CellNaming:
    """What cells are called by: one text for all, or a column of a table.

    Parameters
    ----------
    text
        For all cells, where there is no column.
    by_label
        Values by the label that a cell has in its Labels layer.
    by_row
        One value a cell of a stack.
    """

    text: str = ""
    by_label: Mapping[int, str] | None = None
    by_row: tuple[str, ...] | None = None

    def title(self, name: str) -> str:
        """How a column of this name is offered."""
        return f"{name}: {self.text}" if self.text else f"column {name}"

    def of(self, table: pd.DataFrame) -> NDArray[np.object_]:
        """(n,) name of each cell of a table; empty where there is none."""
        if self.by_label is not None:
            return np.array([self.by_label.get(int(label), "") for label in table["label"]], object)
        if self.by_row is not None:
            return np.array(self.by_row, object)[: len(table)]
        return np.full(len(table), shortest(self.text), object)


def namings(choice: CellChoice) -> dict[str, CellNaming]:
    """What could name the cells of a choice, by column: a Labels layer's features, a stack's table, a layer's metadata.

    A feature belongs to the label in the column `index`, as in napari, or else to the row's own number.
    """
    found: dict[str, CellNaming] = {}
    first = choice.layers[0]
    for name, value in first.metadata.items():
        if isinstance(value, str | Real) and not isinstance(value, bool) and shortest(value):
            found[str(name)] = CellNaming(shortest(value))
    table = first.metadata.get("table")
    if choice.method == CROPS and isinstance(table, pd.DataFrame):
        found |= {str(name): CellNaming(by_row=tuple(map(shortest, table[name]))) for name in table.columns}
    if choice.method == LABELS and isinstance(choice.mask, Labels):
        features = choice.mask.features
        labels = features.get("index", features.index)
        for name in features.columns:
            if name != "index":
                values = zip(labels, features[name], strict=True)
                found[str(name)] = CellNaming(by_label={int(label): shortest(value) for label, value in values})
    return found


def guess_naming(names: Sequence[str], task: str) -> str | None:
    """Guess which of some columns names conditions, or plates (for the task `batch`)."""
    guessed = guess_labels(pd.DataFrame({name: ["a", "b"] for name in names}), "batch" if task == "batch" else task)  # type: ignore[arg-type]
    return guessed[0] if guessed else None


@dataclass(frozen=True, eq=False)
class CellsGroup:
    """Cells cut from one set of layers.

    Parameters
    ----------
    cells
        With the columns `condition` and, where it is known, `plate`.
    unnamed
        How many were left out because no condition is known for them.
    guessed
        Whether nothing but its size says that a stack is one of crops.
    """

    cells: Cells
    unnamed: int = 0
    guessed: bool = False

    def describe(self) -> str:
        """Say in a line what they are: conditions, plate, how many."""
        table = self.cells.table
        names = list(dict.fromkeys(table[CONDITION]))
        text = names[0] if len(names) == 1 else f"{len(names)} conditions"
        if PLATE in table:
            plates = list(dict.fromkeys(table[PLATE]))
            text += f" · {plates[0]}" if len(plates) == 1 else f" · {len(plates)} plates"
        text += f" · {len(table):,} cell{'s' * (len(table) != 1)}"
        text += " · planes taken for crops (guessed)" if self.guessed else ""
        return text + (f" ({self.unnamed:,} without a condition left out)" if self.unnamed else "")


def cut_group(token: Token, plain: tuple[Any, ...], condition: CellNaming, plate: CellNaming | None) -> CellsGroup:
    """Find and cut the cells of a group.

    Parameters
    ----------
    plain
        Of `CellChoice.plain`, for the task `batch`: all cells count, whatever the layers say of them.
    condition, plate
        What names them.

    Raises
    ------
    CellsError, ConditionError
        If there is no cell, or none has a condition.
    """
    found = find_cells(token, *plain)
    cells = found.cells
    kept = [name for name in ("field", "y", "x", "label", "step") if name in cells.table]
    table = cells.table[kept].assign(**{CONDITION: condition.of(cells.table)})
    if plate is not None:
        table[PLATE] = plate.of(cells.table)
    named = (table[CONDITION] != "").to_numpy(bool)
    if not named.any():
        raise ConditionError("No condition is known for any of these cells; choose another column, or type a name.")
    whole = replace(cells, table=table, label=(CONDITION,), control=None)
    return CellsGroup(whole if named.all() else whole.take(named), int((~named).sum()), found.layers.guessed)


def join_groups(groups: Sequence[CellsGroup], task: str) -> Looked:
    """Look at cells of several groups as one source, in memory.

    Raises
    ------
    CellsError
        If the groups differ in channels, crop side, pixel size or type.
    """
    cells = _joined(groups)
    source = Source(
        Path.home() / "napari-impa" / "layers.cells", NAME, "cells", cells.table, cells.channels,
        (cells.size, cells.size), cells.pixels.dtype, cells.pixel_size, {}, NAME, [],
    )  # fmt: skip
    looked = looked_at(source, task)
    return replace(looked, cells=replace(cells, label=looked.labels, control=looked.control))


def _joined(groups: Sequence[CellsGroup]) -> Cells:
    if not groups:
        raise CellsError("There are no cells yet; add those of the open layers.")
    sizes = {group.cells.pixel_size for group in groups} - {None}
    if sizes and max(sizes) > (1 + _OTHER_SCALE) * min(sizes):  # type: ignore[operator, type-var]
        both = f"{min(sizes):.3g} and {max(sizes):.3g}"  # type: ignore[type-var]
        raise CellsError(f"The layers have {both} µm a pixel; resample them, so that cells of all are as large.")
    kinds = list(dict.fromkeys(str(group.cells.pixels.dtype) for group in groups))
    if len(kinds) > 1:
        raise CellsError(
            f"The layers are {kinds[0]} and {kinds[1]}, so that cells of some would be brighter; bring all to one type."
        )
    known: set[str] = set()
    parts = []
    for number, group in enumerate(groups, 1):
        cells = group.cells
        fields = {name: f"{name} ({number})" if name in known else name for name in cells.table["field"].unique()}
        known |= set(fields.values())
        table = cells.table.assign(field=cells.table["field"].map(fields))
        if PLATE not in table and any(PLATE in other.cells.table for other in groups):
            table[PLATE] = ""
        if "step" not in table and any("step" in other.cells.table for other in groups):
            table["step"] = 0
        parts.append(replace(cells, table=table))
    joined = concatenate(parts)
    return replace(joined, history={"layers": sorted(known)})
