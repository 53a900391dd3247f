"""What of a cell a prediction keeps: the area and the place of its nucleus."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from napari_impa.analysis.nucleus_and_ring import central_nucleus_mask
from napari_impa.errors import CellsError

FEWEST = 5
"""Nuclei that a correlation needs."""


def nucleus_kept(before: NDArray[Any], after: NDArray[Any]) -> dict[str, float]:
    """Compare the central nuclei of the same cells before and after.

    Parameters
    ----------
    before, after
        (n, S, S) crops of the nuclear stain; `central_nucleus_mask` finds the nucleus in each.

    Returns
    -------
    `area` and `place`: Spearman's rank correlation over the cells, before against after, of the nucleus's area and of
    its centroid's distance from the crop's centre (the mean of the correlations of rows and columns); NaN where fewer
    than five cells have a nucleus in both. Ranks, because in a few crowded crops in a hundred touching nuclei are
    parted otherwise before and after, which puts the centroid many pixels away and alone decides about Pearson's.

    Raises
    ------
    CellsError
        If the crops differ in shape.
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape or before.ndim != 3:
        raise CellsError(f"Nuclei are compared in crops of one shape, not {before.shape} and {after.shape}.")
    one, other = _measured(central_nucleus_mask(before)), _measured(central_nucleus_mask(after))
    both = np.isfinite(one).all(1) & np.isfinite(other).all(1)
    if both.sum() < FEWEST:
        return {"area": float("nan"), "place": float("nan")}
    area, row, column = (_correlation(one[both, k], other[both, k]) for k in range(3))
    return {"area": area, "place": (row + column) / 2}


def _measured(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, 3) area and centroid of each mask; NaN where it is empty."""
    area = masks.sum((1, 2)).astype(float)
    area[area == 0] = np.nan
    places = np.arange(masks.shape[1])
    return np.stack([area, masks.sum(2) @ places / area, masks.sum(1) @ places / area], axis=1)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)
