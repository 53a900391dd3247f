"""Files that a table names as they were called on another computer, found where they are now.

A path that is there is taken as it is. Of any other, as of an address (`s3://…`), the longest end counts that a file
below the source's folder has, else one that the folders around it have.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from napari_impa.cells.layouts.layout import SourceFiles

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/*", re.IGNORECASE)  # of one letter, it is a drive
_UP = 7  # folders around the source: JUMP's tables lie in workspace/load_data_csv/BATCH/PLATE, its images elsewhere


@dataclass(frozen=True)
class FoundFile:
    """Where a file is now.

    Parameters
    ----------
    files
        The one file; several where they fit equally, none where there is none.
    tail
        How many last parts of its path it has in common with the name that was given.
    instead_of
        The folder that was given and the one that stands for it, where they differ.
    """

    files: tuple[Path, ...] = ()
    tail: int = 0
    instead_of: tuple[str, str] | None = None


class FileFinder:
    """Finds files for a source.

    Parameters
    ----------
    source
        Where they are looked for.
    table
        The table that names them.
    """

    def __init__(self, source: SourceFiles, table: Path) -> None:
        self._source, self._table = source, table
        self._known: dict[str, FoundFile] = {}
        self._folders: dict[tuple[str, ...], list[tuple[Path, int]]] = {}

    def find(self, given: str) -> FoundFile:
        """Find the file that a table names by a path or an address."""
        if given not in self._known:
            self._known[given] = self._find(given)
        return self._known[given]

    def _find(self, given: str) -> FoundFile:
        text = local_path(given)
        parts = tuple(part for part in (text or _SCHEME.sub("", unquote(given))).split("/") if part not in ("", "."))
        if not parts:
            return FoundFile()
        if text is not None:
            for folder in (self._table.parent, self._source.root):
                path = folder / text  # an absolute one stays as it is
                if os.path.isfile(path):
                    return FoundFile((path,), len(parts) + 1)
        return self._below(parts) or self._around(parts) or FoundFile()

    def _below(self, parts: tuple[str, ...]) -> FoundFile | None:
        wanted = tuple(part.casefold() for part in parts)
        tails = {file: _common_end(wanted, own) for own, file in self._index.get(wanted[-1], ())}
        longest = max(tails.values(), default=0)
        best = [file for file, tail in tails.items() if tail == longest]
        if len(best) > 1:  # names that differ in case alone
            best = [file for file in best if file.name == parts[-1]] or best
        return _found(tuple(best), longest, parts) if best else None

    @cached_property
    def _index(self) -> dict[str, list[tuple[tuple[str, ...], Path]]]:
        index: defaultdict[str, list[tuple[tuple[str, ...], Path]]] = defaultdict(list)
        outer = tuple(part.casefold() for part in self._source.root.resolve().parts)
        for file in self._source.files:
            inner = (*self._source.folder(file), file.name)
            own = (*outer, *(part.casefold() for part in inner))
            index[own[-1]].append((own, file))
        return index

    def _around(self, parts: tuple[str, ...]) -> FoundFile | None:
        """By the end of the path below a folder around the source; these are not searched, they may be large."""
        folder, name = parts[:-1], parts[-1]
        if folder not in self._folders:
            around = list(self._source.root.resolve().parents)[:_UP]
            ends = [
                (here.joinpath(*folder[skip:]), len(folder) - skip) for skip in range(len(folder)) for here in around
            ]
            self._folders[folder] = [(here, length) for here, length in ends if here.is_dir()]
        for here, length in self._folders[folder]:
            if (here / name).is_file():
                return _found((here / name,), length + 1, parts)
        return None


def local_path(given: str) -> str | None:
    """A path with `/` between its parts, of Windows too and of `file:` addresses; None for any other address.

    >>> local_path("C:\\\\plates\\\\a.tif"), local_path("file:///data/a%20b.tif"), local_path("s3://bucket/a.tif")
    ('C:/plates/a.tif', '/data/a b.tif', None)
    """
    scheme = _SCHEME.match(given)
    if scheme is None:
        return given.replace("\\", "/")
    if scheme[1].casefold() != "file":
        return None
    path = "/" + unquote(given[scheme.end() :]).replace("\\", "/")
    return path[1:] if re.match(r"/[A-Za-z]:/", path) else path


def _common_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _found(files: tuple[Path, ...], tail: int, parts: tuple[str, ...]) -> FoundFile:
    old = "/".join(parts[:-tail])
    new = "/".join(files[0].absolute().parts[:-tail]).replace("//", "/")
    return FoundFile(files, tail, (old, new) if old else None)
