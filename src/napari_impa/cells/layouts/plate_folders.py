"""What the folders of images are called after: plates, or conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from napari_impa.cells.layouts.choice import LayoutChoice
from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.cells.words import CONTROLS

Parts = tuple[str, ...]
"""Names of folders, the outer first."""


def are_conditions(source: SourceFiles, choice: LayoutChoice, images: Iterable[Path]) -> bool:
    """Whether the outermost folders are conditions: where that is chosen, or one is called as a control is."""
    if choice.folders is not None:
        return choice.folders == "conditions"
    outer = {parts[0].strip().casefold() for file in images if (parts := source.folder(file))}
    return len(outer) > 1 and not outer.isdisjoint(CONTROLS)


def plate_names(
    source: SourceFiles, choice: LayoutChoice, images: list[Path], inside: str = r"(?!)"
) -> dict[Path, str]:
    """Name the plate of each folder that holds images, after the folder.

    Parameters
    ----------
    images
        Files of the plates.
    inside
        Matches names of folders that are parts of a plate (`TimePoint_1`, `Images`), and not the plate.

    Returns
    -------
    By the folder of a file: the plate; empty where folders are conditions and say nothing of plates.
    """
    part = re.compile(inside, re.IGNORECASE)
    conditions = are_conditions(source, choice, images)
    folders: dict[Path, Parts] = {}
    for folder in dict.fromkeys(file.parent for file in images):
        parts = folder.relative_to(source.root).parts[conditions:]
        folders[folder] = tuple(name for name in parts if not part.fullmatch(name))
    different = set(folders.values())
    if different == {()}:
        own = "" if conditions else _own_name(source.root, part)
        return dict.fromkeys(folders, own)
    common = _common(different)
    last: dict[str, set[Parts]] = {}
    for parts in different:
        last.setdefault(parts[-1] if parts else "", set()).add(parts)
    names = {
        parts: parts[-1]
        if parts and len(last[parts[-1]]) == 1
        else "_".join(parts[common:]) or _own_name(source.root, part)
        for parts in different
    }
    return {folder: names[parts] for folder, parts in folders.items()}


def _own_name(root: Path, part: re.Pattern[str]) -> str:
    """The name of the folder that a user gave, or of the one around it where that is only a part of a plate."""
    resolved = root.resolve()
    whole = next((one for one in (resolved, *resolved.parents) if one.name and not part.fullmatch(one.name)), resolved)
    return whole.name


def _common(folders: set[Parts]) -> int:
    """How many outer folders all have in common, of which at least the innermost is left to tell a plate."""
    shortest = min(map(len, folders))
    same = (len({parts[level] for parts in folders}) == 1 for level in range(shortest))
    count = next((level for level, one in enumerate(same) if not one), shortest)
    return min(count, max(shortest - 1, 0))
