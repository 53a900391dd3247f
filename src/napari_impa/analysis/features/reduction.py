"""Measurements made ready for a distance: on one scale, without gaps, in as few numbers as carry them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import CellsError

MOST_COMPONENTS = 32
"""Principal components that are kept: well under the cells of a condition, whose covariance they have."""

FURTHEST = 5.0
"""Standard deviations from the middle at which a measurement is cut: one odd cell does not make a direction."""

FEWEST_KNOWN = 0.5
"""Share of the cells that a number must be known of."""


@dataclass(frozen=True, eq=False)
class Reduction:
    """Standardised, gaps filled with the median, cut at `FURTHEST`, and the first principal components of that.

    Principal components as Ljosa et al. (J. Biomol. Screen. 2013) and Caicedo et al. (Nat. Methods 2017) compare
    profiles; the scale is the median and the interquartile range over 1.349, which few odd cells do not move.

    Attributes
    ----------
    kept
        (D,) which numbers are used: those that are known of half the cells and are not the same of all.
    middle, scale
        (d,) of the numbers that are used.
    axes
        (d, k) principal components.
    """

    kept: NDArray[np.bool_]
    middle: NDArray[np.float64]
    scale: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def fit(cls, features: NDArray[np.float64], most: int = MOST_COMPONENTS) -> Reduction:
        """Learn it from real cells.

        Parameters
        ----------
        features
            (N, D), NaN where a number is not known.
        most
            Components that are kept; there are never more than half as many as cells.

        Raises
        ------
        CellsError
            If no number differs between the cells.
        """
        features = np.asarray(features, np.float64)
        known = np.isfinite(features)
        kept = known.mean(0) >= FEWEST_KNOWN if len(features) else np.zeros(features.shape[1], bool)
        some = np.where(known, features, np.nan)[:, kept]
        if some.size:
            low, middle, high = np.nanpercentile(some, [25, 50, 75], axis=0)
            spread = np.nanstd(some, axis=0)
            scale = np.where(high > low, (high - low) / 1.349, spread)
            varies = (spread > 1e-9) & (scale > 1e-9)
            kept[kept] = varies
            middle, scale = middle[varies], scale[varies]
        if not kept.any():
            raise CellsError("No measurement differs between these cells, so there is nothing to compare them by.")
        ready = _standardised(features[:, kept], middle, scale)
        _, _, axes = np.linalg.svd(ready - ready.mean(0), full_matrices=False)
        count = max(1, min(most, len(features) // 2, len(axes)))
        return cls(kept, middle, scale, axes[:count].T)

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, k) of cells (N, D)."""
        return _standardised(np.asarray(features, np.float64)[:, self.kept], self.middle, self.scale) @ self.axes


def _standardised(
    features: NDArray[np.float64], middle: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N, d) without gaps, within `FURTHEST`."""
    ready = np.clip((features - middle) / scale, -FURTHEST, FURTHEST)
    return np.where(np.isfinite(ready), ready, 0.0)
