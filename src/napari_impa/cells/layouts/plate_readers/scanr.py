"""ScanR: `data/metadata.ome.xml` says which file is what, or older `A1--W00001--P00001--Z00000--T00000--DAPI.tif`.

Wells are numbered along the rows of a plate whose size is not said; it is guessed, unless it is chosen or the names
begin with the well (fractal-uzh-converters for the newer, several public scripts for the older files).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.numbered_wells import wells_by_number
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import plate_names
from napari_impa.cells.layouts.plate_readers.ome_description import OmeDescriptions, OmeField, OmePlane
from napari_impa.cells.wells import is_well, well_name
from napari_impa.errors import SourceError

DESCRIPTION = "metadata.ome.xml"
_NAME = re.compile(
    r"(?:(?:well[ _-]*)?(?P<well>[A-Z]{1,2}\d{1,2})(?:--)?|.*--)?W(?P<number>\d{5})--P(?P<site>\d{5})--Z(?P<z>\d{5})"
    r"--T(?P<time>\d{5})--(?P<channel>.+?)(?:\.ome)?\.tiff?",
    re.IGNORECASE,
)
_PLACE = re.compile(r"W(\d+)P(\d+)", re.IGNORECASE)
_WITHOUT = "then only images named A1--W00001--P00001--Z00000--T00000--DAPI.tif are read"


class _Seen(NamedTuple):
    """What is known of one image; the well's name where that is said, and its number in any case."""

    well: str
    number: int
    site: int
    channel: str
    z: int
    time: int
    position: tuple[float, float] | None


def _fits(source: SourceFiles) -> Fit:
    beside = {source.folder(file) for file in source.beside(DESCRIPTION)}
    if beside and any(source.folder(file) in beside for file in source.images):
        return Fit.DESCRIBED
    return Fit.NAMES if source.share(_NAME.fullmatch) >= 0.5 else Fit.NO


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    described = OmeDescriptions(source, source.beside(DESCRIPTION), _WITHOUT)
    seen = {file: one for file in source.images if (one := _seen(file, described.of(file)))}
    plate_of = plate_names(source, choice, seen, r"data")
    by_number, guessed = wells_by_number((one.number for one in seen.values() if not one.well), choice, SCANR.title)
    planes: list[PlaneFile] = []
    sites: dict[tuple[str, str, int | str], dict[str, object]] = {}
    for file, one in seen.items():
        plate, well = plate_of(file), one.well or by_number[one.number]
        planes.append(PlaneFile(file, one.channel, plate, well, one.site, one.z, one.time))
        if one.position:
            x, y = one.position
            sites.setdefault((plate, well, one.site), {"position_x_um": x, "position_y_um": y})
    sizes = described.pixel_sizes
    return plate_listing(source, SCANR.title, PlatePlanes(
        planes, described.channels, min(sizes) if len(sizes) == 1 else None, sites, described.files,
        (*described.notes(seen), *([guessed] if guessed else [])), plates_by_folder=True,
    ), choice)  # fmt: skip


def _seen(file: Path, told: tuple[OmeField, OmePlane] | None) -> _Seen | None:
    """What the description says of an image, else its name; None where neither says anything."""
    named = _NAME.fullmatch(file.name)
    well = well_name(named["well"]) if named and is_well(named["well"] or "") else ""
    if told is None:
        if named is None:
            return None
        number, site, z, time = (int(named[part]) for part in ("number", "site", "z", "time"))
        return _Seen(well, number, site, named["channel"], z, time, None)
    field, plane = told
    place = _PLACE.search(field.name)
    if place is not None:
        number, site = int(place[1]), int(place[2])
    elif named is not None:
        number, site = int(named["number"]), int(named["site"])
    else:
        raise SourceError(
            f"{file} is described as an image called {field.name!r}, which says no well as ScanR does (W1P1); remove "
            f"{DESCRIPTION} ({_WITHOUT})."
        )
    name = field.channels[plane.channel] if plane.channel < len(field.channels) else ""
    channel = name or (named["channel"] if named else str(plane.channel + 1))
    return _Seen(well or field.well, number, site, channel, plane.z, plane.time, field.position)


SCANR = FolderLayout("scanr", "ScanR", _fits, _entries)
