"""Where the nucleus and the body of the cell at the centre of a crop are: what measurements with names are taken in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_impa.analysis.nucleus_and_ring import FLAT, central_nucleus_and_others

SMOOTHING = 1.5
"""Pixels, of the stains that show the body."""

FAINTEST, BRIGHTEST = 0.02, 0.075
"""Between these shares of the channels' range lies the threshold that parts cells from bare ground.

Li's threshold of a crop that is full of cells would part bright cytoplasm from less bright; bounds on an automatic
threshold are CellProfiler's remedy, too.
"""

BINS, ROUNDS = 256, 12


@dataclass(frozen=True, eq=False)
class CellMasks:
    """Masks (n, S, S) of n crops.

    Parameters
    ----------
    nucleus
        The nucleus at the centre; empty where there is none near it.
    cell
        The body of the same cell, its nucleus included. Where there is no nucleus, what lies under the centre.
    covered
        Whatever is not bare ground: this cell and others.
    """

    nucleus: NDArray[np.bool_]
    cell: NDArray[np.bool_]
    covered: NDArray[np.bool_]


def scaled_crops(pixels: NDArray[Any], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Crops (n, C, S, S) with each channel's lower limit as 0 and its upper one as 1.

    What is below the lower limit counts as 0, as does what is not finite: fractions of a stain make no sense where
    some of it is negative. What is above the upper limit, often the 99.8 % quantile, is kept: how bright the
    brightest spots are is a measurement.
    """
    lower, span = limits[:, 0, None, None], (limits[:, 1] - limits[:, 0])[:, None, None]
    scaled = (np.asarray(pixels, np.float64) - lower) / span
    return np.maximum(np.where(np.isfinite(scaled), scaled, 0.0), 0.0)


def find_masks(scaled: NDArray[np.float64], nuclei: int) -> CellMasks:
    """Find nucleus and body of the cell at the centre of each crop.

    The nucleus is that of `central_nucleus_mask`. Cells are where the smoothed mean of the other channels (of the same
    one, where it is the only one) is above a threshold (Li & Tam 1998, within bounds), and the nuclei; the body is
    what of them is joined to the nucleus and is nearer to it than to any other nucleus.

    Parameters
    ----------
    scaled
        (n, C, S, S) as `scaled_crops` gives them.
    nuclei
        Number of the channel that shows nuclei.
    """
    own, others = central_nucleus_and_others(scaled[:, nuclei])
    stains = np.delete(scaled, nuclei, axis=1) if scaled.shape[1] > 1 else scaled
    body = ndi.gaussian_filter(stains.mean(1), (0, SMOOTHING, SMOOTHING)) if len(scaled) else stains.mean(1)
    covered = (body > np.clip(_li(body), FAINTEST, BRIGHTEST)[:, None, None]) | own | others
    near = covered.copy()
    for mask, mine, foreign in zip(near, own, others, strict=True):
        if mine.any() and foreign.any():
            rows, columns = ndi.distance_transform_edt(~(mine | foreign), return_distances=False, return_indices=True)
            mask &= mine[rows, columns]
        elif not mine.any():
            mask &= ~foreign
    return CellMasks(own, _under_centre(near, own), covered)


def _under_centre(near: NDArray[np.bool_], own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of masks (n, S, S), the part that holds the nucleus or, without one, the centre."""
    parts, count = ndi.label(near, FLAT)
    centre = near.shape[-1] // 2
    wanted = np.zeros(count + 1, bool)
    wanted[parts[own]] = True
    lone = ~own.any((1, 2))
    wanted[parts[lone, centre, centre]] = True
    wanted[0] = False
    return np.asarray(wanted[parts])


def _li(crops: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) threshold of least cross entropy of each crop (Li & Tam, Pattern Recognition Letters 19, 1998)."""
    if not crops.size:
        return np.zeros(len(crops))
    flat = crops.reshape(len(crops), -1)
    low, high = flat.min(1)[:, None], flat.max(1)[:, None]
    width = np.where(high > low, high - low, 1.0) / BINS
    bins = np.minimum(((flat - low) / width).astype(np.intp), BINS - 1) + BINS * np.arange(len(crops))[:, None]
    counts = np.bincount(bins.ravel(), minlength=BINS * len(crops)).reshape(len(crops), BINS)
    # Intensities are counted from the darkest pixel, as the logarithm needs; half a bin, so that none is zero.
    centres = width * (np.arange(BINS) + 0.5)
    number, total = counts.cumsum(1), (counts * centres).cumsum(1)
    threshold = total[:, -1:] / number[:, -1:]
    for _ in range(ROUNDS):
        at = np.clip((threshold / width).astype(np.intp), 0, BINS - 2)
        below, above = np.take_along_axis(number, at, 1), np.take_along_axis(total, at, 1)
        dark = above / np.maximum(below, 1)
        light = (total[:, -1:] - above) / np.maximum(number[:, -1:] - below, 1)
        apart = (light > dark) & (dark > 0)
        ratio = np.where(apart, np.log(np.where(apart, light, 2.0) / np.where(apart, dark, 1.0)), 1.0)
        threshold = np.where(apart, (light - dark) / ratio, threshold)
    return np.asarray((threshold + low)[:, 0])
