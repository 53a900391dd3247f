"""TIFF, OME-TIFF and ImageJ's TIFF."""

from __future__ import annotations

import logging
import math
import operator
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_impa.cells.readers.image import MAX_CHANNELS, Image, ImageReader, by_shape, check_inflated
from napari_impa.cells.readers.ome_sets import own_part
from napari_impa.cells.readers.stacks import StackChoice, StackError
from napari_impa.cells.readers.tiff_metadata import doubt_of, tiff_metadata
from napari_impa.cells.readers.tiff_pages import check_described, check_pages
from napari_impa.errors import SourceError

_SMALLEST_PAGE = 18  # bytes that describe a TIFF page with a single tag


def _read_tiff(path: Path, header_only: bool, stack: StackChoice | None = None) -> Image:
    with _quiet(), _opened(path) as tiff:
        sizes = [int(np.prod(series.shape)) for series in tiff.series]
        if not sizes:
            raise ValueError("no image in it")
        series = tiff.series[int(np.argmax(sizes))]
        if sizes.count(max(sizes)) > 1:
            raise SourceError(f"{path} holds {sizes.count(max(sizes))} images; split it to one image a file first.")
        blank = np.broadcast_to(np.zeros((), series.dtype), series.shape)
        taken = (blank, series.axes) if stack is None else stack.applied(blank, series.axes, path)
        shape = _by_axes(*taken, path).shape  # refuses stacks before anything big is read
        page = tiff.pages.first
        if header_only:
            array: NDArray[Any] = blank
        else:
            check_inflated(path, series.size * series.dtype.itemsize)
            _check_complete(tiff, series, path)
            array = series.asarray()
        taken = (array, series.axes) if stack is None else stack.applied(array, series.axes, path)
        pixels = _by_axes(*taken, path)
        alpha = sum(sample in (1, 2) for sample in page.extrasamples)
        if alpha and "S" in series.axes:
            pixels = pixels[:-alpha]
        names, pixel_size = tiff_metadata(tiff, page, shape[0])
        # 16-bit stacks of three channels are mostly written as RGB by accident
        if page.photometric == tifffile.PHOTOMETRIC.RGB and pixels.dtype == np.uint8 and not any(names):
            names = (*("red", "green", "blue")[: len(pixels)], *("",) * (len(pixels) - 3))
        bare = len(pixels) > 1 and not any(names) and not set(series.axes).isdisjoint("IQ")
        return Image(pixels, names[: len(pixels)], pixel_size, bare, doubt_of(tiff, page, pixel_size))


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file; one that describes a whole set of files as no more than itself."""
    check_pages(path)
    with tifffile.TiffFile(path) as tiff:
        described = tiff.ome_metadata if tiff.is_ome else None
        check_described(described or "", path)
        own = own_part(described, path.name) if described and "UUID" in described else None
        if own is None:
            yield tiff
            return
    with tifffile.TiffFile(path, omexml=own) as tiff:
        yield tiff


def _check_complete(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> None:
    """Refuse a file cut short; tifffile by itself leaves out or zeroes what is missing."""
    size = tiff.filehandle.size
    complete = series.dataoffset is None or series.dataoffset + series.nbytes <= size
    len(tiff.pages)  # follows the chain of pages to its end, where the place of the next page is 0
    tiff.filehandle.seek(tiff.pages.next_page_offset or 0)
    following = tiff.filehandle.read(tiff.tiff.offsetsize)
    complete &= len(following) == tiff.tiff.offsetsize
    complete = complete and struct.unpack(tiff.tiff.offsetformat, following)[0] + _SMALLEST_PAGE <= size
    for page in series.pages if complete else ():
        if page is None:
            complete = False
            break
        size = page.parent.filehandle.size  # of another file, where an OME-TIFF is spread over several
        ends = map(operator.add, page.dataoffsets, page.databytecounts)
        complete &= max(ends, default=0) <= size
        # a strip or tile without a place would be zeros, and its picture as large as its header says
        complete &= series.dataoffset is not None or len(page.dataoffsets) >= math.prod(page.chunked)
    if not complete:
        raise SourceError(f"{path} cannot be read: the file is cut short, some pixels are missing; mend or remove it.")


def _by_axes(array: NDArray[Any], axes: str, path: Path) -> NDArray[Any]:
    """Order an array whose axes the file names (tifffile's letters) as (C, H, W)."""
    keep = [i for i, name in enumerate(axes) if name in "YX" or array.shape[i] > 1]
    array, axes = array.reshape([array.shape[i] for i in keep]), "".join(axes[i] for i in keep)
    for letter, what, mend in (("Z", "a Z stack", "project it"), ("T", "a time series", "split it")):
        if letter in axes:
            number = array.shape[axes.index(letter)]
            planes, times = (array.shape[axes.index(one)] if one in axes else 1 for one in "ZT")
            raise StackError(
                f"{path} holds {what} of {number} planes; {mend} to one plane a file first.", planes, times
            )
    if "Q" in axes:
        return by_shape(array, path)
    other = axes.replace("Y", "").replace("X", "")
    if not other:
        return array[None]
    count = array.shape[axes.index(other[0])]
    if len(other) > 1 or other not in "CSI" or (other == "I" and count > MAX_CHANNELS):
        raise SourceError(f"{path} holds a stack with the axes {axes}; split it to one image of channels a file first.")
    return np.moveaxis(array, axes.index(other), 0)


@contextmanager
def _quiet() -> Iterator[None]:
    # tifffile logs what is wrong with a file; here it is said once, as an error.
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


TIFF = ImageReader("TIFF", (".tif", ".tiff", ".btf"), _read_tiff, read_stack=_read_tiff)
