"""What a TIFF file says of its pixels: channel names and pixel size, of OME-XML, ImageJ's header or the resolution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

_MICROMETRES = {
    "m": 1e6, "cm": 1e4, "mm": 1e3, "millimeter": 1e3, "centimeter": 1e4, "inch": 25400.0, "in": 25400.0,
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "\\u00b5m": 1.0, "nm": 1e-3, "nanometer": 1e-3, "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4,
}  # fmt: skip
_SQUARE = 0.02  # more than the rounding of what says both sides
_PLAUSIBLE = (0.005, 50.0)  # µm; outside it a TIFF resolution is meant for printing (72 dpi is 353 µm)


def tiff_metadata(tiff: tifffile.TiffFile, page: Any, count: int) -> tuple[tuple[str, ...], float | None]:
    """Channel names and pixel size from OME-XML, ImageJ's header or the TIFF resolution."""
    if tiff.is_ome and tiff.ome_metadata:
        return ome_metadata(tiff.ome_metadata, count)
    if tiff.is_metaseries and count == 1:
        return _metaseries_metadata(page.description)
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


def doubt_of(tiff: tifffile.TiffFile, page: Any, pixel_size: float | None) -> str:
    """What is odd about what a file says of its pixels, as the end of a sentence; empty where nothing is."""
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        return "says that its smallest value is white (MinIsWhite); where its nuclei are dark, invert it"
    if pixel_size is None:
        return ""
    if not _PLAUSIBLE[0] <= pixel_size <= _PLAUSIBLE[1]:
        return f"says that a pixel is {pixel_size:.4g} µm wide, which no image of cells has; correct its unit"
    height = pixel_size * _height_by_width(tiff, page)
    if abs(height / pixel_size - 1) > _SQUARE:
        return f"has pixels {pixel_size:.4g} µm wide and {height:.4g} µm high; resample it, so that they are squares"
    return ""


def _height_by_width(tiff: tifffile.TiffFile, page: Any) -> float:
    """How much higher than wide pixels are; 1 where the file does not say."""
    try:
        if tiff.is_ome and tiff.ome_metadata:
            pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
            assert pixels is not None, "it has a pixel size"
            width, height = (
                float(pixels.get(f"PhysicalSize{axis}", "nan"))
                * _MICROMETRES.get(pixels.get(f"PhysicalSize{axis}Unit", "µm").lower(), np.nan)
                for axis in "XY"
            )
            ratio = height / width
        else:
            (x, by_x), (y, by_y) = _tag(page, "XResolution"), _tag(page, "YResolution")
            ratio = x / by_x / (y / by_y)
    except (TypeError, ValueError, ZeroDivisionError):
        return 1.0
    return ratio if np.isfinite(ratio) and ratio > 0 else 1.0


def _metaseries_metadata(description: str) -> tuple[tuple[str, ...], float | None]:
    """What MetaXpress and MetaMorph write of a plane: the name of its illumination, and its calibration."""
    try:  # by hand: tifffile refuses the whole file where a text stands beside the properties
        properties = ElementTree.fromstring(description).findall("PlaneInfo/*[@id]")
    except ElementTree.ParseError:
        return ("",), None
    plane = {entry.get("id"): entry.get("value", "").strip() for entry in properties}
    unit = _MICROMETRES.get(plane.get("spatial-calibration-units", "").lower())
    try:
        size = float(plane.get("spatial-calibration-x", ""))
    except ValueError:
        size = 0.0
    calibrated = unit and np.isfinite(size) and size > 0 and plane.get("spatial-calibration-state", "on") != "off"
    return (plane.get("_IllumSetting_", ""),), float(f"{size * unit:.6g}") if unit and calibrated else None


def _tag(page: Any, name: str) -> Any:
    tag = page.tags.get(name)
    return None if tag is None else tag.value


def _imagej_names(labels: Sequence[str], count: int) -> tuple[str, ...]:
    names = [re.sub(r"^([czt]:\d+/\d+\s*)+(-\s*)?", "", str(label).split("\n")[0]).strip() for label in labels]
    return tuple(names) if len(names) == count == len(set(names)) else ("",) * count


def ome_metadata(xml: str, count: int) -> tuple[tuple[str, ...], float | None]:
    """Channel names and pixel size in µm, of whatever unit, from OME-XML."""
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
