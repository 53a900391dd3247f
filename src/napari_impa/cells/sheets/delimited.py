"""Tables as text: CSV, TSV and their kin, in any encoding and with any delimiter that programs write.

A byte order mark, UTF-16, Windows-1252 and a first line `sep=;` are what Excel writes; semicolons with decimal commas
what it writes where a comma is the decimal sign.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_impa.cells.sheets.sheet import Sheet, SheetFormat, trimmed
from napari_impa.errors import SourceError, brief

ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".csv.gz", ".tsv.gz", ".txt.gz")

_DELIMITERS = "\t;,|"  # of those that are as likely, the first
MOST_COLUMNS = 20_000
"""Columns of a table at most; measurements of cells are some thousands."""

_LOOKED_AT = 100  # lines that the delimiter is found by
_LONGEST = 1 << 24  # characters of a single cell
_QUOTED = re.compile(r'"[^"]*"')
_SEP = re.compile(r"\s*\"?sep=(.)\"?[\s,;]*", re.IGNORECASE)
_FORMULA = re.compile(r'="([^"]*)"')  # how Excel keeps the zeros of 001
# What Windows-1252 makes of text in Mac Roman, or of Chinese and Japanese: signs within words.
_NOT_1252 = re.compile(
    "(?<=[A-Za-zÀ-ÿ])[ŠŒŽŸ¡½§ˆ†‡‰˜ƒ„‚‹›¨¶]|[ˆ†‡‰˜ƒ„‚‹¨¶](?=[A-Za-zÀ-ÿ])|[À-ÿ][¡-¯¶-¸»-¿×÷]|[¡-§«¬®¯¶·¸»-¿][À-ÿ]"
)


@dataclass(frozen=True)
class TextForm:
    """How a table is written as text.

    Parameters
    ----------
    encoding
        As Python calls it.
    delimiter
        Between the cells of a row.
    skipped
        Lines before the table: the one that names the delimiter (`sep=;`), or comments (`# …`).
    """

    encoding: str
    delimiter: str
    skipped: int = 0

    @classmethod
    def of(cls, data: bytes) -> TextForm:
        """Find how a file's content is written.

        Raises
        ------
        ValueError
            If its encoding is none that is known.
        """
        encoding = encoding_of(data)
        head = data[: 1 << 20].decode(encoding, "replace")
        said = _SEP.fullmatch(head.partition("\n")[0].strip("\r"))
        if said is not None:
            return cls(encoding, said[1], 1)
        delimiter = delimiter_of(head)
        return cls(encoding, delimiter, _comments(head, delimiter))


def _comments(text: str, delimiter: str) -> int:
    """How many lines of comments (`# …`) come first; a line of as many cells as the others is one of titles."""
    lines = text.splitlines()[:_LOOKED_AT]
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), 0)
    cells = lines[count].count(delimiter) if count else 0
    while count and not re.match(r"#\s", lines[count - 1]) and lines[count - 1].count(delimiter) >= max(cells, 1):
        count -= 1
    return count


def encoding_of(data: bytes) -> str:
    """By its byte order mark; UTF-16 where it has the zeros of it; else UTF-8 or what programs on Windows write.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = data[:4096]
    if len(head) > 3 and head.count(0) > len(head) // 4:
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8-sig" or _NOT_1252.search(text) is None:
            return encoding
    raise ValueError("its letters are neither in UTF-8 nor in Windows-1252: choose 'CSV UTF-8' where it is saved")


def delimiter_of(text: str) -> str:
    """The character that parts most lines into equally many cells; a comma where none does."""
    lines = [_QUOTED.sub("", line) for line in text.splitlines()[:_LOOKED_AT] if line.strip()]
    best, most = ",", 0
    for delimiter in _DELIMITERS:
        counts = Counter(count for line in lines if (count := line.count(delimiter)))
        agreeing = max(counts.values(), default=0)
        if agreeing > most:
            best, most = delimiter, agreeing
    return best


def content(path: Path) -> bytes:
    """Read a file, unpacked where it ends in `.gz`.

    Raises
    ------
    OSError
        If it cannot be read, or is no gzip file though its name says so.
    """
    if path.exists() and not path.is_file():
        raise OSError("it is no file")
    data = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            return gzip.decompress(data)
        except (EOFError, zlib.error) as error:
            raise OSError("it is a damaged gzip file") from error
    return data


def check_width(columns: int) -> None:
    """Refuse a table of more columns than any is meant to have.

    Raises
    ------
    ValueError
        If there are too many.
    """
    if columns > MOST_COLUMNS:
        raise ValueError(f"it has {columns:,} columns, more than {MOST_COLUMNS:,}")


def lines_of(data: bytes, form: TextForm) -> Iterator[list[str]]:
    """The rows of a table, cell by cell."""
    csv.field_size_limit(_LONGEST)
    text = io.TextIOWrapper(io.BytesIO(data), form.encoding, errors="replace", newline="")
    for _ in range(form.skipped):
        text.readline()
    return csv.reader(text, delimiter=form.delimiter)


def read_rows(data: bytes, form: TextForm, *, first: int = 0, width: int | None = None) -> pd.DataFrame:
    """All rows as strings, an empty cell as NaN.

    Parameters
    ----------
    first
        Rows at the beginning that are left out.
    width
        Cells of the longest row; where None, no row may have more than the first, and empty lines are left out.

    Raises
    ------
    ValueError
        If a row has more cells than that, or a quote has no end.
    """
    ragged: dict[str, Any] = {}
    if width is not None:
        ragged = {"names": list(range(width)), "index_col": False, "skip_blank_lines": False}
    rows = pd.read_csv(
        io.BytesIO(data), sep=form.delimiter, encoding=form.encoding, encoding_errors="replace",
        skiprows=form.skipped + first, header=None, dtype=object, keep_default_na=False, na_values=[""], **ragged,
    )  # fmt: skip
    return rows.replace(_FORMULA, r"\1", regex=True) if b'="' in data else rows


def _read(path: Path) -> list[Sheet]:
    try:
        data = content(path)
        form = TextForm.of(data)
        width = max(map(len, lines_of(data, form)), default=0)
        check_width(width)
        if not width:
            return [Sheet(_stem(path), np.empty((0, 0), object))]
        rows = read_rows(data, form, width=width)
    except (OSError, ValueError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise SourceError(f"{path} cannot be read as a table ({brief(error)}); save it again as CSV.") from error
    columns = [[value.strip() if isinstance(value, str) else "" for value in rows[column]] for column in rows]
    return [Sheet(_stem(path), trimmed(np.array(columns, object).T))]


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


DELIMITED = SheetFormat("text", ENDINGS, _read)
