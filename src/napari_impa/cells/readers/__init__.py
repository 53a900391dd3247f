"""Readers of images: pixels as (channels, rows, columns), channel names and pixel size, as the file says.

A new image format is a file with its `ImageReader`, and its line in `READERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_impa.cells.readers.czi import CZI
from napari_impa.cells.readers.image import MAX_CHANNELS, Image, ImageReader, StoredImage, as_camera, blank_image
from napari_impa.cells.readers.lif import LIF
from napari_impa.cells.readers.nd2 import ND2
from napari_impa.cells.readers.no_labels import check_objects, of_colours
from napari_impa.cells.readers.npy import NPY
from napari_impa.cells.readers.png import PNG
from napari_impa.cells.readers.stacks import StackChoice, StackError
from napari_impa.cells.readers.tiff import TIFF
from napari_impa.errors import ImpaError, SourceError, brief

__all__ = [
    "MAX_CHANNELS", "READERS", "Image", "ImageReader", "StackChoice", "StackError", "StoredImage", "as_labels",
    "formats", "holds_scenes", "is_image", "probe_image", "read_image", "read_masks", "read_scenes",
]  # fmt: skip

_Read = TypeVar("_Read")

READERS: tuple[ImageReader, ...] = (TIFF, PNG, NPY, ND2, CZI, LIF)
"""All image formats that can be read, the commonest first."""

_BY_SUFFIX = {suffix: reader for reader in reversed(READERS) for suffix in reader.suffixes}


def formats() -> str:
    """Name the formats in words: `TIFF, PNG, … or LIF`."""
    *most, last = (reader.name for reader in READERS)
    return f"{', '.join(most)} or {last}"


def is_image(path: Path | str) -> bool:
    """Whether a file's name, or that of a path, ends as that of an image that can be read."""
    return _reader(path) is not None


def holds_scenes(path: Path) -> bool:
    """Whether a file's name ends as that of a format whose files may hold several images and stacks."""
    reader = _reader(path)
    return reader is not None and reader.scenes is not None


def read_scenes(path: Path) -> Sequence[StoredImage]:
    """List the images of a file that may hold several; their pixels are read later.

    Raises
    ------
    SourceError
        If the file is damaged, or holds none.
    MissingDependencyError
        If the package is not installed that reads it.
    """
    reader = _reader(path)
    assert reader is not None, path
    scenes = reader.scenes
    assert scenes is not None, path
    images = _said_if_damaged(path, lambda: scenes(path))
    if not images:
        raise SourceError(f"{path} holds no image.")
    return images


def read_image(path: str | Path, stack: StackChoice | None = None) -> Image:
    """Read one image of any of the `READERS`; of a file with Z planes or times what `stack` says.

    Pixels keep their type where it is uint8, uint16 or float32; yes/no images become 0 and 1 as uint8, all other types
    float32.  Alpha channels are dropped.

    Raises
    ------
    SourceError
        If the file is missing, damaged or cut short; a `StackError` if it holds a Z stack or a time series and nothing
        is said of what is read of it.
    """
    image = _read(Path(path), stack=stack)
    _check_sign(image.pixels, path)
    return replace(image, pixels=as_camera(image.pixels))


def _check_sign(pixels: NDArray[Any], path: str | Path) -> None:
    """Refuse pixels that a camera wrote without a sign and that were read with one: the brightest became negative."""
    if pixels.dtype.kind != "i" or pixels.dtype.itemsize > 2 or not pixels.size:
        return
    low, high, limits = int(pixels.min()), int(pixels.max()), np.iinfo(pixels.dtype)
    if low < limits.min / 2 and high > limits.max / 2:
        raise SourceError(
            f"{path} goes from {low} to {high}, as an image without a sign does that was read with one, so that its "
            f"brightest pixels are negative; save it as uint{8 * pixels.dtype.itemsize}."
        )


def probe_image(path: str | Path, stack: StackChoice | None = None) -> Image:
    """Read all of an image but the pixels: they have the right shape and type, and are all zero.

    Raises
    ------
    SourceError
        As `read_image`, as far as the file's header tells.
    """
    image = _read(Path(path), header_only=True, stack=stack)
    blank = blank_image(image.pixels.shape, image.pixels.dtype, image.channels, image.pixel_size)
    return replace(blank, bare_pages=image.bare_pages, doubt=image.doubt)


def read_masks(path: str | Path) -> Image:
    """Read planes of masks (C, H, W) as they are stored; of a picture of colours one plane, each colour a number.

    Which of them is wanted is known by what they are called and by their image: `as_labels` takes it for labels.

    Raises
    ------
    SourceError
        As `read_image`.
    """
    image = _read(Path(path), labels=True)
    if image.channels == ("red", "green", "blue"):
        return replace(image, pixels=of_colours(image.pixels), channels=("",))
    return image


def as_labels(plane: NDArray[Any], path: str | Path) -> NDArray[np.int32]:
    """Take a plane of masks (H, W) for labels (H, W): each object its own number, 0 the background.

    In one that only tells objects from background, connected objects are numbered.

    Raises
    ------
    SourceError
        If the values of the plane, of what `path` names, are no whole numbers from 0, or no numbers of objects.
    """
    if plane.dtype.kind not in "bui" and not (np.isfinite(plane).all() and (plane == np.floor(plane)).all()):
        raise SourceError(f"{path} is no label image: its values are not whole numbers.")
    if plane.size and (plane.min() < 0 or plane.max() > np.iinfo(np.int32).max):
        raise SourceError(f"{path} is no label image: its values must lie between 0 and {np.iinfo(np.int32).max}.")
    labels = plane.astype(np.int32)
    if check_objects(labels, path) == 1:
        return np.asarray(ndimage.label(labels)[0], np.int32)
    return labels


def _reader(path: Path | str) -> ImageReader | None:
    before, _, suffix = (path if isinstance(path, str) else path.name).rpartition(".")
    return _BY_SUFFIX.get(f".{suffix.lower()}") if before else None


def _read(path: Path, *, header_only: bool = False, stack: StackChoice | None = None, labels: bool = False) -> Image:
    if not path.is_file():
        raise SourceError(f"There is no image {path}.")
    reader = _reader(path)
    if reader is None:
        raise SourceError(f"{path} is no image that can be read; use {formats()}.")
    read_stack = reader.read_stack
    if stack is None or read_stack is None:
        read = reader.read_labels if labels and reader.read_labels is not None else reader.read
        image = _said_if_damaged(path, lambda: read(path, header_only))
    else:
        image = _said_if_damaged(path, lambda: read_stack(path, header_only, stack))
    if image.pixels.dtype.kind not in "buif":
        raise SourceError(f"{path} holds no image: its values are of type {image.pixels.dtype}.")
    if image.pixels.ndim != 3 or len(image.channels) != len(image.pixels):
        raise SourceError(f"{path} cannot be read: what it says of its planes does not fit them; mend or remove it.")
    if 0 in image.pixels.shape:
        raise SourceError(f"{path} holds an image without pixels.")
    return image


def _said_if_damaged(path: Path, read: Callable[[], _Read]) -> _Read:
    try:
        return read()
    except ImpaError:
        raise
    except MemoryError as error:
        raise SourceError(f"{path} does not fit into memory; split it first.") from error
    except Exception as error:  # decoders raise all kinds on damaged files, and the user can mend only the file
        what = f"{path} cannot be read: the file is damaged or cut short ({brief(error)}); mend or remove it."
        raise SourceError(what) from error
