"""Cellomics ArrayScan, CellInsight: `MFGTMP_150713120001_A01f00d0.TIF`; fields and channels counted from 0."""

from __future__ import annotations

import re

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import folders_of_several, plate_names
from napari_impa.cells.wells import well_name
from napari_impa.errors import SourceError

_NAME = re.compile(
    r"(?P<name>.+)_(?P<well>(?:[A-P]|A[A-F])\d{2})f(?P<field>\d{2,4})(?P<kind>[do])(?P<channel>\d+)"
    r"\.(?P<ending>tiff?|png|c01|dib)",
    re.IGNORECASE,
)
_OWN = (".c01", ".dib")
_OVERLAY = "an overlay of what the instrument found"


def _fits(source: SourceFiles) -> Fit:
    if source.share(_NAME.fullmatch) >= 0.5:
        return Fit.NAMES
    own = any(_NAME.fullmatch(file.name) for file in source.beside(*_OWN)[:20])
    return Fit.NAMES if own and not source.images else Fit.NO


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    if not source.images:
        own = next(iter(source.beside(*_OWN)), source.path)
        raise SourceError(f"{own} is in the format of Cellomics itself; export the plate as TIFF, or convert it.")
    named = [(file, found) for file in source.images if (found := _NAME.fullmatch(file.name))]
    overlays = {file: _OVERLAY for file, found in named if found["kind"].lower() == "o"}
    named = [(file, found) for file, found in named if file not in overlays]
    plate_of = plate_names(source, choice, [file for file, _ in named])
    several = folders_of_several(source, ((file, found["name"], found["well"]) for file, found in named))
    planes = []
    for file, found in named:
        plate = found["name"] if source.folder(file) in several else plate_of(file)
        channel, site = str(int(found["channel"])), int(found["field"])
        planes.append(PlaneFile(file, channel, plate, well_name(found["well"]), site))
    found_here = PlatePlanes(planes, skipped=overlays, plates_by_folder=not several)
    return plate_listing(source, CELLOMICS.title, found_here, choice)


CELLOMICS = FolderLayout("cellomics", "Cellomics", _fits, _entries)
