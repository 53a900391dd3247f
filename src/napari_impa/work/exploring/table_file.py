"""Writing a table as CSV or parquet, by the ending of its name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from napari_impa.cells.beside import written_beside
from napari_impa.errors import CellsError, MissingDependencyError

TABLE_FILES = (".csv", ".parquet")
"""Endings of tables that are written."""


def check_table_file(path: Path, *, overwrite: bool) -> Path:
    """The path, with `.csv` where it has no ending, as one that can be written.

    Raises
    ------
    CellsError
        If it exists, or has another ending.
    MissingDependencyError
        If it is to be parquet and pyarrow is not installed.
    """
    path = path if path.suffix else path.with_suffix(".csv")
    if path.suffix.lower() not in TABLE_FILES:
        raise CellsError(f"A table is written as {' or '.join(TABLE_FILES)}, not as {path.suffix}.")
    if path.exists() and (path.is_dir() or not overwrite):
        raise CellsError(f"{path} exists already; choose another name or remove it first.")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingDependencyError("Parquet is written by pyarrow: pip install pyarrow") from None
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
            table.to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False)
    return path
