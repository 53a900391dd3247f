"""Where a stain lies between the middle of a mask and its edge (CellProfiler's MeasureObjectRadialDistribution)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask
from napari_impa.analysis.ratio import ratio_or_nan

RINGS, WEDGES = 4, 8
WHERE = ("in the middle of the", "half way in, within the", "half way out, within the", "at the rim of the")


def radial_distribution(under: UnderMask, from_middle: NDArray[np.float64] | None = None) -> Columns:
    """Share of each channel in four rings, that share over the ring's share of the area, and how uneven a ring is.

    A pixel's ring is its distance from the middle over that and its distance from the edge; the middle is the pixel
    that is farthest from the edge. CellProfiler's unevenness is the coefficient of variation of eight wedges' means.

    Parameters
    ----------
    under
        What is under the mask.
    from_middle
        (n, S, S) distance of pixels from the middle; without it, the way along rows, columns and diagonals, which is
        CellProfiler's own distance where the mask is convex, and less than it where the way leaves the mask.
    """
    middle = _middles(under)
    side = max(1, under.masks.shape[2])
    down, across = under.rows - (middle // side)[under.crop], under.columns - (middle % side)[under.crop]
    if from_middle is None:
        straight, sideways = np.maximum(abs(down), abs(across)), np.minimum(abs(down), abs(across))
        away = straight + (np.sqrt(2) - 1) * sideways
    else:
        away = from_middle.ravel()[under.where]
    to_edge = under.depth.ravel()[under.where]
    ring = (away / (away + to_edge + 0.001) * RINGS).astype(np.intp)
    wedge = (down > 0) + 2 * (across > 0) + 4 * (abs(down) > abs(across))
    cell = (under.crop * RINGS + ring) * WEDGES + wedge
    shape = (len(under.masks), RINGS, WEDGES)
    pixels = np.bincount(cell, minlength=np.prod(shape)).reshape(shape)
    area = pixels.sum(2) / under.count[:, None]
    wedges = np.maximum((pixels > 0).sum(2), 1)
    found: Columns = []
    for name, values in zip(under.channels, under.values, strict=True):
        stain = np.bincount(cell, values, np.prod(shape)).reshape(shape)
        share = ratio_or_nan(stain.sum(2), np.broadcast_to(stain.sum((1, 2))[:, None], shape[:2]))
        means = stain / np.maximum(pixels, 1)
        mean = means.sum(2) / wedges
        uneven = ratio_or_nan(np.sqrt(((means - mean[..., None]) ** 2 * (pixels > 0)).sum(2) / wedges), mean)
        for number, words in enumerate(WHERE):
            numbers = {
                "FracAtD": (f"share {words}", share[:, number]),
                "MeanFrac": (f"density {words}", share[:, number] / (area[:, number] + np.finfo(float).eps)),
                "RadialCV": (f"unevenness {words}", np.nan_to_num(uneven[:, number])),
            }
            for key, (title, value) in numbers.items():
                label = f"RadialDistribution_{key}_{name}_{number + 1}of{RINGS}"
                found.append(under.named("radial distribution", label, f"{name}: {title}", value, name))
    return found


def way_from_middle(under: UnderMask) -> NDArray[np.float64]:
    """(n, S, S) length of the shortest way from the middle that stays under the mask, as CellProfiler takes it."""
    from centrosome.propagate import propagate

    out = np.zeros(under.masks.shape)
    for number, (box, middle) in enumerate(zip(under.boxes, _middles(under), strict=True)):
        if box is not None:
            seed = np.zeros(under.masks.shape[1:], int)
            seed.flat[middle] = 1
            mask, seed = under.masks[number][box], np.ascontiguousarray(seed[box])
            out[number][box] = np.where(mask, propagate(np.zeros(mask.shape), seed, mask, 1)[1], 0)
    return out


def _middles(under: UnderMask) -> NDArray[np.intp]:
    """(n,) position in the flattened crop of the pixel that is farthest from the edge of the mask."""
    return under.depth.reshape(len(under.masks), -1).argmax(1) if under.depth.size else np.zeros(0, np.intp)
