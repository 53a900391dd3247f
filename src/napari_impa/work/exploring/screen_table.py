"""The table of a screen or a ranking: a row a condition, the first the one that moves cells most, or as is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from napari_impa.analysis.phenotypes.control_scale import ControlScale
from napari_impa.analysis.phenotypes.real_effects import cells_lost, real_effects, real_shifts
from napari_impa.analysis.phenotypes.shifts import Shifts, direction, likeness, moved_most
from napari_impa.analysis.phenotypes.structures import (
    fingerprints,
    guessed_by_descriptors,
    guessed_by_neighbour,
    leaders,
    physicochemical,
)
from napari_impa.cells.store import Cells
from napari_impa.cells.words import SMILES
from napari_impa.engine.describing.fingerprint import tanimoto
from napari_impa.engine.describing.new_condition import NewCondition, Target, name_of
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError, MissingDependencyError
from napari_impa.watch import UNWATCHED, Watch

SAME_PHENOTYPE, SAME_STRUCTURE = 0.8, 0.4
"""Cosine of shifts, and Tanimoto similarity, from which two conditions are of one cluster."""

RANKINGS = {
    "effect": "predicted",
    "cells_lost": "cell count",
    "by_descriptors": "physicochemical descriptors",
    "by_neighbour": "nearest neighbour (Tanimoto)",
}
"""Columns that rank conditions: what is predicted, and what it has to beat; with what they are called."""


def screen_table(
    targets: Sequence[Target], shifts: Shifts, scale: ControlScale, model: IMPA, cells: Cells, *,
    wanted: str | None = None, watch: Watch = UNWATCHED,
) -> pd.DataFrame:  # fmt: skip
    """Make the table of what was measured.

    Its columns are

    - `rank`, `condition`, `smiles` (where known), `in_training`: whether the model was trained on it;
    - `likeness` and `direction`, where a phenotype is wanted (`shifts.likeness`, `shifts.direction`): it ranks by the
      first then, else by `effect`;
    - `effect` with `error`: how far cells are moved, in standard deviations of control cells (`Shifts`);
    - `spread` (how far the noise alone moves a cell), `sureness` (effect over both), `outside` (share of cells like no
      real one of the source);
    - `moved_most`: the measurements that move most;
    - beside it, where the source holds real cells of conditions: `real_effect`; `cells_lost` (log₂ of how many times
      fewer cells there are); and what structures alone would say of the effect, each from the other compounds' real
      effects: `by_descriptors`, `by_neighbour`;
    - `phenotype` and `structure`: clusters of what is alike in either, 1 the one of the first row.
    """
    names = [name_of(target) for target in targets]
    real = _real(model, scale, cells, names, wanted, watch)
    table = pd.DataFrame({
        "condition": names, "smiles": _smiles(targets, cells), "in_training": [n in model.conditions for n in names],
    })  # fmt: skip
    if wanted is not None:
        table["likeness"] = likeness(shifts.shift, real[wanted][0])
        table["direction"] = direction(shifts.shift, real[wanted][0])
    table["effect"], table["error"], table["spread"] = shifts.effect, shifts.error, shifts.spread
    table["sureness"], table["outside"] = shifts.sureness, shifts.outside
    table["moved_most"] = moved_most(shifts.shift, scale.names)
    effects, lost = real_effects(real), cells_lost(cells) if cells.label else {}
    table["real_effect"] = [effects.get(name, np.nan) for name in names]
    table["cells_lost"] = [lost.get(name, np.nan) for name in names]
    table["by_descriptors"], table["by_neighbour"], prints = _by_structure(table)
    first = "effect" if wanted is None else "likeness"
    order = np.lexsort((np.arange(len(names)), -np.nan_to_num(table[first].to_numpy(float), nan=-np.inf)))
    table = table.iloc[order].reset_index(drop=True)
    table["phenotype"] = leaders(np.nan_to_num(shifts.shift[order]), lambda one, heads: direction(heads, one),
                                 SAME_PHENOTYPE)  # fmt: skip
    table["structure"] = leaders(prints[order], tanimoto, SAME_STRUCTURE) if prints is not None else 0
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.round({name: 6 for name in table.columns if table[name].dtype.kind == "f"})


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation of each of `RANKINGS` with the real effect, over the conditions with real cells.

    Its columns are `ranking`, `conditions` and `spearman`; no row where fewer than 3 conditions have real cells.
    """
    rows: list[dict[str, Any]] = []
    for column, title in RANKINGS.items():
        known = table[[column, "real_effect"]].dropna()
        if len(known) >= 3 and known[column].nunique() > 1:
            found = spearmanr(known[column], known["real_effect"]).statistic
            rows.append({"ranking": title, "conditions": len(known), "spearman": round(float(found), 3)})
    return pd.DataFrame(rows, columns=["ranking", "conditions", "spearman"])


def _real(
    model: IMPA, scale: ControlScale, cells: Cells, names: Sequence[str], wanted: str | None, watch: Watch
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if cells.control is None or not cells.label or not cells.is_control.any():
        if wanted is not None:
            raise ConditionError("A wanted phenotype needs control cells beside it; say which label is the control.")
        return {}
    asked = dict.fromkeys([*names, *([wanted] if wanted is not None else [])])
    return real_shifts(model, scale, cells, list(asked), watch=watch)


def _smiles(targets: Sequence[Target], cells: Cells) -> list[str]:
    """Structures that were given, or that the source's table names."""
    column = SMILES.find(cells.table.columns)
    known: dict[str, str] = {}
    if column is not None and cells.label:
        pairs = pd.DataFrame({"name": cells.conditions, "smiles": cells.table[column].to_numpy()}).dropna()
        known = dict(zip(pairs["name"], pairs["smiles"].astype(str), strict=True))
    return [
        str(target.smiles or "") if isinstance(target, NewCondition) else known.get(target, "") for target in targets
    ]


def _by_structure(
    table: pd.DataFrame,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Effects guessed by descriptors and by neighbours, and fingerprints (NaN of conditions without a structure)."""
    count = len(table)
    guessed, nearest = np.full(count, np.nan), np.full(count, np.nan)
    rows = np.flatnonzero(table["smiles"] != "")
    if not len(rows):
        return guessed, nearest, None
    smiles, known = list(table["smiles"].iloc[rows]), table["real_effect"].to_numpy(float)[rows]
    try:
        prints = fingerprints(smiles)
        guessed[rows] = guessed_by_descriptors(physicochemical(smiles), known)
    except (ConditionError, MissingDependencyError):  # a table may hold what is no structure
        return guessed, nearest, None
    nearest[rows] = guessed_by_neighbour(prints, known)
    whole = np.full((count, prints.shape[1]), np.nan)
    whole[rows] = prints
    return guessed, nearest, whole
