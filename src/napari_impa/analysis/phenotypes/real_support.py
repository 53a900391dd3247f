"""Whether predicted cells lie where real ones are, asked of a few cells at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.statistics.neighbours import NEAREST, check_neighbours


class RealSupport:
    """Where real cells are: the balls around each that reach to its k-th nearest real cell.

    The share outside of all is that of `metrics.support.outside_support`, which compares whole sets.

    Parameters
    ----------
    real
        (N, d) measurements of real cells on one scale; NaN counts as the middle.

    Raises
    ------
    CellsError
        If there are not more than k.
    """

    def __init__(self, real: NDArray[np.float64], *, nearest: int = NEAREST) -> None:
        from sklearn.neighbors import NearestNeighbors

        self._real = np.nan_to_num(real)
        check_neighbours(nearest, self._real)
        self._radii = NearestNeighbors(n_neighbors=nearest).fit(self._real).kneighbors()[0][:, -1]

    def outside(self, cells: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) whether each of cells (n, d) lies in no ball."""
        from sklearn.metrics import pairwise_distances

        return np.asarray((pairwise_distances(np.nan_to_num(cells), self._real) >= self._radii).all(1))
