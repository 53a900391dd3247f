"""Tables whose first column holds names of conditions, read so that the names are their index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.tables import shortest
from napari_impa.errors import ConditionError, SourceError


def read_descriptions(path: str | Path) -> pd.DataFrame:
    """Read a table of descriptions: one row a condition, its name first, then numbers (genes, descriptors).

    Returns
    -------
    pandas.DataFrame
        Names in the shortest form as the index, the numbers as float64 columns.

    Raises
    ------
    ConditionError
        If the file cannot be read, a name occurs twice, or a value is missing or not a number.
    """
    table = read_named(path)
    name = Path(path).name
    if table.empty:
        raise ConditionError(f"{name} describes nothing; it needs a row a condition: its name, then numbers.")
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise ConditionError(f"{name} has two rows for {twice!r}; keep one of them.")
    for column in table.columns:
        table[column] = numbers_of(table[column])
        if table[column].dtype.kind not in "iuf" or not np.isfinite(table[column]).all():
            raise ConditionError(f"The column {column!r} of {name} holds values that are not numbers.")
    return table.astype(float)


def numbers_of(column: pd.Series) -> pd.Series:
    """A column as numbers where every value in it is one, however it is written; else as it is."""
    if column.dtype.kind in "iufb":
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return column if (numbers.isna() & column.notna()).any() else numbers


def read_named(path: str | Path) -> pd.DataFrame:
    """Read a CSV table whose first column, also one without a title, holds names, which become the index.

    Raises
    ------
    ConditionError
        If the file cannot be read.
    """
    try:
        table = read_table(path, names_first=True)
    except SourceError as error:
        raise ConditionError(str(error)) from error
    first = table.columns[0]
    return table.set_index(pd.Index(table.pop(first).map(shortest).to_numpy()))
