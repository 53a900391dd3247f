"""What a layout is: whether a folder is built so, and what it then holds; and the files that layouts look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from napari_impa.cells.layouts.entry import Listing


@dataclass(frozen=True, eq=False)
class SourceFiles:
    """What a user gave as a source, and the files there, found when they are first asked for.

    Parameters
    ----------
    path
        A folder or a file.
    """

    path: Path

    @cached_property
    def root(self) -> Path:
        """The folder, or the one that the file stands in."""
        return self.path if self.path.is_dir() else self.path.parent

    @cached_property
    def files(self) -> list[Path]:
        """All files below `root`, as `walk` gives them."""
        return walk(self.root)

    @cached_property
    def tables(self) -> list[Path]:
        """The CSV tables: the file itself where it is one, else those below the folder."""
        tables = [self.path] if self.path.is_file() else self.files
        return [file for file in tables if file.suffix.lower() == ".csv"]


@dataclass(frozen=True)
class FolderLayout:
    """One way in which images lie in a folder.

    Parameters
    ----------
    name
        What it is called.
    fits
        Whether a source is built so; it looks at names, and at most at the first line of a table.
    entries
        What a source holds that is built so; raises `SourceError` where it is faulty.
    """

    name: str
    fits: Callable[[SourceFiles], bool]
    entries: Callable[[SourceFiles], Listing]


def walk(folder: Path) -> list[Path]:
    """Find all files below a folder, sorted, without hidden ones and without what `.cells` folders hold."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".cells"))
        found += [Path(here, name) for name in sorted(files) if not name.startswith(".")]
    return found
