"""ImageXpress Micro, MetaXpress: `plate_A01_s1_w1.TIF`, with folders of times and Z steps, and a plate's HTD file.

Names and folders as fmi-faim/faim-ipa reads them; what BBBC021 and BBBC022 have. Pixel sizes stand in the TIFF files
themselves (MetaSeries).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PROJECTION, PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import Parts, folders_of_several, plate_names
from napari_impa.cells.wells import well_name

_GUID = r"[0-9A-F]{8}-?[0-9A-F]{4}-?[0-9A-F]{4}-?[0-9A-F]{4}-?[0-9A-F]{12}"
_NAME = re.compile(
    rf"(?:(?P<name>.+)_)?(?P<well>[A-P]\d{{2}}|A[A-F]\d{{2}})(?:_s(?P<site>\d+))?(?:_w(?P<channel>\d+))?"
    rf"(?P<thumb>_thumb)?(?P<guid>{_GUID})?\.tiff?",
    re.IGNORECASE,
)
_TIME = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_STEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)
_INSIDE = r"TimePoint_\d+|ZStep_\d+"
_THUMBNAIL = "a thumbnail"


def _named(name: str) -> re.Match[str] | None:
    """A name that says a well and a site, a channel or an id beside it."""
    found = _NAME.fullmatch(name)
    return found if found and any(found[part] for part in ("site", "channel", "guid")) else None


def _fits(source: SourceFiles) -> Fit:
    share = source.share(_named)
    if share >= 0.5 and source.beside(".htd"):
        return Fit.DESCRIBED
    return Fit.NAMES if share >= 0.5 else Fit.NO


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    named = [(file, found) for file in source.images if (found := _named(file.name))]
    thumbnails = {file: _THUMBNAIL for file, found in named if found["thumb"]}
    named = [(file, found) for file, found in named if not found["thumb"]]
    plate_of = plate_names(source, choice, [file for file, _ in named], _INSIDE)
    several = folders_of_several(source, ((file, found["name"] or "", found["well"]) for file, found in named))
    descriptions = source.beside(".htd")
    waves = {source.folder(file): _wave_names(file) for file in descriptions}
    folders = {folder: (*_step_of(folder), _nearest(waves, folder)) for folder in {source.folder(f) for f, _ in named}}
    planes = []
    for file, found in named:
        folder = source.folder(file)
        time, z, names = folders[folder]
        number = str(int(found["channel"] or 1))
        plate = found["name"] if folder in several and found["name"] else plate_of(file)
        site = int(found["site"] or 1)
        planes.append(PlaneFile(file, names.get(number, number), plate, well_name(found["well"]), site, z, time))
    order = dict.fromkeys(name for names in waves.values() for name in names.values())
    skipped = thumbnails | dict.fromkeys(descriptions, "")
    found_here = PlatePlanes(planes, tuple(order), skipped=skipped, plates_by_folder=not several)
    return plate_listing(source, IMAGEXPRESS.title, found_here, choice)


def _step_of(folder: Parts) -> tuple[int, int]:
    """Time and Z step that a file's folders say; step 0 is the projection."""
    time, step = 1, 1
    for name in folder:
        if found := _TIME.fullmatch(name):
            time = int(found[1])
        elif found := _STEP.fullmatch(name):
            step = int(found[1]) or PROJECTION
    return time, step


def _nearest(waves: Mapping[Parts, dict[str, str]], folder: Parts) -> dict[str, str]:
    """Channel names of the plate's description, which lies in the folder of its images or in one around it."""
    around = (folder[:length] for length in range(len(folder), -1, -1))
    return next((waves[one] for one in around if one in waves), {})


def _wave_names(path: Path) -> dict[str, str]:
    """The channels' names of an HTD file, by number: lines such as `"WaveName1", "DAPI"`."""
    names: dict[str, str] = {}
    text = path.read_text(encoding="latin-1")
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) > 1 and (found := re.fullmatch(r"WaveName(\d+)", row[0].strip(), re.IGNORECASE)):
            names[found[1]] = row[1].strip()
    return {number: name for number, name in names.items() if name}


IMAGEXPRESS = FolderLayout("imagexpress", "ImageXpress", _fits, _entries)
