"""Tables whose first column holds names of conditions, read so that the names are their index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_impa.cells.tables import shortest
from napari_impa.errors import ConditionError


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
        if table[column].dtype.kind not in "iuf" or not np.isfinite(table[column]).all():
            raise ConditionError(f"The column {column!r} of {name} holds values that are not numbers.")
    return table.astype(float)


def read_named(path: str | Path) -> pd.DataFrame:
    """Read a CSV table whose first column, also one without a title, holds names, which become the index.

    Raises
    ------
    ConditionError
        If the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            separator = max(",;\t", key=file.readline().count)
        options: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "keep_default_na": False}
        first = pd.read_csv(path, nrows=0, **options).columns[0]
        table = pd.read_csv(path, dtype={first: str}, na_values=[""], index_col=False, **options)
    except (OSError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ConditionError(f"{path} cannot be read as a table ({reason}); save it again as CSV.") from error
    return table.set_index(pd.Index(table.pop(first).map(shortest).to_numpy()))
