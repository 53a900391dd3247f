"""Cells that are chosen in one dock light up in the others that show cells of the same field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakMethod

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_impa.viewer.layers.found_cells import Found

NEAR = 1.5
"""Pixels that two docks may see the centre of one cell apart."""


@dataclass(frozen=True, eq=False)
class ChosenCells:
    """Cells by where they lie, which is the same whatever crop side and whatever model they are cut for.

    Parameters
    ----------
    layers
        Names of the layers that show them.
    at
        (n, 3) step, row and column, in pixels of the field.
    """

    layers: frozenset[str]
    at: NDArray[np.float64]

    @classmethod
    def of(cls, found: Found, rows: NDArray[np.integer]) -> ChosenCells:
        """Some of the cells that were found; none where they were crops, whose place nobody knows."""
        places = _places(found)
        return cls(frozenset(found.layers.names), np.empty((0, 3)) if places is None else places[rows])

    def rows_in(self, found: Found) -> NDArray[np.intp]:
        """Which of other cells these are; none where they are of other layers."""
        places = _places(found)
        if places is None or not len(self.at) or not len(places) or self.layers != frozenset(found.layers.names):
            return np.empty(0, np.intp)
        away, rows = cKDTree(places).query(self.at)
        return np.unique(rows[away <= NEAR]).astype(np.intp)


def _places(found: Found) -> NDArray[np.float64] | None:
    """(N, 3) step, row and column; steps are so far apart that none is near to another."""
    table = found.cells.table
    if found.field is None:
        return None
    step = table["step"].to_numpy(float) if "step" in table else np.zeros(len(table))
    return np.column_stack([10 * NEAR * step, table[["y", "x"]].to_numpy(float)])


_FOLLOWING: list[WeakMethod[Callable[[ChosenCells], None]]] = []


def follow_chosen(light: Callable[[ChosenCells], None]) -> None:
    """Let a method, which is held weakly, be called with the cells that are chosen in other docks."""
    _FOLLOWING[:] = [held for held in _FOLLOWING if held() is not None]
    _FOLLOWING.append(WeakMethod(light))


def tell_chosen(chosen: ChosenCells, teller: object) -> None:
    """Tell all but the one who tells which cells are chosen."""
    for held in list(_FOLLOWING):
        light = held()
        if light is not None and getattr(light, "__self__", None) is not teller:
            light(chosen)
