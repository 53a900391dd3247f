"""InCell Analyzer: `A - 01(fld 1 wv 390 - Blue).tif`, with a `.xdce` (XML) beside the images or without.

In brackets stand the field, the wavelengths of excitation and emission, and where there are several `z`, `wix` (which
of the wavelengths it is) and `time`; a plate's name may come before the well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, not_there, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import folder_around, folders_of_several, plate_names
from napari_impa.cells.readers.xml_file import xml_elements
from napari_impa.cells.wells import Well
from napari_impa.errors import SourceError

_NAME = re.compile(
    r"(?:(?P<plate>.+)_)?(?P<row>[A-Z]{1,2}) - (?P<column>\d{1,2})\((?P<inside>(?:fld|wv) .+)\)\.tiff?", re.IGNORECASE
)
_FIELD = re.compile(r"^fld (\d+)\b\s*", re.IGNORECASE)
_TIME = re.compile(r"\s*-?\s*\btime (\d+)(?:\s*-\s*[\d.]+ ms)?", re.IGNORECASE)
_Z = re.compile(r"\s*\bz (\d+)\b", re.IGNORECASE)
_WAVE = re.compile(r"\s*\bwix (\d+)\b", re.IGNORECASE)
_WITHOUT = "then the images are read by their names alone"


class _Inside(NamedTuple):
    """What stands in the brackets of a name."""

    channel: str
    site: int
    z: int
    time: int
    wave: int


@dataclass(frozen=True, eq=False)
class _Stack:
    """What a `.xdce` says: µm a pixel, number of the wavelength and position in µm by file, positions of sites."""

    pixel_size: float | None = None
    waves: dict[str, int] = field(default_factory=dict)
    positions: dict[str, tuple[float, float]] = field(default_factory=dict)
    offsets: dict[int, tuple[float, float]] = field(default_factory=dict)


def _fits(source: SourceFiles) -> Fit:
    if source.share(_NAME.fullmatch) < 0.5:
        return Fit.NO
    return Fit.DESCRIBED if source.beside(".xdce") else Fit.NAMES


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    named = [(file, found) for file in source.images if (found := _NAME.fullmatch(file.name))]
    plate_of = plate_names(source, choice, [file for file, _ in named])
    wells = {file: Well.at(found["row"], found["column"]).name for file, found in named}
    several = folders_of_several(source, ((file, found["plate"] or "", wells[file]) for file, found in named))
    descriptions = source.beside(".xdce")
    stacks = {source.folder(file): _read_stack(file) for file in descriptions}
    around = {folder: folder_around(folder, stacks) for folder in {source.folder(file) for file, _ in named}}
    there = {(around[source.folder(file)], file.name.lower()) for file, _ in named}
    listed = ((folder, name) for folder, stack in stacks.items() for name in stack.waves)
    missing = not_there("The .xdce", sum(one not in there for one in listed))
    planes: list[PlaneFile] = []
    sites: dict[tuple[str, str, int | str], dict[str, object]] = {}
    waves: dict[str, int] = {}
    for file, found in named:
        folder, inside = source.folder(file), _inside(found["inside"])
        plate = found["plate"] if folder in several and found["plate"] else plate_of(file)
        known, name = around[folder], file.name.lower()
        stack = _Stack() if known is None else stacks[known]
        planes.append(PlaneFile(file, inside.channel, plate, wells[file], inside.site, inside.z, inside.time))
        waves.setdefault(inside.channel, stack.waves.get(name, inside.wave))
        position = stack.positions.get(name) or stack.offsets.get(inside.site)
        if position:
            x, y = position
            sites.setdefault((plate, wells[file], inside.site), {"position_x_um": x, "position_y_um": y})
    sizes = {stack.pixel_size for stack in stacks.values() if stack.pixel_size}
    return plate_listing(source, INCELL.title, PlatePlanes(
        planes, _in_order(waves), min(sizes) if len(sizes) == 1 else None, sites,
        dict.fromkeys(descriptions, ""), missing, plates_by_folder=not several,
    ), choice)  # fmt: skip


def _inside(text: str) -> _Inside:
    numbers: dict[re.Pattern[str], int] = {}
    for part in (_FIELD, _TIME, _Z, _WAVE):
        if found := part.search(text):
            numbers[part] = int(found[1])
            text = text[: found.start()] + text[found.end() :]
    excitation, _, emission = text.removeprefix("wv ").strip(" -").partition(" - ")
    same = excitation.strip().casefold() == emission.strip().casefold()
    channel = excitation.strip() if same or not emission else f"{excitation.strip()} - {emission.strip()}"
    return _Inside(channel, numbers.get(_FIELD, 1), numbers.get(_Z, 1), numbers.get(_TIME, 1), numbers.get(_WAVE, 0))


def _in_order(waves: dict[str, int]) -> tuple[str, ...]:
    """Channels by the numbers of their wavelengths, where these are known and tell them apart."""
    return tuple(sorted(waves, key=waves.__getitem__)) if len(set(waves.values())) == len(waves) else ()


def _read_stack(path: Path) -> _Stack:
    """Read a `.xdce`; whatever it does not say is left open."""
    size: float | None = None
    stack = _Stack()
    try:
        for element in xml_elements(path, None, _WITHOUT):
            if element.tag == "ObjectiveCalibration":
                size = float(element.get("pixel_width", "0")) or None
            elif element.tag == "offset_point" and (position := _position(element)):
                stack.offsets[int(element.get("index", "0")) + 1] = position
            elif element.tag == "Image":
                _read_image(stack, element)
                element.clear()
    except ValueError as error:
        raise SourceError(
            f"{path} has something else where a number belongs ({error}); put the microscope's own in its place, or "
            f"remove it ({_WITHOUT})."
        ) from None
    if not (stack.waves or stack.offsets or size):
        raise SourceError(f"{path} describes no images of InCell; put the microscope's own in its place, or remove it.")
    return _Stack(size, stack.waves, stack.positions, stack.offsets)


def _read_image(stack: _Stack, image: Element) -> None:
    name = image.get("filename", "").replace("\\", "/").rpartition("/")[2].lower()
    identifier = image.find("Identifier")
    if name and identifier is not None:
        stack.waves[name] = int(identifier.get("wave_index", "0"))
        for place in ("PlatePosition_um", "OffsetFromWellCenter"):
            found = image.find(place)
            if found is not None and (position := _position(found)):
                stack.positions[name] = position
                break


def _position(element: Element) -> tuple[float, float] | None:
    x, y = element.get("x"), element.get("y")
    return None if x is None or y is None else (float(x), float(y))


INCELL = FolderLayout("incell", "InCell Analyzer", _fits, _entries)
