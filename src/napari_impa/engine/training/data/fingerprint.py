"""What tells the cells of a training from all others, so that a run goes on with its own alone."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from napari_impa.cells.reading import read_pixels
from napari_impa.engine.training.data.training_cells import TrainingCells

LOOKED_AT = 64 << 20
"""Bytes of pixels that are looked at; of more, the pixels of cells at even distances."""


def fingerprint(data: TrainingCells) -> dict[str, Any]:
    """Digests of every cell's label and part in the training, in their order, and of pixels; the intensity limits.

    Returns
    -------
    dict
        `labels`, `pixels` and `limits`, JSON-able.
    """
    pixels, labels = data.pixels, data.labels
    count = max(2, LOOKED_AT // max(1, int(np.prod(pixels.shape[1:])) * pixels.dtype.itemsize))
    rows = np.unique(np.linspace(0, len(pixels) - 1, min(count, len(pixels))).astype(np.intp))
    seen = hashlib.sha256(f"{pixels.shape} {pixels.dtype.newbyteorder('<').str}".encode())
    some = np.ascontiguousarray(read_pixels(pixels, rows), pixels.dtype.newbyteorder("<"))
    seen.update(some.view(np.uint8).data)
    return {"labels": labels.digest(), "pixels": seen.hexdigest()[:32], "limits": np.asarray(data.limits).tolist()}
