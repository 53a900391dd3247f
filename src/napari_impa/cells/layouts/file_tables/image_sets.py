"""Tables with a row an image set, as CellProfiler reads and writes them: `FileName_DNA`, `PathName_DNA`, `URL_DNA`.

JUMP's `load_data.csv` and `load_data_with_illum.csv` are of this kind, and so is `BBBC021_v1_image.csv`, where all
names begin with `Image_`.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.cells.sheets import is_table_file, read_sheets
from napari_impa.cells.sheets.delimited import TextForm, lines_of
from napari_impa.errors import SourceError

_ROLE = re.compile(r"(?:Image_)?(Objects)?(FileName|PathName|URL|Frame|Series)_(.+)", re.IGNORECASE)
_OF_CELLS = re.compile(r"(?:.+_)?(?:Location_Center_[XY]|ObjectNumber|Number_Object_Number)", re.IGNORECASE)
_ILLUMINATION = re.compile(r"Illum(?:ination)?_?(.+)", re.IGNORECASE)
_ORIGINAL = re.compile(r"Orig(?:inal)?_?(.+)", re.IGNORECASE)
# What CellProfiler measures of images and writes of its own running
_TECHNICAL = re.compile(
    r"(?:Image_)?(?:Width|Height|Scaling|MD5Digest|ExecutionTime|ModuleError|ImageQuality|ImageSet|Group|Channel|Count"
    r"|Intensity|Threshold|AreaOccupied|Correlation|Granularity|Texture|Mean|Median|StDev|ProcessingStatus"
    r"|StretchedCrop|AreaShape|Align|Crop|Calculate)(?:_.*)?",
    re.IGNORECASE,
)
_HEAD = 1 << 16  # bytes that tell a table's columns
_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".parquet")
_LOOKED_AT = 300  # tables in a folder whose first line is read
ROWS_LOOKED_AT = 20


@dataclass(frozen=True)
class FileColumns:
    """The columns that name the file of one channel, of its illumination function or of objects; by role."""

    name: str
    columns: dict[str, int]


@dataclass(frozen=True)
class ImageSetColumns:
    """What the titles of a table of image sets say.

    Parameters
    ----------
    channels
        In the order of the table.
    illumination
        Functions to divide by, each called as its channel.
    objects
        Label images.
    others
        Columns that say something of the image set.
    """

    channels: tuple[FileColumns, ...]
    illumination: tuple[FileColumns, ...]
    objects: tuple[FileColumns, ...]
    others: tuple[int, ...]

    @classmethod
    def of(cls, titles: Sequence[str]) -> ImageSetColumns:
        """Understand titles; without channels where they are of no such table."""
        named: dict[tuple[bool, str], FileColumns] = {}
        others = []
        for place, title in enumerate(titles):
            role = _ROLE.fullmatch(title.strip())
            if role is None:
                if title and not _TECHNICAL.fullmatch(title):
                    others.append(place)
                continue
            key = (role[1] is not None, role[3])
            named.setdefault(key, FileColumns(role[3], {})).columns[role[2].lower()] = place
        known = {key: one for key, one in named.items() if {"filename", "url"} & one.columns.keys()}
        objects = tuple(one for (is_object, _), one in known.items() if is_object)
        images = [one for (is_object, _), one in known.items() if not is_object]
        channels = [one for one in images if not _ILLUMINATION.fullmatch(one.name)]
        functions = []
        for one in images:
            function = _ILLUMINATION.fullmatch(one.name)
            of = [channel for channel in channels if function and _stain(channel.name) == function[1].casefold()]
            functions += [FileColumns(channel.name, one.columns) for channel in of[:1]]
        return cls(tuple(channels), tuple(functions), objects, tuple(others))


def _stain(channel: str) -> str:
    """`OrigDNA` and `DNA` are of one stain."""
    original = _ORIGINAL.fullmatch(channel)
    return (original[1] if original else channel).casefold()


@dataclass(frozen=True, eq=False)
class ImageSets:
    """A table of image sets, as texts.

    Parameters
    ----------
    path
        The file.
    titles, rows
        Names of the columns, and (N, K) texts.
    """

    path: Path
    titles: tuple[str, ...]
    rows: np.ndarray[tuple[int, int], np.dtype[np.object_]]

    @cached_property
    def columns(self) -> ImageSetColumns:
        """What they mean."""
        return ImageSetColumns.of(self.titles)

    @classmethod
    def read(cls, path: Path) -> ImageSets:
        """Read a table.

        Raises
        ------
        SourceError
            If it cannot be read, has no rows or names no images.
        MissingDependencyError
            If it is a parquet table and pyarrow is not installed.
        """
        texts = read_sheets(path)[0].texts
        titles = tuple(str(title).strip() for title in texts[0]) if len(texts) else ()
        if not ImageSetColumns.of(titles).channels:
            raise SourceError(
                f"{path} names no images: it needs columns FileName_… and PathName_…, or URL_…, one for each channel."
            )
        if len(texts) < 2:
            raise SourceError(f"{path} has no rows; write one row an image set into it.")
        return cls(path, titles, texts[1:])

    def given(self, of: FileColumns, row: int) -> str:
        """The path or address of a file as the table has it; empty where it names none."""

        def text(role: str) -> str:
            return str(self.rows[row, of.columns[role]]) if role in of.columns else ""

        if text("url") and not text("pathname"):
            return text("url")
        name, folder = text("filename"), text("pathname")
        return f"{folder.rstrip('/')}/{name}" if folder and name else name

    def page(self, of: FileColumns, row: int) -> tuple[int, int]:
        """Series and frame of the file that it is, from 0."""
        numbers = []
        for role in ("series", "frame"):
            text = str(self.rows[row, of.columns[role]]) if role in of.columns else ""
            if text and not text.isdecimal():
                raise SourceError(
                    f"{self.path.name} gives {text!r} as the {role} of {of.name} in row {row + 2}; give a number from "
                    "0."
                )
            numbers.append(int(text or 0))
        return numbers[0], numbers[1]

    def names(self) -> frozenset[str]:
        """All images that it names."""
        return frozenset(self.given(one, row) for one in self.columns.channels for row in range(len(self.rows)))

    def frame(self) -> pd.DataFrame:
        """The columns that say something of the image sets, as texts; of two of one title, the first."""
        found = {self.titles[place]: self.rows[:, place] for place in reversed(self.columns.others)}
        names = [name for name in dict.fromkeys(self.titles) if name in found]
        return pd.DataFrame(found, index=range(len(self.rows)), columns=names, dtype=object)


def without_marks(titles: Sequence[str]) -> list[str]:
    """Titles without `Metadata_`, where they then differ still."""
    short = [re.sub(r"(?:Image_)?Metadata_(?=.)", "", title, count=1, flags=re.IGNORECASE) for title in titles]
    alike = Counter(name.casefold() for name in short)
    return [name if alike[name.casefold()] == 1 else title for name, title in zip(short, titles, strict=True)]


def tables_of_image_sets(source: SourceFiles) -> list[Path]:
    """The tables of image sets that a source is or that a folder holds, by their first lines."""
    if source.path.is_file():
        return [source.path] if is_table_file(source.path) and _names_images(source.path) else []
    found = source.beside(*_TABLES)
    likely = sorted(found, key=lambda file: not re.search(r"load_?data|image", file.name, re.IGNORECASE))
    return sorted(file for file in likely[:_LOOKED_AT] if _names_images(file))


def _names_images(path: Path) -> bool:
    titles = next(_head(path), [])
    return bool(ImageSetColumns.of(titles).channels) and not any(map(_OF_CELLS.fullmatch, titles))


def first_rows(path: Path) -> ImageSets | None:
    """The first rows of a table of image sets; None where that needs the whole file."""
    titles, *rows = list(islice(_head(path), ROWS_LOOKED_AT + 1)) or [[]]
    whole = [row for row in rows if len(row) == len(titles)]
    return ImageSets(path, tuple(titles), np.array(whole, object)) if whole else None


def _head(path: Path) -> Iterator[list[str]]:
    """The first lines of a table, cell by cell; none where it cannot be read."""
    if path.name.lower().endswith(".parquet"):
        yield from _parquet_titles(path)
        return
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            data = file.read(_HEAD)
        if len(data) == _HEAD:
            data = data[: data.rfind(b"\n") + 1]
        for line in lines_of(data, TextForm.of(data)):
            yield [cell.strip() for cell in line]
    except (OSError, EOFError, zlib.error, csv.Error, ValueError):
        return


def _parquet_titles(path: Path) -> Iterator[list[str]]:
    try:
        from pyarrow import parquet
    except ImportError:
        if "load_data" in path.name.lower():  # so that reading it says what is missing
            yield ["FileName_of"]
        return
    try:
        yield list(parquet.read_schema(path).names)
    except (OSError, ValueError):  # pyarrow's errors are both
        return
