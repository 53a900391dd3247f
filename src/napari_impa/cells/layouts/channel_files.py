"""Files of one channel each, joined by their names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from napari_impa.cells.layouts.entry import SourceEntry
from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.cells.readers import probe_image

_CHANNEL = re.compile(r"(?<![A-Za-z0-9])(?:w|ch|c|channel[ _-]?)(\d{1,3})(?![A-Za-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class JoinedFiles:
    """Fields of one file or several, the channels' names where files were joined, and what was left out."""

    entries: list[SourceEntry]
    channels: tuple[str, ...] | None = None
    skipped: dict[Path, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def joined_channels(source: SourceFiles, images: list[Path]) -> JoinedFiles:
    """Join files whose names differ only in a channel number (`_w1`, `_ch2`), where most of them are named so.

    A field that lacks a channel which at least half of the fields have is left out, and said.
    """
    fields: defaultdict[str, dict[int, Path]] = defaultdict(dict)
    twice = False
    for file in images:
        number = _channel_of(source.below(file))
        if number is not None:
            site, channel = number
            twice |= fields[site].setdefault(channel, file) is not file
    counts = Counter(channel for files in fields.values() for channel in files)
    channels = tuple(sorted(channel for channel, count in counts.items() if 2 * count >= len(fields)))
    named = sum(map(len, fields.values()))
    if twice or len(channels) < 2 or 2 * named < len(images) or probe_image(images[0]).pixels.shape[0] != 1:
        return JoinedFiles([SourceEntry(source.below(file), (file,)) for file in images])
    entries: list[SourceEntry] = []
    skipped: dict[Path, str] = {}
    lacking: list[str] = []
    for site, files in fields.items():
        missing = [channel for channel in channels if channel not in files]
        if missing:
            lacking.append(f"{site} has no channel {missing[0]}")
            skipped |= dict.fromkeys(files.values(), f"a field without channel {missing[0]}")
        else:
            entries.append(SourceEntry(site, tuple(files[channel] for channel in channels)))
    more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
    notes = (f"Left out for want of a channel file: {lacking[0]}{more}.",) if lacking else ()
    if not entries:
        return JoinedFiles([SourceEntry(source.below(file), (file,)) for file in images])
    return JoinedFiles(entries, tuple(f"channel {channel}" for channel in channels), skipped, notes)


def _channel_of(name: str) -> tuple[str, int] | None:
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
    return f"{folder}{'/' * bool(folder)}{before}{own[match.end() :]}", int(match[1])
