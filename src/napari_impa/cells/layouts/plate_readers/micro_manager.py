"""Micro-Manager: one file a plane in a folder a position, or one stack a position; positions named by wells or not.

`A1-Site_0/img_channel000_position000_time000000000_z000.tif` (2.0), `Pos0/img_000000000_DAPI_000.tif` (1.4) and
`exp_MMStack_A1-Site_0.ome.tif`, whose file knows its channels. Numbers are counted from 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import Parts, plate_names
from napari_impa.cells.wells import is_well, well_name

_TWO = re.compile(r"img_channel(?P<channel>\d{3})_position\d{3}_time(?P<time>\d{9})_z(?P<z>\d{3})\.tiff?")
_ONE = re.compile(r"img_(?P<time>\d{9})_(?P<channel>.+)_(?P<z>\d{3})\.tiff?")
_STACK = re.compile(r"(?P<name>.+)_MMStack(?:_(?P<position>.+?))?\.ome\.tiff?")
_WELL_SITE = re.compile(r"(?P<well>[A-Za-z]{1,2}\d{1,3})[-_ ]*(?:Site|Pos|site|pos)?[-_ ]*(?P<site>\d+)?")
_SUMMARY_BYTES = 1 << 16


class _Summary(NamedTuple):
    channels: tuple[str, ...] = ()
    pixel_size: float | None = None


def _named(name: str) -> re.Match[str] | None:
    return _TWO.fullmatch(name) or _ONE.fullmatch(name) or _STACK.fullmatch(name)


def _fits(source: SourceFiles) -> Fit:
    return Fit.NAMES if source.share(_named) >= 0.5 else Fit.NO


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    summaries = {source.folder(file): _summary(file) for file in source.beside("metadata.txt")}
    planes = list(_planes(source, choice, summaries))
    sizes = {summary.pixel_size for summary in summaries.values() if summary.pixel_size}
    channels = dict.fromkeys(name for summary in summaries.values() for name in summary.channels)
    texts = (".txt", ".json", ".pos")
    skipped = dict.fromkeys(source.beside(*texts), "")
    size = sizes.pop() if len(sizes) == 1 else None
    found = PlatePlanes(planes, tuple(channels), size, skipped=skipped, plates_by_folder=True)
    return plate_listing(source, MICRO_MANAGER.title, found, choice)


def _planes(source: SourceFiles, choice: LayoutChoice, summaries: dict[Parts, _Summary]) -> Iterator[PlaneFile]:
    named = [(file, found) for file in source.images if (found := _named(file.name))]
    files = [file for file, _ in named]
    positions = {folder: _place(folder[-1]) for folder in set(map(source.folder, files)) if folder}
    inside = "|".join(re.escape(folder[-1]) for folder, (well, _) in positions.items() if well) or r"(?!)"
    plate_of = plate_names(source, choice, files, rf"Pos\d*|Pos[-_].*|Default|{inside}")
    for file, found in named:
        folder = source.folder(file)
        if found.re is _STACK:
            well, site = _place(found["position"] or "")
            yield PlaneFile(file, "", plate_of(file), well, site)
        else:
            well, site = positions.get(folder) or _place(source.root.resolve().name)
            channel = found["channel"]
            if found.re is _TWO:
                names = summaries.get(folder, _Summary()).channels
                number = int(channel)
                channel = names[number] if number < len(names) else str(number)
            yield PlaneFile(file, channel, plate_of(file), well, site, int(found["z"]), int(found["time"]))


def _place(position: str) -> tuple[str, int | str]:
    """Well and site of a position's name; without a well, the whole name is the site."""
    found = _WELL_SITE.fullmatch(position)
    if found and is_well(found["well"]) and not position.casefold().startswith("pos"):
        return well_name(found["well"]), int(found["site"] or 0)
    number = re.fullmatch(r"Pos[-_ ]?(\d+)", position, re.IGNORECASE)
    return "", int(number[1]) if number else position or 0


def _summary(path: Path) -> _Summary:
    """Channels and pixel size of the beginning of a position's `metadata.txt`, which goes on for every plane."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(_SUMMARY_BYTES)
    names = re.search(r'"ChNames"\s*:\s*(\[[^\]]*\])', text)
    size = re.search(r'"PixelSize_?[uU]m"\s*:\s*([\d.]+)', text)
    try:
        channels = tuple(map(str, json.loads(names[1]))) if names else ()
    except ValueError:
        channels = ()
    return _Summary(channels, float(size[1]) or None if size else None)


MICRO_MANAGER = FolderLayout("micromanager", "Micro-Manager", _fits, _entries)
