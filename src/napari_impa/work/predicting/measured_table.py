"""The table beside predicted cells: a row a cell before and after, where it was, what was done, and its measures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.changes import Changes
from napari_impa.analysis.measurements import SAMPLE, Yardstick
from napari_impa.cells.beside import written_beside
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.prediction import TURNED_INTO
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.workers import ALONE, Workers

BLOCK = 128
"""Cells that are measured at a time."""

CONTROL, INPUT, UNCORRECTED = "control", "input", "uncorrected"
"""What stands in the column `condition` of cells as they are, see `named_before`."""


def named_before(model: IMPA, cells: Cells, rows: NDArray[np.integer]) -> NDArray[np.object_]:
    """(n,) what some cells are called as they are: *control* only those that a label says to be it, else *input*.

    Cells whose batch is corrected are *uncorrected*.
    """
    if model.task == "batch":
        return np.full(len(rows), UNCORRECTED, object)
    known = cells.control is not None and bool(cells.label) and set(cells.label) <= set(cells.table)
    is_control = cells.is_control[rows] if known else np.zeros(len(rows), bool)
    return np.where(is_control, CONTROL, INPUT).astype(object)


def write_measured_table(
    path: Path, model: IMPA, cells: Cells, rows: NDArray[np.integer], predicted: Cells, *, workers: Workers = ALONE,
    watch: Watch = UNWATCHED,
) -> Path:  # fmt: skip
    """Measure cells as they are and as they were predicted, block by block, into one CSV.

    Its columns are `cell` (counted from 1, among those that were turned), `condition`, those of the cells' table, and a
    measure each, as `Yardstick.measure` says; all are measured by what the cells before give as background and
    thresholds.

    Parameters
    ----------
    path
        Of the table; it is there when it is whole.
    model, cells, rows
        What was turned.
    predicted
        What it was turned into, as `predict_into` writes it.
    workers
        Who measures; the numbers are the same to the bit.

    Raises
    ------
    CellsError
        If it cannot be written.
    """
    some = np.unique(np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).round().astype(int))
    yardstick = Yardstick.of(model.fit(cells.take(rows[some])))
    names = Changes(yardstick.columns, np.empty(0), np.empty(0))
    numbers = predicted.table.groupby(TURNED_INTO, sort=False).cumcount().to_numpy() + 1
    before = named_before(model, cells, rows)
    total, done = len(rows) + len(predicted), 0

    def tables() -> Iterator[pd.DataFrame]:
        for part in _parts(len(rows)):
            yield _said(cells.table.iloc[rows[part]], np.arange(1, len(rows) + 1)[part], before[part])
        for part in _parts(len(predicted)):
            table = predicted.table.iloc[part]
            yield _said(table.drop(columns=TURNED_INTO), numbers[part], table[TURNED_INTO])

    def tasks() -> Iterator[tuple[Yardstick, NDArray[Any]]]:
        for part in _parts(len(rows)):
            yield yardstick, model.fit(cells.take(rows[part])).pixels
        for part in _parts(len(predicted)):
            yield yardstick, np.asarray(predicted.pixels[part])

    with written_beside(path) as partial:
        measured = workers.in_order(measure_block, tasks(), watch=watch)
        for table, values in zip(tables(), measured, strict=True):
            whole = pd.concat([table, names.wide(values)], axis=1)
            whole.to_csv(partial, mode="a", index=False, header=done == 0)
            done += len(table)
            watch.report(done, total, "measuring cells")
    return path


def measure_block(yardstick: Yardstick, pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Measure some cells (n, C, S, S)."""
    return yardstick.measure(pixels)


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def _said(table: pd.DataFrame, numbers: NDArray[np.integer], condition: Any) -> pd.DataFrame:
    known = table.drop(columns=[name for name in ("cell", "condition") if name in table])
    first = pd.DataFrame({"cell": numbers, "condition": np.asarray(condition, object)}, index=known.index)
    return pd.concat([first, known], axis=1).reset_index(drop=True)
