"""What a layout is: how surely a source is built so, and what it then holds; and the files that layouts look at."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.additions.masks_beside import NamedMask, named_masks
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.readers import is_image
from napari_impa.cells.readers.ome_zarr import is_store

APPLE_DOUBLE = "what macOS leaves beside a file (._)"
_LOOKED_AT = 2000  # names by which a layout is known; a plate has ten thousands, all alike
_PART = re.compile(r"images?|projections?|time_?point_?\d+|zstep_?\d+", re.IGNORECASE)


class Fit(IntEnum):
    """How surely a source is built in a layout's way: the surest layout is taken, and two alike are a question."""

    NO = 0
    ANYTHING = 1
    """It could be any folder of images."""
    NEARLY = 2
    """It is meant so, but something is missing, which listing it says."""
    LOOSELY = 3
    """Its names can be understood so, and perhaps otherwise."""
    NAMES = 4
    """Its names are of this layout and of no other."""
    DESCRIBED = 5
    """A file beside the images describes them, which only this layout has."""
    GIVEN = 6
    """It was made for this program, or is itself the one file that is read."""


@dataclass(frozen=True, eq=False)
class SourceFiles:
    """What a user gave as a source, and the files there, found when they are first asked for.

    Parameters
    ----------
    path
        A folder or a file.
    most
        How many files and folders are looked at before the rest is left alone; all where None.
    """

    path: Path
    most: int | None = None

    @cached_property
    def root(self) -> Path:
        """The folder, or the one that the file stands in."""
        return self.path if self.path.is_dir() else self.path.parent

    @cached_property
    def _walked(self) -> tuple[list[Path], list[Path], list[Path], list[Path]]:
        return _walk(self.root, self.most)

    @cached_property
    def _named(self) -> list[tuple[Path, str]]:
        """All files with their names in lower case, which are asked for again and again."""
        return [(file, file.name.lower()) for file in self.files]

    @property
    def files(self) -> list[Path]:
        """All files below `root`, as `walk` gives them."""
        return self._walked[0]

    @cached_property
    def around(self) -> list[Path]:
        """The files in the folders around `root` of which it is only a part by its name (`Images`, `TimePoint_1`)."""
        found: list[Path] = []
        here = self.root.resolve()
        while self.path.is_dir() and _PART.fullmatch(here.name):
            here = here.parent
            try:
                found += sorted(file for file in here.iterdir() if not file.name.startswith(".") and file.is_file())
            except OSError:  # a folder above one's own may be closed
                break
        return found

    @property
    def stores(self) -> list[Path]:
        """The zarr stores: `root` itself where it is one, else those below it, which are among `files`, too."""
        return self._walked[2]

    @property
    def apple_doubles(self) -> list[Path]:
        """The `._` files below `root`, which macOS writes on disks that are not its own."""
        return self._walked[1]

    @property
    def linked_again(self) -> list[Path]:
        """The links below `root` to folders that are read already."""
        return self._walked[3]

    @cached_property
    def tables(self) -> list[Path]:
        """The CSV tables: the file itself where it is one, else those below the folder."""
        tables = [(self.path, self.path.name.lower())] if self.path.is_file() else self._named
        return [
            file for file, name in tables if name.endswith(".csv") and not file.is_fifo()
        ]  # which would wait for ever

    @cached_property
    def readable(self) -> list[Path]:
        """The images below a folder, in all formats that can be read, without the masks of others."""
        if not self.path.is_dir():
            return []
        masks = {one.file for one in self.masks}
        return [file for file in self._images if file not in masks] if masks else self._images

    @cached_property
    def masks(self) -> list[NamedMask]:
        """The files below `root` that are the masks of others, by their names."""
        return named_masks(self._images)

    @cached_property
    def _images(self) -> list[Path]:
        return [file for file, name in self._named if is_image(name)]

    @cached_property
    def images(self) -> list[Path]:
        """The images below a folder that a microscope may have written: all that can be read but arrays (.npy)."""
        arrays = {file for file, name in self._named if name.endswith(".npy")}
        return [file for file in self.readable if file not in arrays] if arrays else self.readable

    def below(self, file: Path) -> str:
        """A file's path from `root`, with `/` between folders; the whole path of a file that is not below it."""
        folder = self.folder(file)
        return str(file) if folder[:1] == (file.anchor,) else "/".join((*folder, file.name))

    def folder(self, file: Path) -> tuple[str, ...]:
        """The folders between `root` and a file; all of its own where it is not below, as a table may name it.

        A file of `around` counts as one beside what is below `root`.
        """
        text = str(file)  # a tenth of the time of what `Path` has for it, and plates have many files
        here = text[: text.rfind(os.sep) + 1]
        if here not in self._folders:
            folder = Path(here)
            if folder.is_relative_to(self.root):
                self._folders[here] = folder.relative_to(self.root).parts
            else:
                self._folders[here] = (
                    () if any(folder == one.parent for one in self.around) else folder.absolute().parts
                )
        return self._folders[here]

    @cached_property
    def _folders(self) -> dict[str, tuple[str, ...]]:
        return {}

    def share(self, named: Callable[[str], object]) -> float:
        """The share of the images whose names a layout understands; where there are many, of some."""
        every = -(-len(self.images) // _LOOKED_AT) or 1
        some = self.images[::every]
        return sum(named(file.name) is not None for file in some) / len(some) if some else 0.0

    def beside(self, *names: str) -> list[Path]:
        """The files below `root` that are called so, or end so where a name begins with a dot; in any case.

        Where `root` is only a part of a plate, those `around` count, too.
        """
        wanted = tuple(name.lower() for name in names)
        plain, endings = {name for name in wanted if name[0] != "."}, tuple(n for n in wanted if n[0] == ".")
        if not self.path.is_dir():
            return []
        named = [*self._named, *((file, file.name.lower()) for file in self.around)]
        return [
            file
            for file, name in named
            if (name in plain or (endings and name.endswith(endings))) and (is_image(name) or not file.is_fifo())
        ]


@dataclass(frozen=True)
class FolderLayout:
    """One way in which images lie in a folder.

    Parameters
    ----------
    name
        One word, by which it is chosen by hand: `phenix`.
    title
        What it is called in a sentence: `Opera Phenix`.
    fits
        How surely a source is built so; it looks at names, and at most at the first line of a table.
    entries
        What a source holds that is built so, as it is to be read; raises `SourceError` where it is faulty.
    """

    name: str
    title: str
    fits: Callable[[SourceFiles], Fit]
    entries: Callable[[SourceFiles, LayoutChoice], Listing]


def walk(folder: Path) -> list[Path]:
    """Find all files below a folder, sorted, without hidden ones and without what `.cells` folders hold.

    A zarr store, a folder of thousands of files, counts as one file. Folders that are links are followed, each once.
    """
    return _walk(folder)[0]


def _walk(folder: Path, most: int | None = None) -> tuple[list[Path], list[Path], list[Path], list[Path]]:
    """Files, `._` files, zarr stores, and links to folders that came before.

    Of a folder with more than `most` files and folders the first.
    """
    found: list[Path] = []
    apple: list[Path] = []
    stores: list[Path] = []
    again: list[Path] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            again.append(Path(here))
            continue
        seen.add(real)
        if most is not None and len(found) + len(seen) > most:
            return found[:most], apple, stores, again
        inside = Path(here)
        if is_store(here, files):
            folders.clear()
            stores.append(inside)
            found += [inside] if inside != folder else []
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".cells"))
        files.sort()
        plain = [name for name in files if not name.startswith(".")]
        found += [inside / name for name in (plain if most is None else plain[: most - len(found)])]
        apple += [inside / name for name in files if name.startswith("._")]
    return found, apple, stores, again
