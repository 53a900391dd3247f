"""Stacks that the dock shows: one cell under every condition, and under a condition at every strength."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_impa.viewer.explore.explored_cells import ExploredCells
from napari_impa.viewer.layers.as_layers import LayerData, cells_layers
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari_impa.cells.store import Cells

STRENGTHS = tuple(round(0.25 * step, 2) for step in range(9))
"""Steps of a sweep, 0 the cell as it is."""

GAP = 1.05
"""How far real cells are to the right of predicted ones, in widths of a crop."""


def condition_strip(token: Token, explored: ExploredCells, row: int) -> list[LayerData]:
    """A cell as it is, then under every condition, as stacks."""
    model = explored.loaded.model
    cell = model.fit(explored.cells.take([row]))
    parts = [cell]
    for target in explored.targets:
        token.check()
        parts.append(model.predict(cell, target))
    return _layers(parts, f"cell {row + 1} under all conditions · ")


def strength_sweep(token: Token, explored: ExploredCells, row: int, condition: str) -> list[LayerData]:
    """A cell under a condition of growing strength, as stacks, and real cells of the condition beside it.

    Those are other cells, one a step, and begin again where there are fewer.
    """
    model, cells = explored.loaded.model, explored.cells
    cell = model.fit(cells.take([row]))
    parts = []
    for strength in STRENGTHS:
        token.check()
        parts.append(model.predict(cell, condition, strength=strength))
    title = f"cell {row + 1} · {condition} · strength 0 to 2 · "
    layers = _layers(parts, title)
    if condition in explored.conditions:
        real = np.resize(np.flatnonzero(cells.conditions == condition), len(STRENGTHS))
        layers += _beside(_layers([model.fit(cells.take([int(one)])) for one in real], f"real {condition} · "), layers)
    return layers


def _beside(right: list[LayerData], left: list[LayerData]) -> list[LayerData]:
    """Shift stacks to the right of others, a gap between them, with the same contrast."""
    moved = []
    for (pixels, options, kind), (_, before, _) in zip(right, left, strict=True):
        step = GAP * pixels.shape[-1] * options["scale"][-1]
        translate = (*options["translate"][:-1], options["translate"][-1] + step)
        changed = {"translate": translate, "contrast_limits": before["contrast_limits"]}
        moved.append((pixels, {**options, **changed}, kind))
    return moved


def save_profiles(token: Token, explored: ExploredCells, path: Path) -> Path:
    """Write what the cells measure."""
    from napari_impa.work.exploring.profile import write_profiles

    return write_profiles(path, explored.cells, model=explored.loaded.model, overwrite=True, watch=token)


def _layers(parts: list[Cells], prefix: str) -> list[LayerData]:
    from napari_impa.cells.store import concatenate

    same = [replace(part, history={}) for part in parts]
    return cells_layers(concatenate(same), prefix)
