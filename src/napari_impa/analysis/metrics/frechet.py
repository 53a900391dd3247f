"""Fréchet distance between two sets of cells in feature space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import CellsError


def frechet_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Squared Fréchet distance of the normal distributions with the means and covariances of `a` and `b`.

    |μa − μb|² + tr(Σa + Σb − 2 (Σa^½ Σb Σa^½)^½), Dowson & Landau (J. Multivariate Anal. 1982), used for images by
    Heusel et al. (NeurIPS 2017). Square roots are those of the eigenvalues of symmetric matrices, so that covariances
    of fewer cells than features do no harm; but the fewer the cells, the larger the estimate (Chong & Forsyth, CVPR
    2020): compare only distances taken from equally many cells.

    Parameters
    ----------
    a, b
        (N, D) and (M, D) features of two sets of cells.

    Returns
    -------
    0 for equal means and covariances, never negative.

    Raises
    ------
    CellsError
        If a set has fewer than two cells, the sets differ in features, or a feature is not finite.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise CellsError(
            f"Two sets of cells need the same features to be compared, not shapes {a.shape} and {b.shape}."
        )
    if min(len(a), len(b)) < 2:
        raise CellsError(f"A Fréchet distance needs two cells or more on either side, not {len(a)} and {len(b)}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
    cov_a, cov_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    values, vectors = np.linalg.eigh(cov_a)
    root_a = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    product = root_a @ cov_b @ root_a
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh((product + product.T) / 2), 0, None)).sum()
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return max(0.0, float(means + np.trace(cov_a) + np.trace(cov_b) - 2 * overlap))
