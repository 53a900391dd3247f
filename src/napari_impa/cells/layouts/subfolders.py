"""A folder of images: one subfolder a condition, or a flat folder that says nothing of conditions."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.channel_files import joined_channels
from napari_impa.cells.layouts.entry import Listing, passed_over
from napari_impa.cells.layouts.layout import APPLE_DOUBLE, Fit, FolderLayout, SourceFiles


def _fits_subfolders(source: SourceFiles) -> Fit:
    return Fit.ANYTHING if any(map(source.folder, source.readable)) else Fit.NO


def _fits_flat(source: SourceFiles) -> Fit:
    return Fit.ANYTHING if source.readable and not any(map(source.folder, source.readable)) else Fit.NO


def _subfolders(source: SourceFiles, choice: LayoutChoice) -> Listing:
    return _listing(source, list(filter(source.folder, source.readable)), SUBFOLDERS)


def _flat(source: SourceFiles, choice: LayoutChoice) -> Listing:
    return _listing(source, source.readable, FLAT_FOLDER)


def _listing(source: SourceFiles, images: list[Path], layout: FolderLayout) -> Listing:
    made_of = _made_of_others(images)
    joined = joined_channels(source, [file for file in images if file not in made_of])
    table = pd.DataFrame(index=range(len(joined.entries)))
    if layout is SUBFOLDERS:
        table["condition"] = [source.folder(entry.files[0])[0] for entry in joined.entries]
    skipped = dict.fromkeys(source.apple_doubles, APPLE_DOUBLE)
    skipped |= passed_over(source.files, joined.entries) | joined.skipped | made_of
    files = [entry.files[0] for entry in joined.entries]
    notes = (*joined.notes, *_one_around(source, files), *_numbered(source, files))
    return Listing(joined.entries, table, skipped, layout.title, joined.channels, notes=notes)


def _made_of_others(images: list[Path]) -> dict[Path, str]:
    """The images that by their names are thumbnails or overlays of others beside them, and what is said of them."""
    stems = {(file.parent, file.stem.casefold()) for file in images}
    named = ((file, found) for file in images if (found := _MADE.fullmatch(file.stem)))
    return {
        file: f"made of another image by its name ({found['what'].lower()})"
        for file, found in named
        if (file.parent, found["image"].casefold()) in stems
    }


def _one_around(source: SourceFiles, files: list[Path]) -> tuple[str, ...]:
    """Say where all images lie in one folder, whose own folders may be meant as the conditions."""
    folders = {source.folder(file)[:2] for file in files}
    if len({folder[:1] for folder in folders}) > 1 or len(folders) < 2 or not all(folders):
        return ()
    inner = sorted(folder[1] if len(folder) > 1 else "." for folder in folders)
    return (
        f"All images lie in the folder {next(iter(folders))[0]}, which was taken for their condition: where its "
        f"folders ({', '.join(inner[:3])}{', …' * (len(inner) > 3)}) are the conditions, give it instead.",
    )


def _numbered(source: SourceFiles, files: list[Path]) -> tuple[str, ...]:
    """Say where files differ by the number of a Z plane or a time alone, which were taken for fields.

    The name of a condition's folder may be a time, and is not asked.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    kinds: dict[tuple[str, ...], str] = {}
    for file in files:
        condition, name = source.folder(file)[:1], source.below(file)
        name = name.partition("/")[2] if condition else name
        if (found := _PLANE.search(name)) is not None:
            group = (*condition, name[: found.start()], found[1], name[found.end() :])
            groups.setdefault(group, []).append(name)
            kinds[group] = "times" if found[1].lower().startswith("t") else "Z planes"
    several = [field for field, names in groups.items() if len(names) > 1]
    if not several:
        return ()
    what, (one, other, *_) = kinds[several[0]], groups[several[0]]
    return (
        f"{one} and {other} differ by a number of {what}, and each was taken for a field of its own (guessed): "
        f"where they are {what} of one field, the same cells come several times; project or choose them first.",
    )


_MADE = re.compile(r"(?P<image>.+?)[ _.-]+(?P<what>thumb(?:nail)?s?|previews?|overlays?|outlines?)", re.IGNORECASE)
_PLANE = re.compile(r"(?<![A-Za-z0-9])(z|t|time|plane|slice)[ _-]?\d{1,4}(?![A-Za-z0-9])", re.IGNORECASE)

SUBFOLDERS = FolderLayout("subfolders", "one subfolder a condition", _fits_subfolders, _subfolders)
FLAT_FOLDER = FolderLayout("flat", "a flat folder", _fits_flat, _flat)
