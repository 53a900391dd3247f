"""Cells with a nucleus, a body and a neighbour, as measurements with names need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi


def drawn_cells(count: int, channels: int = 3, side: int = 64, seed: int = 0) -> NDArray[np.uint16]:
    """(count, channels, side, side): an oval nucleus in an oval body in the middle, and another cell aside of it."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((side, side)) - side / 2 + 0.5
    out = np.zeros((count, channels, side, side))
    for crop in out:
        for down, across in ((0, 0), rng.uniform(0.35, 0.5, 2) * side * rng.choice([-1, 1], 2)):
            turn, long, wide = rng.uniform(0, np.pi), *np.sort(rng.uniform(0.1, 0.17, 2)) * side
            a = (rows - down) * np.cos(turn) + (columns - across) * np.sin(turn)
            b = (columns - across) * np.cos(turn) - (rows - down) * np.sin(turn)
            away = np.hypot(a / long, b / wide)
            crop[0] += rng.uniform(0.4, 0.8) * (away < 1)
            for number in range(1, channels):
                crop[number] += rng.uniform(0.2, 0.6) * (away < 1.8) * (1 - 0.2 * away)
        crop *= 1 + 0.3 * ndi.gaussian_filter(rng.normal(0, 3, crop.shape), (0, 1.5, 1.5))
        crop += 0.02 + rng.normal(0, 0.01, crop.shape)
    return np.asarray(np.clip(ndi.gaussian_filter(out, (0, 0, 0.7, 0.7)) * 4000 + 200, 0, 65535), np.uint16)
