"""Folders that hold one channel or Z plane of a plate each: `BBBC022_v1_images_20585w1`, `…w2`, as data are shared.

Their names differ in a number at the end alone, and what lies in them fits together as one plate does: the same sites,
of one channel each whose number the folder says, or of the same channels. Nothing else is put together.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from napari_impa.cells.layouts.plate_field import PlaneFile

_CHANNEL = re.compile(r"(?P<plate>.*?)[-_ .]*(?:w|ch|c|channel|wave)[-_ ]?0*(?P<number>\d+)", re.IGNORECASE)
_NAMED = 3  # folders; more are only counted

_PLANE = re.compile(r"(?P<plate>.*?)[-_ .]*(?:z|zstep|plane)[-_ ]?0*(?P<number>\d+)", re.IGNORECASE)


def put_together(planes: Sequence[PlaneFile]) -> tuple[list[PlaneFile], tuple[str, ...]]:
    """Planes of plates that are called after folders, of which some are parts of one plate.

    Returns
    -------
    The planes, and what was put together (guessed), in sentences.
    """
    whole, notes = list(planes), []
    for what, pattern in (("channel", _CHANNEL), ("Z plane", _PLANE)):
        by_plate: defaultdict[str, list[PlaneFile]] = defaultdict(list)
        for plane in whole:
            by_plate[plane.plate].append(plane)
        numbers: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for name in by_plate:
            if (found := pattern.fullmatch(name)) and found["plate"]:
                numbers[found["plate"]][name] = int(found["number"])
        for plate, parts in numbers.items():
            of_parts = {name: by_plate[name] for name in parts}
            if plate in by_plate or len(parts) < 2 or not _fit(of_parts, parts, what):
                continue
            put = {
                id(plane): replace(plane, plate=plate, z=plane.z if what == "channel" else parts[name])
                for name, some in of_parts.items()
                for plane in some
            }
            whole = [put.get(id(plane), plane) for plane in whole]
            named = ", ".join(sorted(parts)[:_NAMED]) + (" …" if len(parts) > _NAMED else "")
            notes.append(f"The {len(parts)} folders {named} were taken for a {what} each of plate {plate} (guessed).")
    return whole, tuple(notes)


def _fit(parts: dict[str, list[PlaneFile]], numbers: dict[str, int], what: str) -> bool:
    """Whether folders have the same sites, of a channel each or of the same channels."""
    if len({frozenset((one.well, one.site, one.time) for one in some) for some in parts.values()}) > 1:
        return False
    channels = {name: frozenset(one.channel for one in some) for name, some in parts.items()}
    if what == "channel":
        return all(only == {str(numbers[name])} for name, only in channels.items())
    return len(set(channels.values())) == 1 and all(one.z == 1 for some in parts.values() for one in some)
