"""Grids of wells on a sheet: letters down the left and numbers above, or turned; where they are and what is in them.

A grid may lie in any corner of a sheet, with rows and columns left out or empty rows between, beside or below others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.sheets import Sheet
from napari_impa.cells.sheets.texts import tidy
from napari_impa.cells.wells import MOST_COLUMNS, PLATE_FORMATS, Well, row_letters
from napari_impa.errors import WellError

_NUMBER = re.compile(r"(?:col(?:umn)?\.?\s*)?0*(\d{1,2})(?:\.0+)?", re.IGNORECASE | re.ASCII)
_LETTERS = re.compile(r"(?:row\.?\s*)?([A-Z]{1,2})", re.IGNORECASE | re.ASCII)
_LINES_ABOVE = 4  # rows above a grid that its title is looked for in
_WIDEST_TITLE = 3  # cells that a title takes


@dataclass(frozen=True)
class WellGrid:
    """One grid of wells on a sheet.

    Parameters
    ----------
    sheet
        Its name.
    top, left, bottom, right
        What it takes of the sheet, its letters and numbers too, counted from 0; the last are within.
    wells, values
        What is in each, also where nothing is.
    corner
        The text of the cell where letters and numbers meet.
    above
        Lines of text above, the nearest first.
    plate, title
        Of which plate it is and what it says of the wells; empty where nothing says it.
    """

    sheet: str
    top: int
    left: int
    bottom: int
    right: int
    wells: tuple[Well, ...]
    values: tuple[str, ...]
    corner: str
    above: tuple[str, ...] = ()
    plate: str = ""
    title: str = ""

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"rows {self.top + 1} to {self.bottom + 1} of sheet {self.sheet}"

    @property
    def shape(self) -> tuple[int, int]:
        """Its rows and columns of wells."""
        return len({well.row for well in self.wells}), len({well.column for well in self.wells})


def find_grids(sheet: Sheet) -> list[WellGrid]:
    """Find the grids of a sheet; those that are turned only where there are no others."""
    found = _grids(sheet.name, sheet.texts, turned=False) or _grids(sheet.name, sheet.texts.T, turned=True)
    taken = np.zeros(sheet.texts.shape, bool)
    for grid in found:
        taken[grid.top : grid.bottom + 1, grid.left : grid.right + 1] = True
    return [replace(grid, above=tuple(_lines_above(sheet.texts, taken, grid))) for grid in found]


def _grids(name: str, texts: NDArray[np.object_], *, turned: bool) -> list[WellGrid]:
    numbers = np.array([[_column(text) for text in row] for row in texts], int).reshape(texts.shape)
    taken = np.zeros(texts.shape, bool)
    found = []
    for top in range(texts.shape[0]):
        for first, last in _runs(numbers[top]):
            if taken[top, first : last + 1].any():
                continue
            for side in range(first - 1, max(first - 4, -1), -1):
                rows = _rows_of_letters(texts, numbers[top], (top, side), first, last)
                if len(rows) > 1:
                    break
            else:
                continue
            run, within = numbers[top, first : last + 1], texts[[row for row, _ in rows], first : last + 1]
            # after the letter of a row stand the first row, column and dose of a table
            if _is_doubtful(run) and (_row(texts[top, side]) is not None or _are_doses(run, within)):
                continue
            bottom = rows[-1][0]
            taken[top : bottom + 1, side : last + 1] = True
            wells, values = [], []
            for row, letters in rows:
                for column in range(first, last + 1):
                    wells.append(Well.at(letters, numbers[top, column]))
                    values.append(str(texts[row, column]))
            box = (side, top, last, bottom) if turned else (top, side, bottom, last)
            found.append(WellGrid(name, *box, tuple(wells), tuple(values), tidy(str(texts[top, side]))))
    return found


def _column(text: object) -> int:
    """The number of a column of wells, or 0."""
    found = _NUMBER.fullmatch(str(text))
    return int(found[1]) if found and int(found[1]) <= MOST_COLUMNS else 0


def _runs(numbers: NDArray[np.int_]) -> Iterator[tuple[int, int]]:
    """First and last cell of each run of columns, at least two: 1, 2, 3, …, of which some may be left out."""
    first = 0
    for at in range(1, len(numbers) + 1):
        if at < len(numbers) and numbers[at] > numbers[at - 1] > 0:
            continue
        if at - first > 1:
            yield first, at - 1
        first = at


def _is_doubtful(run: NDArray[np.int_]) -> bool:
    """Whether numbers may be others than those of columns: where some are left out, or there are but two."""
    return len(run) == 2 or bool((np.diff(run) > 1).any())


def _are_doses(run: NDArray[np.int_], values: NDArray[np.object_]) -> bool:
    """Whether the columns are doses with what was measured at them: 1, 3, 10, 30, each at least twice the last."""
    doubling = len(run) > 2 and bool((run[1:] >= 2 * run[:-1]).all())
    return doubling and all(is_number(str(text)) for text in values.flat if text)


def is_number(text: str) -> bool:
    """Whether a text is a number, with a decimal point or comma."""
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _row(text: object) -> int | None:
    """The row of wells, counted from 0, that letters say; None where they say none."""
    found = _LETTERS.fullmatch(str(text))
    try:
        return Well.at(found[1], 1).row if found else None
    except WellError:
        return None


def _rows_of_letters(
    texts: NDArray[np.object_], numbers: NDArray[np.int_], corner: tuple[int, int], first: int, last: int
) -> list[tuple[int, str]]:
    """The rows below a line of numbers that go on as A, B, C, …, with empty rows between or some left out, not both.

    What comes below an empty row and goes on otherwise is another grid, or what its letters mean.
    """
    top, side = corner
    rows: list[tuple[int, str]] = []
    before = None
    for row in range(top + 1, len(texts)):
        values = texts[row, first : last + 1]
        here = _row(texts[row, side])
        if here is None:
            if texts[row, side] == "" and not (values != "").any():
                continue
            break
        if before is not None and here != before + 1:
            so_far = texts[[earlier for earlier, _ in rows], first : last + 1]
            if here <= before or rows[-1][0] != row - 1 or _is_legend(str(texts[row, side]), values, so_far):
                break
            if _is_whole_plate([letters for _, letters in rows], numbers[first : last + 1]) and (values == "").any():
                break
        before = here
        rows.append((row, row_letters(here)))
    return rows


def _is_legend(letters: str, values: NDArray[np.object_], so_far: NDArray[np.object_]) -> bool:
    """Whether a row says what letters within the grid mean, and is no row of it: `N`, negative."""
    return bool((values[1:] == "").all()) and letters.casefold() in {str(text).casefold() for text in so_far.flat}


def _is_whole_plate(rows: list[str], columns: NDArray[np.int_]) -> bool:
    """Whether rows and columns are all those of a plate."""
    shape = len(rows), len(columns)
    return shape in PLATE_FORMATS.values() and rows[-1] == row_letters(shape[0] - 1) and columns[-1] == shape[1]


def _lines_above(texts: NDArray[np.object_], taken: NDArray[np.bool_], grid: WellGrid) -> Iterator[str]:
    columns = slice(grid.left, grid.right + 1)
    lines = 0
    for row in range(grid.top - 1, max(grid.top - 1 - _LINES_ABOVE, -1), -1):
        if taken[row, columns].any() or lines == 2:
            return
        cells = [tidy(str(text)) for text in texts[row, columns] if text]
        if not cells:  # a title at the margin, unless it stands above another grid
            cells = [tidy(str(texts[row, c])) for c in range(grid.left) if texts[row, c] and not taken[grid.top, c]]
        if len(cells) > _WIDEST_TITLE:
            return
        if cells:
            lines += 1
            yield " ".join(cells)
