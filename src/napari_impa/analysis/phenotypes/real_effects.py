"""What real treated cells of a source say of its conditions: how far they are from control cells, and how many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.phenotypes.control_scale import ControlScale
from napari_impa.analysis.phenotypes.shifts import effect_of, mean_of_known
from napari_impa.cells.store import Cells, shortest
from napari_impa.cells.words import BATCH_LABEL, PLATE, SITE, WELL
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Watch

MOST = 300
"""Real cells of a condition that are measured, evenly spread over all."""

BLOCK = 256


def evenly(rows: NDArray[np.integer], most: int) -> NDArray[np.intp]:
    """At most so many of some rows, evenly spread."""
    rows = np.asarray(rows, np.intp)
    places = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))
    return np.asarray(rows[places], np.intp)


def measured(
    model: IMPA, scale: ControlScale, cells: Cells, rows: NDArray[np.integer], *, watch: Watch = UNWATCHED
) -> NDArray[np.float64]:
    """(n, d) cells at the given rows on the scale, read and measured block by block."""
    out = np.empty((len(rows), len(scale.names)))
    for start in range(0, len(rows), BLOCK):
        watch.check()
        part = rows[start : start + BLOCK]
        out[start : start + len(part)] = scale(model.fit(cells.take(part)).pixels, watch=watch)
    return out


def imaged_together(table: pd.DataFrame) -> NDArray[np.object_]:
    """(N,) a name for what each cell was imaged with: its plate, else its batch; one for all where neither is known."""
    column = PLATE.find(table.columns) or BATCH_LABEL.find(table.columns)
    if column is None:
        return np.full(len(table), "", object)
    names: NDArray[np.object_] = np.asarray(table[column].astype(str), object)
    return names


def real_shifts(
    model: IMPA, scale: ControlScale, cells: Cells, conditions: Sequence[str] | None = None, *, most: int = MOST,
    watch: Watch = UNWATCHED,
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """How far real treated cells of each condition are from the controls of the same plate, (d,) each.

    Parameters
    ----------
    conditions
        Those that are asked for; None for all that are not the control. Those without cells are left out.

    Raises
    ------
    ConditionError
        If no control is named.
    """
    if cells.control is None:
        raise ConditionError("These cells name no control; say which label value is the control.")
    names, control = np.asarray(cells.conditions), cells.is_control
    together = np.asarray(imaged_together(cells.table))
    wanted = sorted(set(names[~control])) if conditions is None else [n for n in conditions if (names == n).any()]
    middles: dict[str, NDArray[np.float64]] = {}
    for one in sorted(set(together[control])):
        rows = evenly(np.flatnonzero(control & (together == one)), most)
        middles[one] = mean_of_known(measured(model, scale, cells, rows, watch=watch), axis=0)
    everywhere = mean_of_known(np.stack(list(middles.values())), axis=0)
    found = {}
    for name in wanted:
        rows = evenly(np.flatnonzero(names == name), most)
        start = np.stack([middles.get(one, everywhere) for one in together[rows]])
        found[name] = mean_of_known(measured(model, scale, cells, rows, watch=watch) - start, axis=0)
    return found


def real_effects(shifts: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """How far real cells of each condition are moved, as `shifts.effect_of` says it."""
    return {name: float(effect_of(shift)) for name, shift in shifts.items()}


def cells_lost(cells: Cells) -> dict[str, float]:
    """log₂ of how many times fewer cells an image of each condition holds than one of controls of the same plate.

    The first thing that a screen sees, without any picture of a cell: 1 is half as many. Empty where no image is named.
    """
    if cells.control is None:
        return {}
    columns = [one for one in (PLATE.find(cells.table.columns), WELL.find(cells.table.columns)) if one]
    site = SITE.find(cells.table.columns) or ("field" if "field" in cells.table else None)
    columns += [site] if site else []
    if not columns:
        return {}
    table = cells.table[columns].astype(str).assign(together=imaged_together(cells.table), condition=cells.conditions)
    counts = table.groupby([*columns, "together", "condition"], sort=True).size().reset_index(name="cells")
    of_control = counts["condition"] == shortest(cells.control)
    if not of_control.any():
        return {}
    base = counts[of_control].groupby("together")["cells"].mean()
    counts["base"] = counts["together"].map(base).fillna(float(base.mean()))
    counts["lost"] = np.log2(counts["base"] / counts["cells"])
    return {str(name): float(lost) for name, lost in counts[~of_control].groupby("condition")["lost"].mean().items()}
