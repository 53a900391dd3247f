"""Crops beside each other as one picture that Qt can draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtGui import QImage

Colours = NDArray[np.uint8]


def crop_strip(crops: Colours, side: int, gap: int, *, columns: int | None = None) -> Colours:
    """Crops (n, S, S, 3) in a row, or in rows of so many, each resized to a side; gaps are transparent: (h, w, 4)."""
    columns = columns or len(crops)
    rows = -(-len(crops) // columns)
    height, width = (count * (side + gap) - gap for count in (rows, min(columns, len(crops))))
    strip = np.zeros((height, width, 4), np.uint8)
    for number, crop in enumerate(crops):
        top, left = (place * (side + gap) for place in divmod(number, columns))
        resized = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.LANCZOS))
        strip[top : top + side, left : left + side] = np.dstack([resized, np.full((side, side), 255, np.uint8)])
    return strip


def rgba_image(pixels: Colours) -> QImage:
    """An image of its own of pixels (h, w, 4)."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
