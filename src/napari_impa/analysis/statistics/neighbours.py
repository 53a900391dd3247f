"""Neighbours: how many make the neighbourhood of a cell, and whether sets of cells have as many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.statistics.sets import check_sets

NEAREST = 5
"""Neighbours to which the neighbourhood of a cell reaches, as in Naeem et al. (ICML 2020)."""


def check_neighbours(nearest: int, *sets: NDArray[np.float64]) -> None:
    """Refuse sets of cells among which `nearest` neighbours of each cannot be found.

    Raises
    ------
    CellsError
        If the sets differ in features, one has not more than `nearest` cells, or a feature is not finite.
    """
    check_sets(*sets, fewest=nearest + 1, what=f"{nearest} neighbours")
