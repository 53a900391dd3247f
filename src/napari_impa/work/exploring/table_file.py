"""Writing a table as CSV or parquet, by the ending of its name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pandas as pd

from napari_impa.cells.beside import written_beside
from napari_impa.cells.tables import shortest
from napari_impa.errors import CellsError, MissingDependencyError

TABLE_FILES: Mapping[str, str | None] = {".csv": None, ".parquet": "pyarrow"}
"""Endings of tables that are written, and the package that writes each beside pandas."""


def check_table_file(path: Path, *, overwrite: bool, files: Mapping[str, str | None] = TABLE_FILES) -> Path:
    """The path, with `.csv` where it has no ending, as one that can be written.

    Raises
    ------
    CellsError
        If it exists, or has another ending.
    MissingDependencyError
        If the package that writes it is not installed.
    """
    path = path if path.suffix else path.with_suffix(".csv")
    if path.suffix.lower() not in files:
        raise CellsError(f"It is written as {' or '.join(files)}, not as {path.suffix}.")
    if path.exists() and (path.is_dir() or not overwrite):
        raise CellsError(f"{path} exists already; choose another name or remove it first.")
    package = files[path.suffix.lower()]
    if package is not None:
        try:
            import_module(package)
        except ImportError:
            raise MissingDependencyError(f"{path.suffix} is written by {package}: pip install {package}") from None
    return path


def write_table_file(path: Path, table: pd.DataFrame) -> Path:
    """Write a table, beside and renamed.

    Raises
    ------
    CellsError
        If it cannot be written.
    """
    with written_beside(path) as partial:
        if path.suffix.lower() == ".parquet":
            of_one_kind(table).to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False)
    return path


def of_one_kind(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of one type each, as files of typed columns want them: mixed ones as texts.

    A value that is missing stays so.
    """
    mixed = {}
    for name in table.columns:
        column = table[name]
        if column.dtype == object and len({type(value) for value in column[column.notna()]}) > 1:
            mixed[name] = column.map(shortest).where(column.notna(), None)
    return table.assign(**mixed)
