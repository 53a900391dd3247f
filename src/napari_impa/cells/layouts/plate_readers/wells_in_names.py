"""Names that say well, site and channel in some way of their own: `A01_s1_DNA.tif`, `plate3_B7_f02_ch1.png`.

A name is taken apart at `_`, `-`, `.` and blanks. The first part that is a well is the well; what comes before it is
the plate's; parts such as `s1`, `f02`, `z3`, `t1`, `w2`, `ch1` say what their letters say, a bare number after the
well is the site, and of what is left the words that come again in every site are its channels.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import folders_of_several, plate_names
from napari_impa.cells.wells import well_name

_APART = re.compile(r"[_\-. ]+")
_WELLS = (
    re.compile(r"(?:[A-P]|A[A-F])\d{2}"),
    re.compile(r"(?:[A-P]|A[A-F])[1-9]"),
    re.compile(r"[abdeg-o]\d{2}"),  # c01, f02, p03 are rather a channel, a field and a plane
)
_PARTS = {
    "site": re.compile(r"(?:s|f|site|field|fld|fov|pos|position|img|image)(\d+)", re.IGNORECASE),
    "z": re.compile(r"(?:z|zstep|plane)(\d+)", re.IGNORECASE),
    "time": re.compile(r"(?:t|tp|time|timepoint)(\d+)", re.IGNORECASE),
    "channel": re.compile(r"(?:w|ch|c|channel|wv)(\d+)", re.IGNORECASE),
}
_LOOKED_AT = 2000  # files by which it is seen whether words are channels
_MOST_CHANNELS = 30


class _Name(NamedTuple):
    """What a name says; `words` are the parts that nothing is known of."""

    before: str
    well: str
    site: int
    z: int
    time: int
    channel: str
    words: str
    lettered: bool  # whether its number is said to be that of a site


def _named(file: str) -> _Name | None:
    parts = _APART.split(file.rpartition(".")[0])
    at = next((i for well in _WELLS for i, part in enumerate(parts) if well.fullmatch(part)), None)
    if at is None:
        return None
    numbers: dict[str, int] = {}
    words: list[str] = []
    lettered = False
    for part in parts[at + 1 :]:
        for what, pattern in _PARTS.items():
            if what not in numbers and (found := pattern.fullmatch(part)):
                numbers[what] = int(found[1])
                lettered |= what == "site"
                break
        else:
            if part.isdecimal() and "site" not in numbers and len(part) < 5:
                numbers["site"] = int(part)
            elif part.casefold() not in ("ome", ""):
                words.append(part)
    channel = str(numbers["channel"]) if "channel" in numbers else ""
    before, well = "_".join(parts[:at]), well_name(parts[at])
    return _Name(
        before,
        well,
        numbers.get("site", 1),
        numbers.get("z", 1),
        numbers.get("time", 1),
        channel,
        " ".join(words),
        lettered,
    )


def _fits(source: SourceFiles) -> Fit:
    if not source.images or source.share(_named) < 0.9:
        return Fit.NO
    some = [(file, found) for file in source.images[:_LOOKED_AT] if (found := _named(file.name))]
    return Fit.NO if _are_channels(source, some) is None else Fit.LOOSELY


def _are_channels(source: SourceFiles, named: Iterable[tuple[Path, _Name]]) -> bool | None:
    """Whether the words of names are channels, or the same in all names; None where they are something else."""
    fields: defaultdict[tuple[object, ...], set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for file, name in named:
        place = (source.folder(file), name.before, name.well, name.site, name.z, name.time, name.channel)
        if name.words in fields[place]:
            return None  # two files that nothing tells apart
        fields[place].add(name.words)
        counts[name.words] += 1
    if len(counts) == 1:
        return False
    often = {words for words, count in counts.items() if 2 * count >= len(fields)}
    return True if len(counts) <= _MOST_CHANNELS and often and any(often <= one for one in fields.values()) else None


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    named = [(file, found) for file in source.images if (found := _named(file.name))]
    words = _are_channels(source, named)
    plate_of = plate_names(source, choice, [file for file, _ in named], r"TimePoint_?\d+|Images?|data")
    several = folders_of_several(source, ((file, name.before, name.well) for file, name in named))
    planes = []
    for file, name in named:
        plate = name.before if name.before and source.folder(file) in several else plate_of(file)
        channel = " ".join(filter(None, (name.channel, name.words if words else "")))
        planes.append(PlaneFile(file, channel, plate, name.well, name.site, name.z, name.time))
    notes = []
    if planes:
        first = planes[0]
        channel = f", channel {first.channel}" if first.channel else ""
        notes.append(
            f"Wells and sites were read from names (guessed): {first.file.name} is well {first.well}, site "
            f"{first.site}{channel}."
        )
    # a bare number may be that of a cell
    listed = PlatePlanes(
        planes, notes=tuple(notes), plates_by_folder=not several, whole_fields=all(name.lettered for _, name in named)
    )
    return plate_listing(source, WELLS_IN_NAMES.title, listed, choice)


WELLS_IN_NAMES = FolderLayout("names", "wells in the names of files", _fits, _entries)
