"""Features on one scale: those of several sets of cells, in units in which the cells of a reference spread alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import CellsError

MOST_MISSING = 0.5
"""Of a reference's cells, the share in which a feature may be missing."""


def scaled_features(reference: NDArray[np.float64], *sets: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Bring features to mean 0 and standard deviation 1 over the reference's cells.

    Neighbours are told by distances, in which a feature in square pixels would drown one between 0 and 1.

    Parameters
    ----------
    reference
        (N, D) features of the cells that say what the scale is; usually real ones.
    sets
        (M, D) features of other cells.

    Returns
    -------
    The reference and the sets, (…, K) each: without features that are missing in over half of the reference's cells or
    the same in all; where one is missing in a cell, the reference's mean.

    Raises
    ------
    CellsError
        If the sets differ in features, or no feature is left.
    """
    sets = tuple(np.asarray(one, np.float64) for one in (reference, *sets))
    if any(one.ndim != 2 or one.shape[1] != sets[0].shape[1] for one in sets):
        shapes = ", ".join(str(one.shape) for one in sets)
        raise CellsError(f"Sets of cells need the same features to be compared, not shapes {shapes}.")
    there = np.isfinite(sets[0])
    taken = there.mean(0) >= 1 - MOST_MISSING if len(there) else np.zeros(there.shape[1], bool)
    values = np.where(there, sets[0], np.nan)[:, taken]
    mean, sd = np.nanmean(values, 0), np.nanstd(values, 0)
    differs = sd > 1e-9 * np.abs(mean)
    if not differs.any():
        raise CellsError("No feature differs between the cells, so they cannot be told apart.")
    mean, sd = mean[differs], sd[differs]
    scaled = ((one[:, taken][:, differs] - mean) / sd for one in sets)
    return tuple(np.where(np.isfinite(one), one, 0.0) for one in scaled)
