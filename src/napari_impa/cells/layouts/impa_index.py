"""IMPA's own layout: a table of sample keys, and an .npy file for each.

A sample key is the stem of an .npy file, or the end of its path with the parts joined by `_`.
"""

from __future__ import annotations

import re
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing, SourceEntry, passed_over, told_apart
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles, walk
from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.errors import SourceError

_KEYS = "SAMPLE_KEY"


def _fits(source: SourceFiles) -> Fit:
    return Fit.DESCRIBED if _indexes(source) else Fit.NO


def _indexes(source: SourceFiles) -> list[Path]:
    near = [file for file in source.tables if len(file.relative_to(source.root).parts) <= 2]
    return [file for file in near if is_index(file)]


def is_index(file: Path) -> bool:
    """Whether a table is one of sample keys, by its first line."""
    with open(file, encoding="utf-8-sig", errors="replace") as text:
        return _KEYS in re.split(r"[,;\t]", text.readline().strip().replace('"', ""))


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    indexes, root, found = _indexes(source), source.root, source.files
    if len(indexes) > 1:
        names = " and ".join(file.relative_to(root).as_posix() for file in indexes[:2])
        raise SourceError(f"{root} has several index tables ({names}); give the one to use as the source.")
    path = indexes[0]
    if source.path.is_file() and not any(file.suffix == ".npy" for file in found):  # the images lie beside its folder
        root = root.parent
        found = walk(root)
    table = read_table(path)
    if _KEYS not in table:
        raise SourceError(f"{path} has no column {_KEYS}, by which its images are found; save it again as CSV.")
    files: dict[str, Path] = {}
    twice: set[str] = set()
    for file in found:
        if file.suffix.lower() == ".npy":
            parts = file.relative_to(root).with_suffix("").parts
            for first in range(len(parts)):
                key = _key("_".join(parts[first:]))
                if files.setdefault(key, file) != file:
                    twice.add(key)
    if not files:
        raise SourceError(
            f"{root} holds no .npy images for the sample keys of {path.name}; bring them into this folder."
        )
    keys = [_key(str(value)) for value in table[_KEYS]]
    missing = [str(value) for value, key in zip(table[_KEYS], keys, strict=True) if key not in files]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SourceError(f"{path.name} names the sample {missing[0]}{more}, of which there is no .npy file in {root}.")
    unclear = next((key for key in keys if key in twice), None)
    if unclear is not None:
        raise SourceError(
            f"Two .npy files in {root} fit the sample key {unclear} of {path.name}; remove or rename one."
        )
    entries = [SourceEntry(files[key].relative_to(root).as_posix(), (files[key],)) for key in keys]
    return Listing(told_apart(entries), table, passed_over(found, entries, path), f"IMPA's index {path.name}")


def _key(text: str) -> str:
    return text.removesuffix(".npy").replace("-", "_").replace("/", "_")


IMPA_INDEX = FolderLayout("impa", "IMPA's index", _fits, _entries)
