"""Masks of the pixels that matter most, from none to all, and images in which only what is under a mask has changed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

SIZES = np.array(
    [0, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.35,
     0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
)  # fmt: skip
"""Sizes of masks, as shares of all pixels of all channels."""


def smoothing(side: int) -> float:
    """Standard deviation in pixels of the Gaussian that attributions and the edges of masks are smoothed with."""
    return side / 48


def growing_masks(attribution: NDArray[np.floating], sizes: NDArray[np.floating] = SIZES) -> NDArray[np.float32]:
    """Masks of the pixels whose smoothed attribution is highest, each of one size, with soft edges.

    A pixel of one channel is taken apart from the same pixel of another: a mask says where, and in which stain.

    Parameters
    ----------
    attribution
        (C, S, S) of one cell, as of `integrated_gradients`.
    sizes
        (K,) shares of all C·S·S pixels, from 0 to 1.

    Returns
    -------
    (K, C, S, S) from 0 to 1; 0 and 1 everywhere for the sizes 0 and 1.
    """
    sd = smoothing(attribution.shape[-1])
    smooth = ndi.gaussian_filter(np.asarray(attribution, np.float64), (0, sd, sd))
    rank = np.empty(smooth.size, np.intp)
    rank[np.argsort(-smooth, axis=None, kind="stable")] = np.arange(smooth.size)
    counts = np.rint(np.asarray(sizes) * smooth.size).astype(np.intp)
    hard = rank.reshape(smooth.shape) < counts[:, None, None, None]
    return np.asarray(ndi.gaussian_filter(hard.astype(np.float32), (0, 0, sd, sd)), np.float32)


def pasted(
    before: NDArray[np.floating], after: NDArray[np.floating], masks: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Images (K, C, S, S): `after` (C, S, S) under each mask (K, C, S, S), and `before` around it."""
    return np.asarray(before + masks * (after - before), np.float32)
