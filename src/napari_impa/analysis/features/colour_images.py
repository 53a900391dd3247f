"""Cells as the colour images that networks trained on photographs take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.space import checked_crops


def colour_images(pixels: NDArray[Any], limits: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Make 8-bit images of three channels of cells.

    Three channels are one colour image, red, green and blue in their order, as published scores of three stains have
    it (BBBC021 among them); besides, each channel alone is a grey one, its values three times, so that a
    channel that fails cannot hide behind the others. Any other number of channels gives the grey images alone.

    Parameters
    ----------
    pixels
        (n, C, S, S) in the camera's units; NaN counts as the lower limit.
    limits
        (C, 2) lower and upper intensity of each channel, which become 0 and 255; what is beyond is clipped.

    Returns
    -------
    (n, K, 3, S, S) with K = 4 for three channels, else C.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    """
    pixels, limits = checked_crops(pixels, limits)
    lower, span = limits[:, 0, None, None], limits[:, 1, None, None] - limits[:, 0, None, None]
    scaled = np.clip(np.nan_to_num((pixels - lower) / span, nan=0.0), 0, 1)
    grey = np.rint(255 * scaled).astype(np.uint8)
    images = np.repeat(grey[:, :, None], 3, axis=2)
    return np.concatenate([grey[:, None], images], axis=1) if pixels.shape[1] == 3 else images
