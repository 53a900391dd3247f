"""A small colour picture of a large field, made in the background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray

from napari_impa.viewer.layers.sources import Look

SIDE = 480
"""No thumbnail is wider or higher, in pixels."""


def thumbnail(field: NDArray[np.generic], looks: Sequence[Look]) -> NDArray[np.uint8]:
    """Return (h, w, 3) colours of a field (C, H, W): every n-th pixel, as its layers show it, added up."""
    every = max(1, -(-max(field.shape[1:]) // SIDE))
    colours = np.zeros((*field[0, ::every, ::every].shape, 3))
    for plane, look in zip(field[:, ::every, ::every], looks, strict=True):
        low, high = look.contrast_limits
        shown = np.clip((np.nan_to_num(plane.astype(float)) - low) / max(high - low, 1e-12), 0, 1) ** look.gamma
        colours += ensure_colormap(look.colormap).map(shown.ravel())[:, :3].reshape(colours.shape)
    return np.asarray(np.rint(255 * np.clip(colours, 0, 1)), np.uint8)
