"""Wells of a plate: one name for each (`A01`), however it is written, and how many wells plates have."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from napari_impa.errors import WellError

PLATE_FORMATS = {6: (2, 3), 12: (3, 4), 24: (4, 6), 48: (6, 8), 96: (8, 12), 384: (16, 24), 1536: (32, 48)}
"""Rows and columns of a plate by its number of wells."""

MOST_ROWS, MOST_COLUMNS = PLATE_FORMATS[1536]

_LETTERS: tuple[str, ...] = (*string.ascii_uppercase, *(f"A{letter}" for letter in string.ascii_uppercase))[:MOST_ROWS]
_NAMED = re.compile(r"([A-Za-z]{1,2})[\s_:-]*0*([1-9]\d?)", re.ASCII)
_NUMBERED = re.compile(
    r"r(?:ow)?[\s_-]*0*(\d{1,2})[\s_,-]*c(?:ol(?:umn)?)?[\s_-]*0*(\d{1,2})", re.ASCII | re.IGNORECASE
)
_NUMBER = re.compile(r"0*(\d{1,2})(?:\.0+)?", re.ASCII)


@dataclass(frozen=True, order=True)
class Well:
    """One well by its row and column, both from 0; ordered as a plate is read, row by row.

    >>> Well.parse("b7"), Well.parse("r02c07").name, Well(27, 2).name
    (Well(row=1, column=6), 'B07', 'AB03')
    """

    row: int
    column: int

    def __post_init__(self) -> None:
        if not (0 <= self.row < MOST_ROWS and 0 <= self.column < MOST_COLUMNS):
            raise WellError(
                f"Row {self.row + 1}, column {self.column + 1} is no well: plates have up to {MOST_ROWS} rows and "
                f"{MOST_COLUMNS} columns."
            )

    @property
    def name(self) -> str:
        """Its row as letters and its column as two digits: `A01`, `AF48`."""
        return f"{_LETTERS[self.row]}{self.column + 1:02d}"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read a well's name: `a1`, `A1`, `A01`, `A001`, `AA03`, `A - 1`, `r01c02`, `Row 1, Column 2`.

        Raises
        ------
        WellError
            If it is none.
        """
        written = str(text).strip()
        found = _NUMBERED.fullmatch(written) or _NAMED.fullmatch(written)
        if found is None:
            raise WellError(f"{written!r} is no well; write it as A01, row and column.")
        return cls.at(*found.groups())

    @classmethod
    def at(cls, row: object, column: object) -> Self:
        """The well in a row, a letter or a number from 1, and a column, a number from 1.

        Raises
        ------
        WellError
            If there is no such row or column.
        """
        letters, number = str(row).strip().upper(), _NUMBER.fullmatch(str(column).strip())
        row_number = _NUMBER.fullmatch(letters)
        if number is not None and row_number is not None:
            return cls(int(row_number[1]) - 1, int(number[1]) - 1)
        if number is None or letters not in _LETTERS:
            raise WellError(f"Row {row!r}, column {column!r} is no well; rows are A to AF or numbers, columns 1 to 48.")
        return cls(_LETTERS.index(letters), int(number[1]) - 1)


@lru_cache(maxsize=8192)
def well_name(text: str) -> str:
    """Write a well's name in the one way: `a1` → `A01`.

    Raises
    ------
    WellError
        If it is none.
    """
    return Well.parse(text).name


def is_well(text: object) -> bool:
    """Whether this is the name of a well."""
    return _is_well(str(text))


@lru_cache(maxsize=8192)
def _is_well(text: str) -> bool:
    try:
        Well.parse(text)
    except WellError:
        return False
    return True


def row_letters(row: int) -> str:
    """The letters of a row, counted from 0: `A`, `Z`, `AA`."""
    return _LETTERS[row]


def numbered_well(number: int, wells: int) -> Well:
    """The well of a number from 1 that counts along the rows of a plate of so many wells, as ScanR and others do.

    Raises
    ------
    WellError
        If there is no such plate, or it has fewer wells.
    """
    if wells not in PLATE_FORMATS:
        raise WellError(f"There is no plate of {wells} wells; there are: {', '.join(map(str, PLATE_FORMATS))}.")
    if not 1 <= number <= wells:
        raise WellError(f"A plate of {wells} wells has no well {number}.")
    return Well(*divmod(number - 1, PLATE_FORMATS[wells][1]))


def wells_of(wells: int) -> Iterator[Well]:
    """All wells of a plate of so many, row by row; errors as `numbered_well`."""
    return (numbered_well(number, wells) for number in range(1, wells + 1))


def smallest_plate(wells: Iterable[Well]) -> int:
    """The number of wells of the smallest plate that has all of these: 6 to 1536."""
    chosen = list(wells)
    row, column = max((one.row for one in chosen), default=0), max((one.column for one in chosen), default=0)
    return next(count for count, (rows, columns) in PLATE_FORMATS.items() if row < rows and column < columns)
