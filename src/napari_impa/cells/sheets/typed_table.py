"""Tables of text files, of which columns are numbers where all that they say is written as numbers."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Hashable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets.delimited import TextForm, check_width, content, lines_of, read_rows
from napari_impa.cells.words import CONDITION, DOSE, TREATMENT, Word
from napari_impa.errors import SourceError, brief

# Lines of numbers without leading zeros, matched in one go; no line is ever taken back, so that it takes little memory.
_WHOLE = re.compile(r"(?:[+-]?(?:0|[1-9]\d{0,14})\n)*+", re.ASCII)
# Programs write a point or a sign with their exponents (1e-05, 1.5E4); 0E8 and 1E3 are names.
_NUMBER = re.compile(
    r"(?:[+-]?(?:(?:(?:0|[1-9]\d{0,14})\.\d{0,25}|\.\d{1,25})(?:[eE][+-]?\d{1,2})?"
    r"|(?:0|[1-9]\d{0,14})(?:[eE][+-]\d{1,2})?)\n)*+",
    re.ASCII,
)


def read_table(path: str | Path, *, names_first: bool = False) -> pd.DataFrame:
    """Read a CSV table (comma, semicolon or tab) in any encoding, as `sheets.delimited` finds them.

    A column is numbers only where every value in it is written as a number without leading zeros, so that plate
    `001` stays `001`, and `0E8` and `1E3` stay what they are; only empty values are missing, so that a compound may be
    called `None` or `NA`. Between semicolons a comma is a decimal sign.

    Parameters
    ----------
    names_first
        The first column holds names, also where it has no title; otherwise such a column is a row's number.

    Raises
    ------
    SourceError
        If the file cannot be read as a table.
    """
    path = Path(path)
    try:
        data = content(path)
        form = TextForm.of(data)
        rows = _rows(data, form, first=1 if (head := _head_of_row_names(data, form)) else 0)
    except (OSError, ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise SourceError(f"{path} cannot be read as a table ({brief(error)}); save it again as CSV.") from error
    if head:
        rows = pd.concat([pd.DataFrame([head], dtype=object), rows], ignore_index=True)
    if names_first and head and any(word.fits(head[1]) for word in (CONDITION, TREATMENT, Word(("name", "id")))):
        raise SourceError(f"{path} has more cells in a row than titles; write decimal points, and a title a column.")
    if names_first and pd.isna(rows.iloc[0, 0]):
        rows.iloc[0, 0] = ""
    named = rows.iloc[0].notna()  # a column without a name is the row number that pandas and R write
    table = rows.loc[1:, named].reset_index(drop=True)
    table.columns = [str(name).strip() for name in rows.iloc[0][named]]
    if not len(table.columns):
        raise SourceError(f"{path} has no titles in its first line; write one above each column.")
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise SourceError(f"{path} has two columns named {twice!r}; rename one of them.")
    commas = form.delimiter == ";"
    return pd.DataFrame({name: _typed(table[name], commas) for name in table.columns}) if len(table) else table


def _typed(column: pd.Series, commas: bool = False) -> pd.Series:
    codes, uniques = pd.factorize(column)  # a missing value is -1, the last of those below
    values = np.append(np.asarray(uniques, dtype=object), np.nan)
    present, complete = values[:-1], bool((codes >= 0).all())
    if commas and len(present) and "," in "".join(present):  # where a comma is the decimal sign
        points = np.array([text.replace(",", ".", 1) for text in present], dtype=object)
        if "." not in "".join(present) and _all_match(_NUMBER, points):
            return pd.Series(np.append(points.astype(float), np.nan)[codes])
    if len(present) and complete and _all_match(_WHOLE, present):
        return pd.Series(present.astype(np.int64)[codes])
    if len(present) and _all_match(_NUMBER, present) and not told_apart_as_text(column.name, present):
        return pd.Series(values.astype(float)[codes])
    if len(present) and complete and set(present) <= {"True", "False"}:
        return pd.Series((present == "True")[codes])
    return pd.Series(values[codes], dtype=object)


def _all_match(lines: re.Pattern[str], values: NDArray[np.object_]) -> bool:
    text = "\n".join(values) + "\n"
    return lines.fullmatch(text) is not None and text.count("\n") == len(values)


def told_apart_as_text(column: Hashable, texts: Iterable[str]) -> bool:
    """Whether texts are names that differ by a zero at their end (`1.1` and `1.10`), which only doses do not."""
    decimals = {text.strip() for text in texts if "." in text}
    if DOSE.fits(column) or not any(text.endswith("0") for text in decimals):
        return False
    counts = Counter(text.rstrip("0") for text in decimals)
    return any(count > 1 and re.search(r"\.\d+$", text, re.ASCII) for text, count in counts.items())


def _rows(data: bytes, form: TextForm, first: int) -> pd.DataFrame:
    """All rows; where some have more cells than the first, without those if they are empty."""
    try:
        return read_rows(data, form, first=first)
    except pd.errors.ParserError:
        lines = list(lines_of(data, form))[first:]
        width = len(next(filter(None, lines), []))
        long = next((number for number, line in enumerate(lines) if any(line[width:])), None)
        if long is not None:
            raise ValueError(
                f"line {form.skipped + first + long + 1} has {len(lines[long])} cells and the first {width}: put texts "
                "with commas between quotes, and give every column a title"
            ) from None
        check_width(longest := max(map(len, lines)))
        rows = read_rows(data, form, first=first, width=longest)
        return rows.loc[:, : width - 1].dropna(how="all", ignore_index=True)


def _head_of_row_names(data: bytes, form: TextForm) -> list[object]:
    """The titles of a table that R wrote: its row names have none, so that the first line is one cell short."""
    lines = list(islice(lines_of(data, form), 2))
    check_width(max(map(len, lines), default=0))
    if len(lines) < 2 or len(lines[1]) != len(lines[0]) + 1 or not lines[1][-1] or not lines[0]:
        return []
    return [np.nan, *(title or np.nan for title in lines[0])]
