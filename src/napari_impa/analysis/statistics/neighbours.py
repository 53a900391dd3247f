"""Neighbours: how many make the neighbourhood of a cell, and whether sets of cells have as many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import CellsError

NEAREST = 5
"""Neighbours to which the neighbourhood of a cell reaches, as in Naeem et al. (ICML 2020)."""


def check_neighbours(nearest: int, *sets: NDArray[np.float64]) -> None:
    """Refuse sets of cells among which `nearest` neighbours of each cannot be found.

    Raises
    ------
    CellsError
        If the sets differ in features, one has not more than `nearest` cells, or a feature is not finite.
    """
    shapes = [np.shape(one) for one in sets]
    if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes):
        raise CellsError(f"Sets of cells need the same features to be compared, not shapes {shapes}.")
    fewest = min(shape[0] for shape in shapes)
    if fewest <= nearest:
        raise CellsError(f"{nearest} neighbours need more than {nearest} cells, and there are {fewest}.")
    if not all(np.isfinite(one).all() for one in sets):
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
