"""Cells and fields as TIFF: ImageJ hyperstacks, and OME-TIFF with channel names, pixel size and place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_impa.cells.beside import written_beside
from napari_impa.cells.readers.image import check_inflated
from napari_impa.cells.readers.tiff_metadata import ome_metadata
from napari_impa.cells.readers.tiff_pages import check_described, check_pages
from napari_impa.cells.store import Cells
from napari_impa.errors import CellsError, SourceError, brief

_NAMESPACE = "napari-impa"
_OME_TYPES = frozenset(["int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"])


@dataclass(frozen=True, eq=False)
class TiffPicture:
    """Pixels with what a viewer needs to put them back where they were.

    Parameters
    ----------
    pixels
        (C, H, W), or (T, C, H, W) of cells or steps.
    channels
        C channel names.
    pixel_size
        Side of a pixel in µm, or None where that is not known.
    about
        What else is to come back, JSON-able: place, names, what made the pixels.
    """

    pixels: NDArray[Any]
    channels: tuple[str, ...]
    pixel_size: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def save_cells_tiff(cells: Cells, path: str | Path) -> Path:
    """Write cells as an ImageJ hyperstack: a time point a cell, with channel names as labels and the pixel size.

    ImageJ knows 8 and 16 bits and float32; other types are written as float32 where that loses nothing.

    Raises
    ------
    CellsError
        If there are no cells, the pixels do not fit ImageJ's types, or the file cannot be written.
    """
    path = _with_suffix(path, ".tif", (".tif", ".tiff"))
    pixels = _imagej_pixels(_some(cells.pixels))
    names = list(cells.channels) * len(pixels)
    metadata: dict[str, Any] = {"axes": "TCYX", "mode": "composite", "Labels": names}
    size = cells.pixel_size
    if size:
        metadata["unit"] = "um"
    with written_beside(path) as partial:
        tifffile.imwrite(
            partial, pixels, imagej=True, metadata=metadata, resolution=(1 / size, 1 / size) if size else None
        )
    return path


def save_cells_ome_tiff(cells: Cells, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
    """Write cells as OME-TIFF: a time point a cell, channels named, physical pixel size; errors as `save_ome_tiff`."""
    return save_ome_tiff(TiffPicture(cells.pixels, cells.channels, cells.pixel_size, about or {}), path)


def save_ome_tiff(picture: TiffPicture, path: str | Path) -> Path:
    """Write a field or cells as OME-TIFF, losslessly compressed.

    Raises
    ------
    CellsError
        If there are no pixels, OME has no such pixel type, or the file cannot be written.
    """
    path = _with_suffix(path, ".ome.tif", (".ome.tif", ".ome.tiff"))
    pixels = _some(picture.pixels)
    if pixels.dtype.name not in _OME_TYPES:
        raise CellsError(f"OME-TIFF cannot hold pixels of type {pixels.dtype}; save them as .cells instead.")
    metadata: dict[str, Any] = {
        "axes": "TCYX"[-pixels.ndim :],
        "Name": str(picture.about.get("title", path.name.removesuffix(".ome.tif"))),
        "Channel": {"Name": list(picture.channels)},
        "MapAnnotation": {"Namespace": _NAMESPACE, _NAMESPACE: json.dumps(dict(picture.about), default=str)},
    }
    if picture.pixel_size:
        metadata |= {f"PhysicalSize{axis}": picture.pixel_size for axis in "XY"}
        metadata |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    with written_beside(path) as partial:
        tifffile.imwrite(
            partial, pixels, ome=True, metadata=metadata, photometric="minisblack", compression="zlib",
            bigtiff=pixels.nbytes > 3 << 30,
        )  # fmt: skip
    return path


def read_ome_tiff(path: str | Path) -> TiffPicture:
    """Read what `save_ome_tiff` wrote; of other OME-TIFF files the first image.

    Raises
    ------
    CellsError
        If it is no OME-TIFF file of planes with channels.
    """
    try:
        if not Path(path).is_file():
            raise CellsError(f"There is no file {path}.")
        check_pages(Path(path))
        with tifffile.TiffFile(path) as file:
            xml = file.ome_metadata
            if not xml:
                raise CellsError(f"{path} is no OME-TIFF file; open it as an image instead.")
            check_described(xml, Path(path))
            series = file.series[0]
            check_inflated(Path(path), series.size * series.dtype.itemsize)
            pixels, axes = series.asarray(squeeze=False), series.get_axes(squeeze=False)
        pixels = _arranged(pixels, axes, path)
        root = ElementTree.fromstring(xml)
        image = next((node for node in root.iter() if node.tag.endswith("}Pixels")), root)
        names = [node.get("Name") or "" for node in image if node.tag.endswith("}Channel")]
        count = pixels.shape[-3]
        if not pixels.size or len(names) > count:
            raise CellsError(f"{path} holds {count} planes of channels, not the {len(names)} that it names.")
        names += [""] * (count - len(names))
        channels = tuple(name or f"channel {number + 1}" for number, name in enumerate(names))
        size = ome_metadata(xml, len(names))[1] or 0.0
        about = _annotation(root)
    except (CellsError, SourceError) as error:
        raise CellsError(str(error)) from error
    except Exception as error:  # decoders raise all kinds on damaged files, and the user can mend only the file
        raise CellsError(f"{path} cannot be read as OME-TIFF ({brief(error)}).") from error
    return TiffPicture(pixels, channels, size if 0 < size < math.inf else None, about)


def _annotation(root: ElementTree.Element) -> dict[str, Any]:
    for node in root.iter():
        if node.tag.endswith("}M") and node.get("K") == _NAMESPACE and node.text:
            try:
                about = json.loads(node.text)
            except (ValueError, RecursionError):
                return {}
            return about if isinstance(about, dict) else {}
    return {}


def _arranged(pixels: NDArray[Any], axes: str, path: str | Path) -> NDArray[Any]:
    for axis in set(axes) - set("TCYX"):
        at = axes.index(axis)
        if pixels.shape[at] != 1:
            raise CellsError(f"{path} has an axis {axis}, which cells do not have; open it as an image instead.")
        pixels, axes = pixels.squeeze(at), axes.replace(axis, "")
    missing = [axis for axis in "TC" if axis not in axes]
    pixels = pixels[(None,) * len(missing)]
    axes = "".join(missing) + axes
    pixels = pixels.transpose([axes.index(axis) for axis in "TCYX"])
    return pixels[0] if len(pixels) == 1 else pixels


def _with_suffix(path: str | Path, suffix: str, known: Sequence[str]) -> Path:
    path = Path(path)
    return path if path.name.lower().endswith(tuple(known)) else path.with_name(path.name + suffix)


def _some(pixels: NDArray[Any]) -> NDArray[Any]:
    if not pixels.size:
        raise CellsError("There are no cells to save.")
    return np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=False)


def _imagej_pixels(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype.name in ("uint8", "uint16", "float32"):
        return pixels
    converted = pixels.astype(np.float32)
    if not np.array_equal(converted.astype(pixels.dtype), pixels, equal_nan=pixels.dtype.kind == "f"):
        raise CellsError(f"ImageJ cannot hold these pixels of type {pixels.dtype}; save them as OME-TIFF or .cells.")
    return converted
