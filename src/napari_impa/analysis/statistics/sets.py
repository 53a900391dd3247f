"""Sets of cells: whether they can be compared at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import CellsError


def check_sets(*sets: NDArray[np.float64], fewest: int, what: str) -> None:
    """Refuse sets of cells that cannot be compared.

    Parameters
    ----------
    *sets
        (N, D) features of each.
    fewest
        Cells that each needs.
    what
        What needs them, to begin a sentence.

    Raises
    ------
    CellsError
        If the sets differ in features, one has fewer cells, or a feature is not finite.
    """
    shapes = [np.shape(one) for one in sets]
    if any(len(shape) != 2 or shape[1] != shapes[0][1] for shape in shapes):
        raise CellsError(f"Sets of cells need the same features to be compared, not shapes {shapes}.")
    if min(shape[0] for shape in shapes) < fewest:
        counts = " and ".join(str(shape[0]) for shape in shapes)
        raise CellsError(f"{what} need {fewest} cells or more in each set, and there are {counts}.")
    if not all(np.isfinite(one).all() for one in sets):
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
