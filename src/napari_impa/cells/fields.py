"""Reading one image: pixels as (channels, rows, columns), channel names and pixel size, as the file says."""

from __future__ import annotations

import logging
import operator
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from napari_impa.errors import SourceError

SUFFIXES = frozenset({".tif", ".tiff", ".btf", ".png", ".npy"})
"""File name endings, in lower case, of images that can be read."""

MAX_CHANNELS = 16
"""More planes than this in a file are taken for a Z stack or a time series, unless the file calls them channels."""

_MICROMETRES = {
    "m": 1e6, "cm": 1e4, "mm": 1e3, "millimeter": 1e3, "centimeter": 1e4, "inch": 25400.0, "in": 25400.0,
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "\\u00b5m": 1.0, "nm": 1e-3, "nanometer": 1e-3, "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4,
}  # fmt: skip
_SMALLEST_PAGE = 18  # bytes that describe a TIFF page with a single tag
_PLAUSIBLE = (0.005, 50.0)  # µm; outside it a TIFF resolution is meant for printing (72 dpi is 353 µm)


@dataclass(frozen=True, eq=False)
class Image:
    """One image file: pixels (C, H, W), channel names ("" where the file gives none), pixel size in µm or None."""

    pixels: NDArray[Any]
    channels: tuple[str, ...]
    pixel_size: float | None = None


@dataclass(frozen=True, eq=False)
class Field:
    """One site of a plate.

    Parameters
    ----------
    name
        Unique in its source.
    pixels
        (C, H, W), in the camera's own units and type.
    channels
        C channel names.
    pixel_size
        Side of a pixel in µm, or None where the image does not say.
    table
        What the source's table says of this field: plate, well, site, compound, …
    labels
        (H, W) whole numbers, 0 the background and each nucleus its own number; or None.
    """

    name: str
    pixels: NDArray[Any]
    channels: tuple[str, ...]
    pixel_size: float | None = None
    table: Mapping[str, object] = field(default_factory=dict)
    labels: NDArray[Any] | None = None


def read_image(path: str | Path) -> Image:
    """Read a TIFF, OME-TIFF, ImageJ TIFF, PNG or NPY image.

    Pixels keep their type where it is uint8, uint16 or float32; yes/no images become 0 and 1 as uint8, all other types
    float32.  Alpha channels are dropped.

    Raises
    ------
    SourceError
        If the file is missing, damaged or cut short, or holds a Z stack or a time series.
    """
    image = _read(Path(path))
    return Image(_camera(image.pixels), image.channels, image.pixel_size)


def probe_image(path: str | Path) -> Image:
    """Read all of an image but the pixels: they have the right shape and type, and are all zero.

    Raises
    ------
    SourceError
        As `read_image`, as far as the file's header tells.
    """
    image = _read(Path(path), header_only=True)
    blank = np.zeros((), _camera(np.zeros(0, image.pixels.dtype)).dtype)
    return Image(np.broadcast_to(blank, image.pixels.shape), image.channels, image.pixel_size)


def read_masks(path: str | Path) -> Image:
    """Read a label image of one or more planes: pixels (C, H, W) int32, each object its own number, 0 the background.

    In a plane that only tells objects from background, connected objects are numbered.

    Raises
    ------
    SourceError
        As `read_image`, or if the values are no whole numbers from 0.
    """
    image = _read(Path(path))
    pixels = image.pixels
    if pixels.dtype.kind not in "bui" and not (np.isfinite(pixels).all() and (pixels == np.floor(pixels)).all()):
        raise SourceError(f"{path} is no label image: its values are not whole numbers.")
    if pixels.size and (pixels.min() < 0 or pixels.max() > np.iinfo(np.int32).max):
        raise SourceError(f"{path} is no label image: its values must lie between 0 and {np.iinfo(np.int32).max}.")
    labels = pixels.astype(np.int32)
    for plane in labels:
        if plane.max(initial=0) and len(np.unique(plane)) <= 2:
            plane[:] = ndimage.label(plane)[0]
    return Image(labels, image.channels, image.pixel_size)


def is_image(path: Path) -> bool:
    """Whether a file's name ends as that of an image that can be read."""
    return path.suffix.lower() in SUFFIXES


def _read(path: Path, *, header_only: bool = False) -> Image:
    if not path.is_file():
        raise SourceError(f"There is no image {path}.")
    reader = {".npy": _read_npy, ".png": _read_png}.get(path.suffix.lower(), _read_tiff)
    if not is_image(path):
        raise SourceError(f"{path} is no image that can be read; use TIFF, PNG or NPY.")
    try:
        image = reader(path, header_only)
    except SourceError:
        raise
    except MemoryError as error:
        raise SourceError(f"{path} does not fit into memory; split it first.") from error
    except Exception as error:  # decoders raise all kinds on damaged files, and the user can mend only the file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        what = f"{path} cannot be read: the file is damaged or cut short ({reason}); mend or remove it."
        raise SourceError(what) from error
    if image.pixels.dtype.kind not in "buif":
        raise SourceError(f"{path} holds no image: its values are of type {image.pixels.dtype}.")
    if 0 in image.pixels.shape:
        raise SourceError(f"{path} holds an image without pixels.")
    return image


def _camera(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype.kind == "b":
        return np.ascontiguousarray(pixels, np.uint8)
    native = pixels.dtype.newbyteorder("=")
    return np.ascontiguousarray(pixels, native if native in (np.uint8, np.uint16, np.float32) else np.float32)


def _by_shape(array: NDArray[Any], path: Path) -> NDArray[Any]:
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


def _by_axes(array: NDArray[Any], axes: str, path: Path) -> NDArray[Any]:
    """Order an array whose axes the file names (tifffile's letters) as (C, H, W)."""
    keep = [i for i, name in enumerate(axes) if name in "YX" or array.shape[i] > 1]
    array, axes = array.reshape([array.shape[i] for i in keep]), "".join(axes[i] for i in keep)
    for letter, what, mend in (("Z", "a Z stack", "project it"), ("T", "a time series", "split it")):
        if letter in axes:
            number = array.shape[axes.index(letter)]
            raise SourceError(f"{path} holds {what} of {number} planes; {mend} to one plane a file first.")
    if "Q" in axes:
        return _by_shape(array, path)
    other = axes.replace("Y", "").replace("X", "")
    if not other:
        return array[None]
    count = array.shape[axes.index(other[0])]
    if len(other) > 1 or other not in "CSI" or (other == "I" and count > MAX_CHANNELS):
        raise SourceError(f"{path} holds a stack with the axes {axes}; split it to one image of channels a file first.")
    return np.moveaxis(array, axes.index(other), 0)


def _read_npy(path: Path, header_only: bool) -> Image:
    array = np.load(path, mmap_mode="r" if header_only else None, allow_pickle=False)
    if array.dtype.kind not in "buif":
        raise SourceError(f"{path} holds no image: its values are of type {array.dtype}.")
    pixels = _by_shape(array, path)
    return Image(pixels, ("",) * len(pixels))


def _read_png(path: Path, header_only: bool) -> Image:
    with open(path, "rb") as file:
        header = file.read(26)
    if len(header) < 26 or header[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("no PNG header")
    depth, colour = header[24], header[25]
    if depth == 16 and colour != 0:
        raise SourceError(f"{path} is a 16-bit colour PNG, which cannot be read without loss; save it as TIFF.")
    with PIL.Image.open(path) as image:
        mode = {"LA": "L", "RGBA": "RGB", "P": "RGB"}.get(image.mode)
        if header_only:
            dtype = np.dtype(np.uint16 if depth == 16 else np.uint8)
            bands = 3 if (mode or image.mode) == "RGB" else 1
            pixels = np.broadcast_to(np.zeros((), dtype), (bands, image.height, image.width))
        else:
            array = np.asarray(image.convert(mode) if mode else image)
            array = array.astype(np.uint16 if depth == 16 else np.uint8)
            pixels = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    return Image(pixels, ("red", "green", "blue") if len(pixels) == 3 else ("",))


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


def _read_tiff(path: Path, header_only: bool) -> Image:
    with _quiet(), tifffile.TiffFile(path) as tiff:
        sizes = [int(np.prod(series.shape)) for series in tiff.series]
        if not sizes:
            raise ValueError("no image in it")
        series = tiff.series[int(np.argmax(sizes))]
        if sizes.count(max(sizes)) > 1:
            raise SourceError(f"{path} holds {sizes.count(max(sizes))} images; split it to one image a file first.")
        blank = np.broadcast_to(np.zeros((), series.dtype), series.shape)
        shape = _by_axes(blank, series.axes, path).shape  # refuses stacks before anything big is read
        page = tiff.pages.first
        if header_only:
            array: NDArray[Any] = blank
        else:
            _check_complete(tiff, series, path)
            array = series.asarray()
        pixels = _by_axes(array, series.axes, path)
        alpha = sum(sample in (1, 2) for sample in page.extrasamples)
        if alpha and "S" in series.axes:
            pixels = pixels[:-alpha]
        names, pixel_size = _tiff_metadata(tiff, page, shape[0])
        # 16-bit stacks of three channels are mostly written as RGB by accident
        if page.photometric == tifffile.PHOTOMETRIC.RGB and pixels.dtype == np.uint8 and not any(names):
            names = ("red", "green", "blue")[: len(pixels)]
        return Image(pixels, names[: len(pixels)], pixel_size)


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
    if not complete:
        raise SourceError(f"{path} cannot be read: the file is cut short, some pixels are missing; mend or remove it.")


def _tiff_metadata(tiff: tifffile.TiffFile, page: Any, count: int) -> tuple[tuple[str, ...], float | None]:
    """Channel names and pixel size from OME-XML, ImageJ's header or the TIFF resolution."""
    if tiff.is_ome and tiff.ome_metadata:
        return _ome_metadata(tiff.ome_metadata, count)
    resolution = _tag(page, "XResolution")
    per_unit = resolution[0] / resolution[1] if resolution and resolution[1] else 0.0
    if tiff.is_imagej:
        header = tiff.imagej_metadata or {}
        labels = header.get("Labels", ())
        names = _imagej_names([labels] if isinstance(labels, str) else labels, count)
        unit = _MICROMETRES.get(str(header.get("unit", "")).strip().lower())
        return names, float(f"{unit / per_unit:.6g}") if unit and per_unit else None
    unit = {2: 25400.0, 3: 1e4}.get(int(_tag(page, "ResolutionUnit") or 0))
    size = float(f"{unit / per_unit:.6g}") if unit and per_unit else 0.0  # a TIFF keeps it as a fraction
    return ("",) * count, size if _PLAUSIBLE[0] <= size <= _PLAUSIBLE[1] else None


def _tag(page: Any, name: str) -> Any:
    tag = page.tags.get(name)
    return None if tag is None else tag.value


def _imagej_names(labels: Sequence[str], count: int) -> tuple[str, ...]:
    names = [re.sub(r"^([czt]:\d+/\d+\s*)+(-\s*)?", "", str(label).split("\n")[0]).strip() for label in labels]
    return tuple(names) if len(names) == count == len(set(names)) else ("",) * count


def _ome_metadata(xml: str, count: int) -> tuple[tuple[str, ...], float | None]:
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    if pixels is None:
        return ("",) * count, None
    names = [channel.get("Name") or channel.get("Fluor") or "" for channel in pixels.findall("{*}Channel")]
    try:
        size = float(pixels.get("PhysicalSizeX", "0")) * _MICROMETRES.get(
            pixels.get("PhysicalSizeXUnit", "µm").lower(), 0.0
        )
    except ValueError:
        size = 0.0
    return tuple(names) if len(names) == count else ("",) * count, size if size > 0 and np.isfinite(size) else None
