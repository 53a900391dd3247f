"""Tables in files of any kind, as texts: what a table says stays as it is written until a column is asked for numbers.

A new kind of file is a module with its `SheetFormat`, and its line in `SHEET_FORMATS`.
"""

from __future__ import annotations

from pathlib import Path

from napari_impa.cells.sheets.delimited import DELIMITED
from napari_impa.cells.sheets.parquet import PARQUET
from napari_impa.cells.sheets.sheet import Sheet, SheetFormat
from napari_impa.cells.sheets.workbook import WORKBOOK
from napari_impa.errors import SourceError

__all__ = ["SHEET_FORMATS", "Sheet", "SheetFormat", "is_table_file", "read_sheets", "table_endings"]

SHEET_FORMATS: tuple[SheetFormat, ...] = (DELIMITED, WORKBOOK, PARQUET)
"""All kinds of files that hold tables."""


def table_endings() -> tuple[str, ...]:
    """The endings of files that can hold tables, with the dot, in lower case."""
    return tuple(ending for one in SHEET_FORMATS for ending in one.endings)


def is_table_file(path: Path) -> bool:
    """Whether a file can hold tables, by its name."""
    return path.name.lower().endswith(table_endings())


def read_sheets(path: str | Path) -> list[Sheet]:
    """Read all tables of a file: one of a text file, one a sheet of a workbook, in their order.

    Raises
    ------
    SourceError
        If the file is not there, is damaged, or is none that can hold tables.
    MissingDependencyError
        If the package that reads it is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise SourceError(f"There is no file {path}.")
    for one in SHEET_FORMATS:
        if path.name.lower().endswith(one.endings):
            return one.read(path)
    raise SourceError(f"{path} is no table; give one that ends in {', '.join(table_endings())}.")
