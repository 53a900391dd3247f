"""A small colour picture of a large field, made in the background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.pictures.composite import mixed, shown_between
from napari_impa.viewer.layers.sources import Look, pure_colours

SIDE = 480
"""No thumbnail is wider or higher, in pixels."""


def thumbnail(field: NDArray[np.generic], looks: Sequence[Look]) -> NDArray[np.uint8]:
    """Return (h, w, 3) colours of a field (C, H, W): every n-th pixel, its channels mixed as in all pictures."""
    every = max(1, -(-max(field.shape[1:]) // SIDE))
    small = field[:, ::every, ::every]
    limits = np.array([look.contrast_limits for look in looks])
    shown = shown_between(small, limits) ** np.array([look.gamma for look in looks], np.float32)[:, None, None]
    picture: NDArray[np.uint8] = mixed(shown[None], pure_colours(looks))[0]
    return picture
