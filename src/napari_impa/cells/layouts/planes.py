"""From the plane files of a plate to its fields: channels in order, Z planes and times as chosen, and what is amiss.

A plate layout only says what each file is (`PlaneFile`) and what the files beside them tell (`PlatePlanes`);
`plate_listing` makes fields of that, and says what was left out, projected or guessed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import NO_IMAGE, NOT_NAMED_SO, Listing
from napari_impa.cells.layouts.layout import APPLE_DOUBLE, SourceFiles
from napari_impa.cells.layouts.plate_field import PlaneFile, PlateField
from napari_impa.cells.layouts.plate_folders import are_conditions
from napari_impa.cells.layouts.plate_parts import put_together
from napari_impa.cells.readers import is_image
from napari_impa.cells.wells import Well, is_well
from napari_impa.errors import SourceError

PROJECTION = -1
"""The Z number of a file that the microscope itself made of all planes."""

NAMED = 3  # of fields that lack something, so many are named and the rest is counted

PLATE_MAP = "a table that may say what is in the wells; give it as a plate map"
"""Why a table beside a plate's images was passed over."""

_TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".ods")


@dataclass(frozen=True, eq=False)
class PlatePlanes:
    """What a plate layout finds.

    Parameters
    ----------
    planes
        One for each file (or plane) of a site; in any order.
    channels
        Names, or numbers as text, in the order in which they are read; what is missing here comes after, by number.
    pixel_size
        µm, where a file beside the images says it.
    sites
        What else is known of a site, by (plate, well, site): columns of the table.
    skipped
        Files that the layout knows and leaves out, and why; nothing is said of why of those that it has made use of.
        Whatever else lies in the folder is found by itself.
    notes
        What was guessed, in sentences.
    plates_by_folder
        Whether plates are called as their folders, which may be conditions.
    whole_fields
        Whether the images are a microscope's, however small; by names alone they may be crops.
    """

    planes: Sequence[PlaneFile]
    channels: tuple[str, ...] = ()
    pixel_size: float | None = None
    sites: Mapping[tuple[str, str, int | str], Mapping[str, object]] = field(default_factory=dict)
    skipped: Mapping[Path, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    plates_by_folder: bool = False
    whole_fields: bool = True


class _Place(NamedTuple):
    """What tells a field from all others."""

    condition: str
    plate: str
    acquisition: str
    well: str
    site: int | str
    time: int

    def __str__(self) -> str:
        parts = [self.plate, self.well, f"site {self.site}"]
        return " ".join(part for part in parts if part)


_Planes = dict[str, dict[int, PlaneFile]]  # by channel, by Z


def plate_listing(source: SourceFiles, title: str, found: PlatePlanes, choice: LayoutChoice) -> Listing:
    """Make fields of the planes of one or several plates.

    Parameters
    ----------
    source
        The folder, where other files are found that are passed over.
    title
        What the layout is called.
    found
        What its files are.
    choice
        Which Z planes and times are read.

    Raises
    ------
    SourceError
        If two files are the same plane, no site has all channels, or there is no such plane, time or layout.
    """
    notes, why = list(found.notes), dict(found.skipped)
    conditions = are_conditions(source, choice, (plane.file for plane in found.planes))
    planes: Sequence[PlaneFile] = found.planes
    if found.plates_by_folder and not conditions:
        planes, parts = put_together(planes)
        notes += parts
    places = _by_place(source, planes, conditions, choice)
    if not places:
        raise SourceError(f"{source.path} holds no image that {title} names so; choose the folder of a plate.")
    places, said_of_time = _of_time(source, places, choice, why, notes)
    channels = _channels(places, found.channels, why)
    complete = _complete(source, places, channels, why, notes)
    fields, said_of_z = _of_z(source, complete, channels, choice, why, notes)
    order = sorted(fields, key=_reading_order)
    entries = [_field(place, fields[place], channels, found.pixel_size, choice) for place in order]
    sites = found.sites
    if choice.plate is not None:  # all are of one plate, which is called otherwise now
        sites = {(choice.plate, well, site): known for (_, well, site), known in sites.items()}
    table = _table(order, sites, all_times=choice.time == "all")
    if found.plates_by_folder and not conditions and len({place.plate for place in order}) > 1:
        plates = list(dict.fromkeys(place.plate for place in order))
        notes.append(
            f"Folders were taken for {len(plates)} plates ({_some(plates)}; guessed); where they are conditions, say "
            "so with --folders conditions."
        )
    told = [text for text in (_counts(order), said_of_time, said_of_z) if text]
    skipped = _passed_over(source, entries, why)
    names = None if any(not name or name.isdecimal() for name in channels) else channels  # files may know them
    refusal = _refusal(source, places, choice)
    layout = f"{title} ({'; '.join(told)})" if told else title
    return Listing(
        entries,
        table,
        skipped,
        layout,
        names,
        found.pixel_size,
        tuple(notes),
        whole_fields=found.whole_fields,
        refusal=refusal,
    )


def _by_place(
    source: SourceFiles, planes: Iterable[PlaneFile], conditions: bool, choice: LayoutChoice
) -> dict[_Place, _Planes]:
    """Sort planes by field, channel and Z; a plane that two files show is a question that only the user can answer."""
    places: defaultdict[_Place, _Planes] = defaultdict(dict)
    plates = {plane.plate for plane in planes}
    if choice.plate is not None and len(plates) > 1:
        raise SourceError(
            f"{source.path} holds {len(plates)} plates ({_some(sorted(plates))}), which cannot all be called "
            f"{choice.plate}; give the folder of one."
        )
    for plane in planes:
        condition = (source.folder(plane.file) or ("",))[0] if conditions else ""
        plate = plane.plate if choice.plate is None else choice.plate
        place = _Place(condition, plate, plane.acquisition, plane.well, plane.site, plane.time)
        first = places[place].setdefault(plane.channel, {}).setdefault(plane.z, plane)
        if first is not plane:
            raise SourceError(
                f"{source.below(first.file)} and {source.below(plane.file)} are both {_of_channel(plane.channel)} of "
                f"{place}; remove one, or give the folder of one plate."
            )
    return places


def _of_time(
    source: SourceFiles, places: dict[_Place, _Planes], choice: LayoutChoice, why: dict[Path, str], notes: list[str]
) -> tuple[dict[_Place, _Planes], str]:
    """Keep the time that is chosen, and say so where there are several, and which sites lack it."""
    times = sorted({place.time for place in places})
    if choice.time == "all":
        return places, f"{len(times)} times" if len(times) > 1 else ""
    wanted = times[0] if choice.time == "first" else choice.time
    if wanted not in times and len(times) > 1:
        raise SourceError(f"{source.path} has no time {wanted}; its times are {_some(list(map(str, times)))}.")
    if wanted not in times:
        return places, ""  # the files may hold times, which is seen when they are opened
    kept = {place: planes for place, planes in places.items() if place.time == wanted}
    for place, planes in places.items():
        if place not in kept:
            why |= {plane.file: "another time" for by_z in planes.values() for plane in by_z.values()}
    there = {place._replace(time=wanted) for place in places}
    without = sorted(str(place) for place in there - kept.keys())
    if without:
        notes.append(f"{_count(len(without), 'site')} left out for want of time {wanted}: {_some(without)}.")
    which = "the first" if choice.time == "first" else f"time {wanted}"
    return kept, f"{which} of {len(times)} times" if len(times) > 1 else ""


def _refusal(source: SourceFiles, places: Mapping[_Place, _Planes], choice: LayoutChoice) -> str:
    """Say what was asked for and is not there, where names tell of one plane or one time only."""
    times = {place.time for place in places}
    planes = {z for by_channel in places.values() for by_z in by_channel.values() for z in by_z}
    if isinstance(choice.time, int) and len(times) == 1 and choice.time not in times:
        return f"{source.path} has no time {choice.time}; its images were taken once."
    if isinstance(choice.z, int) and len(planes) == 1 and choice.z not in planes:
        return f"{source.path} has no Z plane {choice.z}; its images have one plane."
    return ""


def _channels(places: Mapping[_Place, _Planes], known: Sequence[str], why: dict[Path, str]) -> tuple[str, ...]:
    """Channels that at least half of the fields have, in order; files of others are passed over."""
    counts = Counter(channel for planes in places.values() for channel in planes)
    kept = {channel for channel, count in counts.items() if 2 * count >= len(places)} or set(counts)
    for planes in places.values():
        for channel in planes.keys() - kept:
            what = f"of {_of_channel(channel)}, which only {counts[channel]} of {len(places)} sites have"
            why |= {plane.file: what for plane in planes[channel].values()}
    first = [channel for channel in known if channel in kept]
    return (*dict.fromkeys(first), *sorted(kept - set(first), key=_natural))


def _complete(
    source: SourceFiles, places: Mapping[_Place, _Planes], channels: tuple[str, ...], why: dict[Path, str],
    notes: list[str],
) -> dict[_Place, _Planes]:  # fmt: skip
    """Fields with all channels; those without are left out, and said."""
    complete: dict[_Place, _Planes] = {}
    lacking: dict[_Place, str] = {}
    for place, planes in places.items():
        missing = [channel for channel in channels if channel not in planes]
        if not missing:
            complete[place] = {channel: planes[channel] for channel in channels}
            continue
        lacking[place] = " and ".join(map(_of_channel, missing))
        for channel in channels:
            for plane in planes.get(channel, {}).values():
                why[plane.file] = f"of {place}, which lacks {lacking[place]}"
    if not complete:
        place, what = next(iter(lacking.items()))
        raise SourceError(
            f"No site in {source.path} has all channels ({', '.join(channels)}): {place} lacks {what}; bring the "
            "missing files, or give the folder of one plate."
        )
    if lacking:
        named = [f"{place} lacks {what}" for place, what in sorted(lacking.items(), key=lambda one: str(one[0]))]
        notes.append(f"{_count(len(lacking), 'site')} left out for want of a channel file: {_some(named, '; ')}.")
    return complete


def _of_z(
    source: SourceFiles, places: Mapping[_Place, _Planes], channels: tuple[str, ...], choice: LayoutChoice,
    why: dict[Path, str], notes: list[str],
) -> tuple[dict[_Place, list[list[PlaneFile]]], str]:  # fmt: skip
    """The planes of each field that are read, and in words what is made of them."""
    stacks = {
        place: len({z for by_z in planes.values() for z in by_z if z != PROJECTION}) for place, planes in places.items()
    }
    usual = Counter(stacks.values()).most_common(1)[0][0]
    odd = [f"{place} has {_count(count, 'plane')}" for place, count in stacks.items() if count != usual]
    numbers = sorted({z for planes in places.values() for by_z in planes.values() for z in by_z if z != PROJECTION})
    several = len(numbers) > 1
    if odd and several:
        notes.append(f"Sites differ in their Z planes: {_some(odd)}, the others {usual}.")
    projected = sum(all(PROJECTION in by_z for by_z in planes.values()) for planes in places.values())
    chosen: dict[_Place, list[list[PlaneFile]]] = {}
    if isinstance(choice.z, int) and several:
        if choice.z not in numbers:
            raise SourceError(
                f"{source.path} has no Z plane {choice.z}; its planes are {_some(list(map(str, numbers)))}."
            )
        for place, planes in places.items():
            if all(choice.z in by_z for by_z in planes.values()):
                chosen[place] = [[planes[channel][choice.z]] for channel in channels]
            else:
                why |= {
                    one.file: f"of {place}, which lacks Z plane {choice.z}"
                    for by_z in planes.values()
                    for one in by_z.values()
                }
        without = [str(place) for place in places if place not in chosen]
        if without:
            notes.append(f"{_count(len(without), 'site')} left out for want of Z plane {choice.z}: {_some(without)}.")
        said = f"Z plane {choice.z} of {len(numbers)}"
    else:
        made = projected == len(places) and (choice.z == "max" or not several)
        for place, planes in places.items():
            by_channel = [planes[channel] for channel in channels]
            chosen[place] = [
                [by_z[PROJECTION]] if made else [by_z[z] for z in sorted(by_z) if z != PROJECTION] or [by_z[PROJECTION]]
                for by_z in by_channel
            ]
        of = f"{usual} Z planes"
        how = f"the sharpest of {of}" if choice.z == "sharpest" else f"maximum projection of {of}"
        said = "the microscope's own projection" if made else how if several else ""
    read = {id(one) for stack in chosen.values() for by_z in stack for one in by_z}
    for planes in places.values() if several else ():
        for by_z in planes.values():
            for plane in by_z.values():
                if id(plane) not in read:
                    why.setdefault(plane.file, "another Z plane")
    return chosen, said


def _field(
    place: _Place, planes: list[list[PlaneFile]], names: tuple[str, ...], pixel_size: float | None, choice: LayoutChoice
) -> PlateField:
    parts = [place.condition, place.plate, place.acquisition, place.well, f"s{place.site}"]
    name = "_".join(part for part in parts if part) + (f"_t{place.time}" if choice.time == "all" else "")
    files = tuple({str(plane.file): plane.file for stack in planes for plane in stack}.values())
    named = () if names == ("",) else names
    return PlateField(name, files, None, tuple(map(tuple, planes)), named, pixel_size, choice.z == "sharpest")


def _table(
    order: list[_Place], sites: Mapping[tuple[str, str, int | str], Mapping[str, object]], *, all_times: bool
) -> pd.DataFrame:
    """One row a field; columns of which nothing is known are left out."""
    table = pd.DataFrame(order, columns=list(_Place._fields))
    if not all_times:
        table = table.drop(columns="time")
    unknown = [name for name in ("condition", "plate", "well") if (table[name] == "").all()]
    if table["acquisition"].nunique() < 2:
        unknown.append("acquisition")
    table = table.drop(columns=unknown)
    if sites:
        more = pd.DataFrame([sites.get((place.plate, place.well, place.site), {}) for place in order])
        table = pd.concat([table, more], axis=1)
    return table


def _counts(order: list[_Place]) -> str:
    plates = {place.plate for place in order if place.plate}
    wells = {(place.plate, place.well) for place in order if place.well}
    counted = ((len(plates), "plate"), (len(wells), "well"))
    return ", ".join(_count(number, what) for number, what in counted if number)


def _passed_over(source: SourceFiles, entries: Iterable[PlateField], why: Mapping[Path, str]) -> dict[Path, str]:
    used = {str(file) for entry in entries for file in entry.files}  # texts keep their hash, and paths do not
    skipped = dict.fromkeys(source.apple_doubles, APPLE_DOUBLE)
    for file in source.files:
        if str(file) not in used:
            table = file.suffix.lower() in _TABLES
            other = PLATE_MAP if table else NOT_NAMED_SO if is_image(file) else NO_IMAGE
            reason = why.get(file, other)
            if reason:
                skipped[file] = reason
    return skipped


def _reading_order(place: _Place) -> tuple[object, ...]:
    site = _natural(str(place.site))
    return (place.condition, place.plate, place.acquisition, _well_order(place.well), site, place.time)


@lru_cache(maxsize=8192)
def _well_order(well: str) -> tuple[Well, str]:
    return (Well.parse(well), "") if is_well(well) else (Well(0, 0), well)


@lru_cache(maxsize=8192)
def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key by which w2 comes before w10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name))


def _of_channel(name: str) -> str:
    return f"channel {name}" if name else "the image"


def not_there(lists: str, missing: int) -> tuple[str, ...]:
    """Say that a file lists images which are not there; nothing where none is missing."""
    which = "1 image that is" if missing == 1 else f"{missing:,} images that are"
    return (f"{lists} lists {which} not there.",) if missing else ()


def _some(names: Sequence[str], separator: str = ", ") -> str:
    more = len(names) - NAMED
    return separator.join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
