"""What real treated cells of a source say of its conditions: how far they are from control cells, and how many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.phenotypes.control_scale import FEWEST_CONTROLS, ControlScale
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
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:  # fmt: skip
    """How far real treated cells of each condition are from the controls of the same plate, and its chance, (d,) each.

    Chance is the variance of that mean (the cells' over their number), which `effect_of` takes off.

    Parameters
    ----------
    conditions
        Those that are asked for; None for all that are not the control. Those of fewer than 8 cells are left out.

    Raises
    ------
    ConditionError
        If no control is named.
    """
    if cells.control is None:
        raise ConditionError("These cells name no control; say which label value is the control.")
    names, control = np.asarray(cells.conditions), cells.is_control
    together = np.asarray(imaged_together(cells.table))
    asked = sorted(set(names[~control])) if conditions is None else conditions
    wanted = [name for name in asked if (names == name).sum() >= FEWEST_CONTROLS]
    middles: dict[str, NDArray[np.float64]] = {}
    for one in sorted(set(together[control])):
        rows = evenly(np.flatnonzero(control & (together == one)), most)
        middles[one] = mean_of_known(measured(model, scale, cells, rows, watch=watch), axis=0)
    everywhere = mean_of_known(np.stack(list(middles.values())), axis=0)
    found = {}
    for name in wanted:
        rows = evenly(np.flatnonzero(names == name), most)
        start = np.stack([middles.get(one, everywhere) for one in together[rows]])
        away = measured(model, scale, cells, rows, watch=watch) - start
        shift, count = mean_of_known(away, axis=0), np.isfinite(away).sum(0)
        found[name] = shift, mean_of_known((away - shift) ** 2, axis=0) / np.maximum(count - 1, 1)
    return found


def real_effects(shifts: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]) -> dict[str, float]:
    """How far real cells of each condition are moved, as `shifts.effect_of` says it."""
    return {name: float(effect_of(shift, chance)) for name, (shift, chance) in shifts.items()}


def cells_lost(cells: Cells) -> dict[str, float]:
    """log₂ of how many times fewer cells an image of each condition holds than one of controls of the same plate.

    The first thing that a screen sees, without any picture of a cell: 1 is half as many. Empty where no image is named.
    """
    if cells.control is None:
        return {}
    columns = [one for one in (PLATE.find(cells.table.columns), WELL.find(cells.table.columns)) if one]
    plate, well = PLATE.find(cells.table.columns), WELL.find(cells.table.columns)
    site = SITE.find([one for one in cells.table.columns if one != "field"])
    if "field" in cells.table and cells.table["field"].duplicated().any():  # else it names crops
        columns.append("field")
    elif well and site:
        columns.append(site)
    if not columns or columns == [plate]:
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
