"""How much of a stain is in spots of each size (CellProfiler's MeasureGranularity), of many crops at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask

EVERY = 2
"""Pixel that is looked at: spots of a crop are a few pixels wide; CellProfiler looks at every fourth of a field."""

BACKGROUND = 5
"""Radius in pixels of the halved crop of what is taken for background."""

STEPS = 4

LOOK = 4
"""Steps of growing back between two looks at which crops have ended."""

CROSS = ndi.generate_binary_structure(2, 1)[None]
DISK = (np.add.outer(np.arange(-BACKGROUND, BACKGROUND + 1) ** 2, np.arange(-BACKGROUND, BACKGROUND + 1) ** 2))[None]
DISK = DISK <= BACKGROUND**2


class Granules:
    """What is left of each channel of crops after spots of each size were taken away.

    Parameters
    ----------
    scaled
        (n, C, S, S).
    """

    def __init__(self, scaled: NDArray[np.float64]) -> None:
        down, across = (EVERY * (side // EVERY) for side in scaled.shape[2:])
        halved = scaled[:, :, :down:EVERY, :across:EVERY]
        flat = halved.reshape(-1, *halved.shape[2:]).astype(np.float32)
        self.left: list[NDArray[np.float64]] = []
        if not flat.size:
            self.left = [halved] * STEPS
            return
        ground = ndi.grey_dilation(ndi.grey_erosion(flat, footprint=DISK), footprint=DISK)
        left = eroded = np.maximum(flat - ground, 0)
        for _ in range(STEPS):
            eroded = ndi.grey_erosion(eroded, footprint=CROSS)
            left = _grown_back(eroded, left)  # what grows back from less is within what grew back from more
            self.left.append(left.reshape(halved.shape).astype(np.float64))


def granularity(under: UnderMask, granules: Granules) -> Columns:
    """Per cent of each channel that is in spots of one to four steps, relative to its mean under the mask."""
    found: Columns = []
    weight = _weights(under.masks) / under.count[:, None, None]
    for number, name in enumerate(under.channels):
        before, whole = under.means[number], np.maximum(under.means[number], np.finfo(float).eps)
        for step, left in enumerate(granules.left, 1):
            after = (weight * left[:, number]).sum((1, 2))
            words = f"{name}: share in spots of size {step} in the"
            value = (before - after) * 100 / whole
            found.append(under.named("texture", f"Granularity_{step}_{name}", words, value, name))
            before = after
    return found


def _grown_back(eroded: NDArray[np.float32], spots: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reconstruction by dilation of crops (n, s, s), each for itself.

    Step by step for all crops at once: a queue of pixels, one crop after the other, takes twice as long.
    """
    out, growing, now = np.empty_like(eroded), np.arange(len(eroded)), eroded
    while len(growing):
        for _ in range(LOOK):
            before, now = now, now.copy()
            np.maximum(now[:, 1:], before[:, :-1], out=now[:, 1:])
            np.maximum(now[:, :-1], before[:, 1:], out=now[:, :-1])
            np.maximum(now[:, :, 1:], before[:, :, :-1], out=now[:, :, 1:])
            np.maximum(now[:, :, :-1], before[:, :, 1:], out=now[:, :, :-1])
            np.minimum(now, spots, out=now)
        grown = (now != before).any((1, 2))
        out[growing[~grown]] = now[~grown]
        growing, now, spots = growing[grown], now[grown], spots[grown]
    return out


def _weights(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, s, s) how much a pixel of the halved crop counts in the mask: between its pixels one goes in proportion."""
    down, across = (_between(side) for side in masks.shape[1:])
    return np.asarray(down.T @ masks.astype(np.float64) @ across)


def _between(side: int) -> NDArray[np.float64]:
    """(side, side // 2) weights that make a row of a crop out of one of the halved crop."""
    count = side // 2
    at = np.arange(side) * ((count - 1) / (side - 1))
    lower = np.minimum(at.astype(np.intp), count - 1)
    out = np.zeros((side, count))
    np.add.at(out, (np.arange(side), lower), 1 - (at - lower))
    np.add.at(out, (np.arange(side), np.minimum(lower + 1, count - 1)), at - lower)
    # What lies past the last pixel by rounding counts as nothing, as in CellProfiler's interpolation.
    out[at > count - 1] = 0
    return out
