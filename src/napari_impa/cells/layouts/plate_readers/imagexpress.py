"""ImageXpress Micro, MetaXpress: `plate_A01_s1_w1.TIF`, with folders of times and Z steps, and a plate's HTD file.

Names and folders as fmi-faim/faim-ipa reads them; what BBBC021 and BBBC022 have. Pixel sizes stand in the TIFF files
themselves (MetaSeries).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from napari_impa.cells.layouts.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PROJECTION, PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import plate_names
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
    plates = plate_names(source, choice, [file for file, _ in named], _INSIDE)
    folders = {folder: _step_of(folder, source) for folder in plates}
    descriptions = source.beside(".htd")
    waves = {file.parent: _wave_names(file) for file in descriptions}
    prefixes = _prefixes(named, plates)
    planes, order = [], dict[str, None]()
    for file, found in named:
        time, z = folders[file.parent]
        number = str(int(found["channel"] or 1))
        names = next((waves[folder] for folder in file.parents if folder in waves), {})
        channel = names.get(number, number)
        plate = prefixes.get((file.parent, found["name"] or ""), plates[file.parent])
        planes.append(PlaneFile(file, channel, plate, well_name(found["well"]), int(found["site"] or 1), z, time))
    for names in waves.values():
        order |= dict.fromkeys(names.values())
    known = dict.fromkeys(descriptions, "")
    return plate_listing(
        source, IMAGEXPRESS.title, PlatePlanes(planes, tuple(order), skipped=thumbnails | known), choice
    )


def _step_of(folder: Path, source: SourceFiles) -> tuple[int, int]:
    """Time and Z step that a file's folders say; step 0 is the projection."""
    time, step = 1, 1
    for name in folder.relative_to(source.root).parts:
        if found := _TIME.fullmatch(name):
            time = int(found[1])
        elif found := _STEP.fullmatch(name):
            step = int(found[1]) or PROJECTION
    return time, step


def _prefixes(named: list[tuple[Path, re.Match[str]]], plates: Mapping[Path, str]) -> dict[tuple[Path, str], str]:
    """Name plates after the beginning of their files, where files of several lie in one folder."""
    wells: defaultdict[Path, dict[str, set[str]]] = defaultdict(dict)
    for file, found in named:
        wells[file.parent].setdefault(found["name"] or "", set()).add(found["well"])
    several: dict[tuple[Path, str], str] = {}
    for folder, by_name in wells.items():
        # one plate's files may be called in several ways; the same well twice is two plates
        if len(by_name) > 1 and sum(map(len, by_name.values())) > len(set().union(*by_name.values())):
            several |= {(folder, name): name or plates[folder] for name in by_name}
    return several


def _wave_names(path: Path) -> dict[str, str]:
    """The channels' names of an HTD file, by number: lines such as `"WaveName1", "DAPI"`."""
    names: dict[str, str] = {}
    text = path.read_text(encoding="latin-1")
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) > 1 and (found := re.fullmatch(r"WaveName(\d+)", row[0].strip(), re.IGNORECASE)):
            names[found[1]] = row[1].strip()
    return {number: name for number, name in names.items() if name}


IMAGEXPRESS = FolderLayout("imagexpress", "ImageXpress", _fits, _entries)
