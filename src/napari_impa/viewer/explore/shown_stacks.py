"""Stacks that the dock shows: one cell under every condition, at every strength of one, and at every dose."""

from __future__ import annotations

import re
from collections.abc import Sequence
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

_DOSE = re.compile(r" (\d+(?:\.\d+)?)$")

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


def doses_of(conditions: Sequence[str], condition: str) -> tuple[str, ...]:
    """The conditions of one compound at all its doses, the lowest first; empty where it has one dose, or none.

    >>> doses_of(["taxol 10", "DMSO", "taxol 2.5", "nocodazole 1"], "taxol 10")
    ('taxol 2.5', 'taxol 10')
    """
    compound = _DOSE.sub("", condition)
    doses = {
        float(found[1]): one for one in conditions if (found := _DOSE.search(one)) and one[: found.start()] == compound
    }
    return tuple(doses[dose] for dose in sorted(doses)) if len(doses) > 1 else ()


def dose_sweep(token: Token, explored: ExploredCells, row: int, condition: str) -> list[LayerData]:
    """A cell as it is, then under each dose of a condition's compound, as stacks, and real cells of them beside it."""
    model, cells = explored.loaded.model, explored.cells
    doses = doses_of(model.conditions, condition)
    cell = model.fit(cells.take([row]))
    parts = [cell]
    for dose in doses:
        token.check()
        parts.append(model.predict(cell, dose))
    layers = _layers(parts, f"cell {row + 1} · {', '.join(doses)} · ")
    if set(doses) <= set(explored.conditions):
        real = [np.flatnonzero(cells.conditions == dose)[0] for dose in doses]
        beside = [cell, *(model.fit(cells.take([int(one)])) for one in real)]
        layers += _beside(_layers(beside, f"real {', '.join(doses)} · "), layers)
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
