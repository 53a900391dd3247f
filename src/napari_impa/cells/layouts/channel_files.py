"""Files of one channel each, joined by their names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_impa.cells.layouts.entry import SourceEntry
from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.cells.readers import probe_image
from napari_impa.errors import SourceError

_CHANNEL = re.compile(r"(?<![A-Za-z0-9])(?:w|ch|c|channel[ _-]?)(\d{1,3})(?![A-Za-z0-9])", re.IGNORECASE)

_STAINS = (
    r"dapi|hoechst\d*|dna|[ey]?[cgyrb]fp|mcherry|tdtomato|fitc|tritc|texas[ -]?red|cy[2357](?:\.5)?|(?:alexa|af) ?\d{3}"
    r"|phalloidin|f?actin|tubulin|mito\w*|er|rna|agp|bright ?field|bf|dic|phase|edu|ki67|draq\d|sytox|vimentin|lamin"
)
_STAIN = re.compile(rf"(?P<field>.*[^/_. -])[_. -]+(?P<stain>{_STAINS})(?P<ending>\.[^/]*)", re.IGNORECASE)


@dataclass(frozen=True)
class JoinedFiles:
    """Fields of one file or several, names of channels where files were joined by them, and what was left out."""

    entries: list[SourceEntry]
    channels: tuple[str, ...] | None = None
    skipped: dict[Path, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def joined_channels(source: SourceFiles, images: list[Path]) -> JoinedFiles:
    """Join files whose names differ only in a channel's number (`_w1`, `_ch2`) or in a stain (`_DAPI`, `_GFP`).

    So where most of them are named so; stains in any case. A field that lacks a channel which at least half of the
    fields have is left out, and said. Numbers of which no two fields have one in common may be of wells or slides: then
    each file is a field, and that is said.

    Raises
    ------
    SourceError
        If fields have several channels each, and none has them all.
    """
    for of, title in ((_channel_of, "channel {}"), (_stain_of, "{}")):
        joined = _joined(source, images, of, title)
        if joined is not None:
            return joined
    return JoinedFiles(_alone(source, images))


def _joined(
    source: SourceFiles, images: list[Path], of: Callable[[str], tuple[str, str] | None], title: str
) -> JoinedFiles | None:
    """Join files by the channel that a function finds in their names; None where they are not named so."""
    fields: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    spelled: dict[str, str] = {}
    twice = False
    for file in images:
        found = of(source.below(file))
        if found is not None:
            site, channel = found[0], found[1].casefold()
            spelled.setdefault(channel, found[1])
            twice |= fields[site].setdefault(channel, file) is not file
    counts = Counter(channel for files in fields.values() for channel in files)
    often = {channel for channel, count in counts.items() if 2 * count >= len(fields)}
    channels = tuple(sorted(often, key=lambda channel: (len(channel) if channel.isdecimal() else 0, spelled[channel])))
    titles = tuple(spelled[channel] for channel in channels)
    named = sum(map(len, fields.values()))
    if twice or len(channels) < 2 or 2 * named < len(images) or probe_image(images[0]).pixels.shape[0] != 1:
        return None
    entries: list[SourceEntry] = []
    skipped: dict[Path, str] = {}
    lacking: list[str] = []
    for site, files in fields.items():
        missing = [channel for channel in channels if channel not in files]
        if missing:
            lacking.append(f"{site} has no channel {spelled[missing[0]]}")
            skipped |= dict.fromkeys(files.values(), f"a field without channel {spelled[missing[0]]}")
        else:
            entries.append(SourceEntry(site, tuple(files[channel] for channel in channels)))
    more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
    notes = (f"Left out for want of a channel file: {lacking[0]}{more}.",) if lacking else ()
    if not entries and max(map(len, fields.values())) > 1:
        if of is _channel_of and not _overlap(fields.values()):
            return JoinedFiles(_alone(source, images), notes=(_apart(fields),))
        raise SourceError(
            f"Files of {source.root.name} are of the channels {', '.join(titles)}, and no field has them all "
            f"({lacking[0]}{more}); bring the files that are missing, or give fields of the same channels alone."
        )
    if not entries:
        return None
    called = None if of is _channel_of and _name_themselves(entries[0]) else tuple(map(title.format, titles))
    return JoinedFiles(entries, called, skipped, notes)


def _name_themselves(entry: SourceEntry) -> bool:
    """Whether the files of a field say what their channels are, so that numbers in their names need not."""
    names = entry.probe().channels
    return all(names) and len(set(names)) == len(names)


def _alone(source: SourceFiles, images: list[Path]) -> list[SourceEntry]:
    return [SourceEntry(source.below(file), (file,)) for file in images]


def _overlap(fields: Collection[Collection[str]]) -> bool:
    """Whether fields of other channels have some in common."""
    sets = set(map(frozenset, fields))
    return sum(map(len, sets)) > len(frozenset().union(*sets))


def _apart(fields: Mapping[str, Collection[str]]) -> str:
    (one, ours), *others = fields.items()
    other, theirs = next((site, channels) for site, channels in others if set(channels) != set(ours))
    return (
        f"Files are numbered as channels are, and fields have no number in common ({one} has {', '.join(ours)} and "
        f"{other} has {', '.join(theirs)}): each file was taken for a field of its own (guessed)."
    )


def _channel_of(name: str) -> tuple[str, str] | None:
    """A file's field, its name without the channel, and the number of its channel; None where it has none.

    A name that is nothing but such a number, `w1` or `C01`, is a well's.
    """
    folder, _, own = name.rpartition("/")
    matches = list(_CHANNEL.finditer(own))
    if not matches:
        return None
    match = matches[-1]
    before = own[: match.start()].rstrip("_- .")
    if not before:
        return None
    return f"{folder}{'/' * bool(folder)}{before}{own[match.end() :]}", str(int(match[1]))


def _stain_of(name: str) -> tuple[str, str] | None:
    """A file's field, its name without the stain at its end, and the stain; None where it ends in none."""
    match = _STAIN.fullmatch(name)
    return None if match is None else (f"{match['field']}{match['ending']}", match["stain"])
