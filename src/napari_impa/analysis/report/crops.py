"""Cells as pictures inside the page: composites and single channels as JPEG in data URIs, and what mattered in them."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from napari_impa.analysis.pictures.composite import shown_between

OUTLINE = (255, 255, 255)
"""Colour of the outline of what mattered."""

SIDE = 128
"""Most pixels from the top of a picture to its bottom; higher ones are made smaller."""


QUALITY = 92
"""Of JPEG: differences from the picture itself are not seen."""


def picture_uri(picture: NDArray[np.uint8]) -> str:
    """A picture (h, w, 3) or (h, w) as a JPEG in a data URI, at most `SIDE` pixels high; PNG takes twice the room."""
    image = Image.fromarray(picture)
    if image.height > SIDE:
        image = image.resize((round(image.width * SIDE / image.height), SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"


def svg_uri(svg: str) -> str:
    """An SVG in a data URI."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def outlined(pictures: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Draw the outline of each mask (n, S, S) over its picture (n, S, S, 3), one pixel wide, inside the mask."""
    drawn = pictures.copy()
    for picture, mask in zip(drawn, masks, strict=True):
        picture[mask & ~binary_erosion(mask)] = OUTLINE
    return drawn


def channel_strip(pixels: NDArray[Any], limits: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Channels of one cell (C, S, S) side by side in grey, (S, C · S + C − 1), on the limits (C, 2) of each."""
    grey = np.asarray((shown_between(pixels, limits) * 255).round(), np.uint8)
    framed = np.pad(grey, ((0, 0), (0, 0), (0, 1)), constant_values=255)
    return np.concatenate(list(framed), axis=1)[:, :-1]
