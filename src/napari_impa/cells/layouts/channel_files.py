"""Files of one channel each, joined by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from napari_impa.cells.layouts.entry import SourceEntry
from napari_impa.cells.readers import probe_image

_CHANNEL = re.compile(r"(?<![A-Za-z0-9])(?:w|ch|c|channel[ _-]?)(\d{1,2})(?![A-Za-z0-9])", re.IGNORECASE)


def joined_channels(root: Path, images: list[Path]) -> tuple[list[SourceEntry], tuple[str, ...] | None]:
    """Join files whose names differ only in a channel number (`_w1`, `_ch2`), if all sites have the same channels."""
    groups: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for file in images:
        name = file.relative_to(root).as_posix()
        matches = list(_CHANNEL.finditer(file.name))
        if not matches:
            break
        start = len(name) - len(file.name)
        match = matches[-1]
        site = name[: start + match.start()].rstrip("_- .") + name[start + match.end() :]
        groups[site][match.group(1)] = file
    else:
        numbers = [tuple(sorted(group, key=int)) for group in groups.values()]
        joined = probe_image(images[0]).pixels.shape[0] == 1
        joined &= sum(map(len, numbers)) == len(images) and len(set(numbers)) == 1 and 2 <= len(numbers[0]) <= 8
        if joined:
            channels = numbers[0]
            entries = [SourceEntry(site, tuple(group[number] for number in channels)) for site, group in groups.items()]
            return entries, tuple(f"channel {int(number)}" for number in channels)
    return [SourceEntry(file.relative_to(root).as_posix(), (file,)) for file in images], None
