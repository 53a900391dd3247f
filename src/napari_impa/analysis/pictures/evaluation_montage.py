"""A picture of what `evaluate` scores: of each condition control, predicted and real cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_impa.analysis.pictures.composite import display_limits
from napari_impa.analysis.pictures.montage import MontageRow, montage, save_montage
from napari_impa.analysis.selection import select_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA

MOST_CONDITIONS = 12
"""Conditions that are shown."""


def evaluation_rows(
    model: IMPA,
    cells: Cells,
    *,
    where: Mapping[str, Any] | None = None,
    conditions: Sequence[str] | None = None,
    count: int = 8,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
) -> list[MontageRow]:
    """For each condition a row of control cells, the same cells predicted, and other, real cells of the condition.

    Cells are drawn at random, by the seed alone, out of those that `evaluate` scores.
    """
    chosen = select_cells(model, cells, where, seed=seed)
    rng = np.random.default_rng([seed, 5])
    before = "uncorrected" if chosen.control is None else "control"
    rows: list[MontageRow] = []
    for condition in (conditions or chosen.conditions)[:MOST_CONDITIONS]:
        # The same draw for every condition: the controls are the same cells throughout.
        sources = chosen.sources(condition)
        picked = np.random.default_rng([seed, 6]).permutation(len(sources))[:count]
        control = chosen.take(sources[picked])
        predicted = model.predict(control, condition, strength=strength, variability=variability, seed=seed)
        real = chosen.take(rng.permutation(chosen.real(condition))[:count])
        rows += [
            (before, control.pixels),
            (f"predicted {condition}", predicted.pixels),
            (f"real {condition}", real.pixels),
        ]
    return rows


def save_evaluation_montage(
    path: str | Path,
    model: IMPA,
    cells: Cells,
    *,
    where: Mapping[str, Any] | None = None,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    count: int = 8,
    split: bool = False,
) -> Path:
    """Save control, predicted and real treated cells of each condition (at most 12), on the contrast of the real cells.

    Raises
    ------
    ConditionError, ModelError
        As `evaluate`.
    CellsError
        If the file cannot be written.
    """
    rows = evaluation_rows(
        model, cells, where=where, count=count, strength=strength, variability=variability, seed=seed
    )
    limits = display_limits(np.concatenate([pixels for number, (_, pixels) in enumerate(rows) if number % 3 != 1]))
    return save_montage(path, montage(rows, model.channels, limits, group=3, split=split))
