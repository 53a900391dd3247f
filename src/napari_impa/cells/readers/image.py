"""What a reader gives: an image as (channels, rows, columns), of a file or of one of its scenes; and other orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.readers.stacks import StackChoice
from napari_impa.errors import ImpaError, SourceError, brief

MAX_CHANNELS = 16
"""More planes than this in a file are taken for a Z stack or a time series, unless the file calls them channels."""


INFLATED = 256 << 20
"""Bytes of pixels that every file may hold, however short it is."""

INFLATED_BY = 250
"""Times its own length that the pixels of a longer file may take."""


def check_inflated(path: Path, pixel_bytes: int) -> None:
    """Refuse a file before it is unpacked whose pixels would take far more memory than a file of its length is worth.

    Raises
    ------
    SourceError
        If they would take more than `INFLATED`, and more than `INFLATED_BY` times the file's length.
    """
    if pixel_bytes > INFLATED and path.is_file() and pixel_bytes > INFLATED_BY * path.stat().st_size:
        raise SourceError(
            f"{path} is {path.stat().st_size / 1e6:.2f} MB long and would take {pixel_bytes / 1e9:.1f} GB of memory; "
            "such files are not unpacked: save it again without compression, or in parts, if it is what it ought to be."
        )


@dataclass(frozen=True, eq=False)
class Image:
    """One image file: pixels (C, H, W), channel names ("" where the file gives none), pixel size in µm or None.

    `bare_pages` says that the channels are pages of which the file does not say what they are; `doubt` what is odd
    about what it says of its pixels, as the end of a sentence.
    """

    pixels: NDArray[Any]
    channels: tuple[str, ...]
    pixel_size: float | None = None
    bare_pages: bool = False
    doubt: str = ""


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


@dataclass(frozen=True)
class StoredImage:
    """One image of a file or store that may hold several (scenes, positions), before any of its planes is read.

    Each format has a subclass that overrides `read`.

    Parameters
    ----------
    file
        Where it is.
    channels
        C names, "" where the file gives none.
    shape, dtype
        (H, W) and type of its planes.
    pixel_size
        µm, or None where the file does not say.
    z_planes, times
        How many it has.
    name
        What it is called in its file; empty where it has no name there.
    """

    file: Path
    channels: tuple[str, ...]
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    pixel_size: float | None = None
    z_planes: int = 1
    times: int = 1
    name: str = ""

    def read(self, z: int, time: int) -> NDArray[Any]:
        """Read a plane of all channels, (C, H, W); numbers from 0."""
        raise NotImplementedError

    def image(self, z: int, time: int) -> Image:
        """Read a plane of all channels, numbers from 0, as cameras write it.

        Raises
        ------
        SourceError
            If the file is damaged, or has changed since it was listed.
        """
        height, width = self.shape
        check_inflated(self.file, len(self.channels) * height * width * self.dtype.itemsize)
        try:
            pixels = self.read(z, time)
        except ImpaError:
            raise
        except MemoryError as error:
            raise SourceError(f"{self.file} does not fit into memory; split it first.") from error
        except Exception as error:  # decoders raise all kinds on damaged files
            raise SourceError(
                f"{self.file} cannot be read: it is damaged or cut short ({brief(error)}); mend or remove it."
            ) from error
        if pixels.shape != (len(self.channels), *self.shape):
            raise SourceError(f"{self.file} has changed since it was opened; open it again.")
        return Image(as_camera(pixels), self.channels, self.pixel_size)

    def probe(self) -> Image:
        """All of a plane but its pixels."""
        return blank_image((len(self.channels), *self.shape), self.dtype, self.channels, self.pixel_size)


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
        error is taken for that, and `StackError` where the file holds Z planes or times.
    scenes
        Of a format that may hold several images or stacks: lists them all; errors as `read`.
    read_stack
        Of a format whose single images may be stacks: `read` with what is taken of one.
    read_labels
        Of a format whose numbers may be shown by colours of a table: `read` with the numbers, as labels are kept so.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, bool], Image]
    scenes: Callable[[Path], Sequence[StoredImage]] | None = None
    read_stack: Callable[[Path, bool, StackChoice], Image] | None = None
    read_labels: Callable[[Path, bool], Image] | None = None


def only_image(scenes: Callable[[Path], Sequence[StoredImage]]) -> Callable[[Path, bool], Image]:
    """How a format's files are read as one image each, where they hold no more than that: see `ImageReader.read`."""

    def read(path: Path, header_only: bool) -> Image:
        images = scenes(path)
        if len(images) != 1 or images[0].z_planes * images[0].times != 1:
            raise SourceError(
                f"{path} holds {len(images)} scene{'s' * (len(images) != 1)} of several planes; give it, or its "
                "folder, as what is to be read."
            )
        return images[0].probe() if header_only else images[0].image(0, 0)

    return read


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
