"""NumPy's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_impa.cells.readers.image import Image, ImageReader, by_shape
from napari_impa.errors import SourceError


def _read_npy(path: Path, header_only: bool) -> Image:
    array = np.load(path, mmap_mode="r" if header_only else None, allow_pickle=False)
    if array.dtype.kind not in "buif":
        raise SourceError(f"{path} holds no image: its values are of type {array.dtype}.")
    pixels = by_shape(array, path)
    return Image(pixels, ("",) * len(pixels))


NPY = ImageReader("NPY", (".npy",), _read_npy)
