"""What a reader gives: an image as (channels, rows, columns); and how other orders of axes become that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import SourceError

MAX_CHANNELS = 16
"""More planes than this in a file are taken for a Z stack or a time series, unless the file calls them channels."""


@dataclass(frozen=True, eq=False)
class Image:
    """One image file: pixels (C, H, W), channel names ("" where the file gives none), pixel size in µm or None."""

    pixels: NDArray[Any]
    channels: tuple[str, ...]
    pixel_size: float | None = None


@dataclass(frozen=True)
class ImageReader:
    """How the files of one image format are read.

    Parameters
    ----------
    name
        What the format is called.
    suffixes
        Endings of its files' names, in lower case.
    read
        Function of a path, and of whether the header alone is wanted: then the pixels have the right shape and type,
        whatever their values. It raises `SourceError` where the user can mend more than a damaged file; any other
        error is taken for that.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, bool], Image]


def as_camera(pixels: NDArray[Any]) -> NDArray[Any]:
    """The same pixels as uint8, uint16 or float32: yes/no images as 0 and 1, all other types as float32."""
    if pixels.dtype.kind == "b":
        return np.ascontiguousarray(pixels, np.uint8)
    native = pixels.dtype.newbyteorder("=")
    return np.ascontiguousarray(pixels, native if native in (np.uint8, np.uint16, np.float32) else np.float32)


def blank_image(
    shape: Sequence[int], dtype: np.dtype[Any], channels: tuple[str, ...], pixel_size: float | None
) -> Image:
    """All of an image but the pixels: they have the right shape and type, are all zero, and take no memory."""
    zero = np.zeros((), as_camera(np.zeros(0, dtype)).dtype)
    return Image(np.broadcast_to(zero, tuple(shape)), channels, pixel_size)


def by_shape(array: NDArray[Any], path: Path) -> NDArray[Any]:
    """Order (H, W), (C, H, W) or (H, W, C) as (C, H, W), the channel axis being the smallest of the outer two."""
    while array.ndim > 3 and 1 in array.shape:
        array = np.squeeze(array, array.shape.index(1))
    if array.ndim == 2:
        return array[None]
    shape = "×".join(map(str, array.shape))
    if array.ndim != 3:
        raise SourceError(f"{path} has the shape {shape}; save it as one image of (channels, rows, columns) a file.")
    first, _, last = array.shape
    if first == last or min(first, last) > MAX_CHANNELS:
        raise SourceError(
            f"{path} has the shape {shape}, of which no axis is known to be the channels; "
            "project or split a stack, and save (channels, rows, columns)."
        )
    return array if first < last else np.moveaxis(array, -1, 0)
