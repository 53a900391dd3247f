"""What the folders of images are called after: plates, or conditions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.cells.words import CONTROLS

Parts = tuple[str, ...]
"""Names of folders, the outer first."""


def are_conditions(source: SourceFiles, choice: LayoutChoice, images: Iterable[Path]) -> bool:
    """Whether the outermost folders are conditions: where that is chosen, or one is called as a control is."""
    return _say_conditions(set(map(source.folder, images)), choice)


def _say_conditions(folders: set[Parts], choice: LayoutChoice) -> bool:
    if choice.folders is not None:
        return choice.folders == "conditions"
    outer = {parts[0].strip().casefold() for parts in folders if parts}
    return len(outer) > 1 and not outer.isdisjoint(CONTROLS)


def plate_names(
    source: SourceFiles, choice: LayoutChoice, images: Iterable[Path], inside: str = r"(?!)"
) -> Callable[[Path], str]:
    """Name plates after the folders that hold their images.

    Parameters
    ----------
    images
        Files of the plates.
    inside
        Matches names of folders that are parts of a plate (`TimePoint_1`, `Images`), and not the plate.

    Returns
    -------
    The plate of an image; empty where folders are conditions and say nothing of plates.
    """
    part = re.compile(inside, re.IGNORECASE)
    folders = set(map(source.folder, images))
    conditions = _say_conditions(folders, choice)
    telling = {folder: tuple(name for name in folder[conditions:] if not part.fullmatch(name)) for folder in folders}
    different = set(telling.values())
    if different <= {()}:
        own = "" if conditions else _own_name(source.root, part)
        return lambda image: own
    common = _common(different)
    last = Counter(parts[-1] for parts in different if parts)
    names: dict[Parts, str] = {}
    for parts in different:
        innermost = parts[-1] if parts and last[parts[-1]] == 1 else "_".join(parts[common:])
        names[parts] = innermost or _own_name(source.root, part)
    by_folder = {folder: names[parts] for folder, parts in telling.items()}
    return lambda image: by_folder[source.folder(image)]


def folder_around(folder: Parts, known: Container[Parts]) -> Parts | None:
    """The folder of `known` that is this one or the nearest around it; None where there is none."""
    return next((folder[:length] for length in range(len(folder), -1, -1) if folder[:length] in known), None)


def folders_of_several(source: SourceFiles, named: Iterable[tuple[Path, str, str]]) -> set[Parts]:
    """Folders in which files of several plates lie, told by the beginnings of their names.

    One plate's files may be called in several ways; the same well under two names is two plates.

    Parameters
    ----------
    named
        Files, how their names begin, and their wells.
    """
    wells: defaultdict[Parts, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file, beginning, well in named:
        wells[source.folder(file)][beginning].add(well)
    return {
        folder
        for folder, by_name in wells.items()
        if sum(map(len, by_name.values())) > len(set().union(*by_name.values()))
    }


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
