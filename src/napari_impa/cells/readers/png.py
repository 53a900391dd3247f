"""PNG: grey or colour, without its alpha channel; of labels with a table of colours the numbers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image

from napari_impa.cells.readers.image import Image, ImageReader, check_inflated
from napari_impa.errors import SourceError


def _read_png(path: Path, header_only: bool, *, numbers: bool = False) -> Image:
    with open(path, "rb") as file:
        header = file.read(26)
    if len(header) < 26 or header[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG header")
    depth, colour = header[24], header[25]
    if depth == 16 and colour != 0:
        raise SourceError(f"{path} is a 16-bit colour PNG, which cannot be read without loss; save it as TIFF.")
    with PIL.Image.open(path) as image:
        mode = {"LA": "L", "RGBA": "RGB", "P": None if numbers else "RGB"}.get(image.mode)
        if header_only:
            dtype = np.dtype(np.uint16 if depth == 16 else np.uint8)
            bands = 3 if (mode or image.mode) == "RGB" else 1
            pixels = np.broadcast_to(np.zeros((), dtype), (bands, image.height, image.width))
        else:
            check_inflated(path, image.width * image.height * (4 if mode == "RGB" else 2))
            array = np.asarray(image.convert(mode) if mode else image)
            array = array.astype(np.uint16 if depth == 16 else np.uint8)
            pixels = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    return Image(pixels, ("red", "green", "blue") if len(pixels) == 3 else ("",))


PNG = ImageReader("PNG", (".png",), _read_png, read_labels=partial(_read_png, numbers=True))
