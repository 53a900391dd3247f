"""One table of a file as it is written: rows and columns of texts, before anything says what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_DIGITS = 15  # that spreadsheet programs keep of a number


@dataclass(frozen=True, eq=False)
class Sheet:
    """One table of a file.

    Parameters
    ----------
    name
        Of the sheet in its workbook; of a text file its name without its ending.
    texts
        (R, C) strings, without blanks around them; an empty cell is an empty string.
    dates
        (row, column) of cells that a workbook keeps as dates, from 0: names such as `SEPT2` become dates there.
    cut_short
        (row, column) of cells that a workbook keeps as whole numbers of more than 15 digits, of which it loses the
        last: barcodes.
    """

    name: str
    texts: NDArray[np.object_]
    dates: tuple[tuple[int, int], ...] = ()
    cut_short: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, name: str, values: NDArray[Any]) -> Sheet:
        """Make a sheet of values of any type, as a workbook or a parquet file has them."""
        texts = np.full(values.shape, "", object)
        dates, cut_short = [], []
        for place, value in np.ndenumerate(values):
            texts[place] = text_of(value)
            row, column = place
            if isinstance(value, (date, datetime, time, timedelta)) and texts[place]:
                dates.append((row, column))
            elif isinstance(value, (int, float)) and abs(value) >= 10**_DIGITS:
                cut_short.append((row, column))
        return cls(name, texts, tuple(dates), tuple(cut_short))


@dataclass(frozen=True)
class SheetFormat:
    """One kind of file that holds tables.

    Parameters
    ----------
    name
        What it is called.
    endings
        Of its files, in lower case with the dot.
    read
        Reads all tables of a file; raises `SourceError` where it is damaged and `MissingDependencyError` where a
        package is missing.
    """

    name: str
    endings: tuple[str, ...]
    read: Callable[[Path], list[Sheet]]


def text_of(value: object) -> str:
    """Write a value of a workbook as its cell shows it: whole numbers without a point, others with 15 digits at most.

    >>> text_of(3.0), text_of(0.1 * 3), text_of(None), text_of(" 0E8 ")
    ('3', '0.3', '', '0E8')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (np.ndarray, list)):
        return " ".join(map(text_of, value))
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return str(int(number)) if number.is_integer() else f"{number:.{_DIGITS}g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip()


def trimmed(rows: NDArray[np.object_]) -> NDArray[np.object_]:
    """Leave out empty rows at the end, and empty columns at the right."""
    filled = rows != ""
    height = int(np.flatnonzero(filled.any(axis=1))[-1]) + 1 if filled.any() else 0
    width = int(np.flatnonzero(filled.any(axis=0))[-1]) + 1 if filled.any() else 0
    return rows[:height, :width]


def listed_cells(places: Sequence[tuple[int, int]]) -> str:
    """Name cells as spreadsheet programs do, `B3, C3 and 4 more`."""
    names = [f"{column_letters(column)}{row + 1}" for row, column in places[:3]]
    more = len(places) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def column_letters(column: int) -> str:
    """The name of a spreadsheet's column, counted from 0: `A`, `Z`, `AA`."""
    letters, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(65 + letter) + letters
    return letters
