"""Plate maps drawn as the plate looks: letters down the left, numbers above, one grid for each thing that is said.

A grid may lie in any corner of a sheet, with empty rows between its rows, beside or below others, or turned (letters
above). Its corner cell, the lines above it or its sheet's name say what it is about, and of which plate.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.plate_maps.map_file import MapFile, MapRows, PlateMapForm, count, some
from napari_impa.cells.sheets import Sheet
from napari_impa.cells.sheets.texts import loosely, tidy
from napari_impa.cells.wells import MOST_COLUMNS, PLATE_FORMATS, Well, row_letters
from napari_impa.cells.words import CONDITION, SAID_OF_WELLS
from napari_impa.errors import SourceError, WellError

_NUMBER = re.compile(r"(?:col(?:umn)?\.?\s*)?0*(\d{1,2})(?:\.0+)?", re.IGNORECASE | re.ASCII)
_LETTERS = re.compile(r"(?:row\.?\s*)?([A-Z]{1,2})", re.IGNORECASE | re.ASCII)
_GENERIC = re.compile(
    r"(?:sheet|tabelle|feuil|hoja|foglio|blad|blatt|ark)\s*\d*|plate\s?(?:map|layout)|layout|map|wells?|rows?|columns?"
    r"|row.{0,3}col.*|[\W\d_]*",
    re.IGNORECASE,
)
_PLATE = re.compile(
    r"(?P<word>(?:assay[ _]?)?plate|barcode)(?:[ _]?(?:id|name|barcode|no\.?|number))?(?P<sign>\s*[:=#]\s*|[\s_-]*)"
    r"(?P<name>\S.*)",
    re.IGNORECASE,
)
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
                rows = _rows_of_letters(texts, top, side, first, last)
                if len(rows) > 1:
                    break
            else:
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
    """First and last cell of each run of columns: 1, 2, 3, …; at least two."""
    first = 0
    for at in range(1, len(numbers) + 1):
        if at < len(numbers) and numbers[at - 1] and numbers[at] == numbers[at - 1] + 1:
            continue
        if at - first > 1:
            yield first, at - 1
        first = at


def _rows_of_letters(texts: NDArray[np.object_], top: int, side: int, first: int, last: int) -> list[tuple[int, str]]:
    """The rows below a line of numbers that go on as A, B, C, …, with empty rows between."""
    rows: list[tuple[int, str]] = []
    expected = None
    for row in range(top + 1, len(texts)):
        found = _LETTERS.fullmatch(str(texts[row, side]))
        if found is None:
            if texts[row, side] == "" and not (texts[row, first : last + 1] != "").any():
                continue
            break
        letters = found[1].upper()
        if expected is not None and letters != expected:
            break
        try:
            well = Well.at(letters, 1)
            expected = row_letters(well.row + 1)
        except WellError:
            break
        except IndexError:  # the last row there is
            expected = ""
        rows.append((row, letters))
    return rows


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


def _fits(file: MapFile) -> bool:
    return any(find_grids(sheet) for sheet in file.sheets)


def _read(file: MapFile) -> MapRows:
    by_sheet = {sheet.name: find_grids(sheet) for sheet in file.sheets}
    notes = [
        f"The sheet {name} of {file.path.name} has no grid of wells; passed over."
        for name, grids in by_sheet.items()
        if not grids and len(by_sheet) > 1
    ]
    grids = [_named(grid, file, alone=len(by_sheet[grid.sheet]) == 1) for grids in by_sheet.values() for grid in grids]
    grids = _sheets_as_plates(grids, file, notes)
    grids = _titled(grids, file, notes)
    said: defaultdict[tuple[str, str], WellGrid] = defaultdict()
    for grid in grids:
        first = said.setdefault((grid.plate, grid.title), grid)
        if first is not grid:
            of = f" of plate {grid.plate}" if grid.plate else ""
            raise SourceError(
                f"{file.path.name} has two grids called {grid.title!r}{of} ({first.place}; {grid.place}); write above "
                "each what it says, or its plate."
            )
    values, wells, plates = _as_rows(grids)
    sizes = Counter(_size(grid) for grid in grids)
    shapes = " and ".join(f"{count(number, 'grid')} of {size}" for size, number in sizes.items())
    titles = list(dict.fromkeys(grid.title for grid in grids))
    return MapRows(wells, plates, values, f"{shapes}: {', '.join(titles)}", tuple(notes))


def _size(grid: WellGrid) -> str:
    rows, columns = grid.shape
    whole = Well(0, 0) in grid.wells and (rows, columns) in PLATE_FORMATS.values()
    return f"{rows}×{columns}{'' if whole else ' (a part of a plate)'}"


def _named(grid: WellGrid, file: MapFile, *, alone: bool) -> WellGrid:
    """Say what a grid is about and of which plate, by its corner, the lines above it and its sheet."""
    plate, titles = "", []
    by_sheet = [grid.sheet] if file.is_workbook or SAID_OF_WELLS.fits(grid.sheet) else []
    for text in (grid.corner, *grid.above, *by_sheet):
        own = plate_said(text, file.plates)
        if own and not plate:
            plate = own
        elif not _GENERIC.fullmatch(text):
            titles.append(text)
    # a word that is known says more than a headline: "dose" than "Screen of May"
    known = [title for title in titles if SAID_OF_WELLS.fits(title)]
    from_sheet = titles[-1:] if by_sheet and not alone and titles[-1:] == by_sheet else []
    own_titles = titles[: len(titles) - len(from_sheet)]
    title = next(iter([title for title in known if title not in from_sheet] or own_titles or from_sheet), "")
    return replace(grid, plate=plate, title=title)


def plate_said(text: str, plates: Sequence[str]) -> str:
    """The plate that a text names: one of those known, or what stands after `Plate:`; empty where it names none."""
    if not text:
        return ""
    same = {loosely(plate): plate for plate in plates}
    if loosely(text) in same:
        return same[loosely(text)]
    found = _PLATE.fullmatch(text)
    if found is None or _GENERIC.fullmatch(text):
        return ""
    name = found["name"]
    if loosely(name) in same:
        return same[loosely(name)]
    if found["sign"].strip():
        return name
    return text if any(letter.isdigit() for letter in name) and len(name) < 20 else ""


def _sheets_as_plates(grids: list[WellGrid], file: MapFile, notes: list[str]) -> list[WellGrid]:
    """Where each sheet says the same things, the sheets are plates."""
    keys = Counter((grid.plate, grid.title) for grid in grids)
    within = Counter((grid.sheet, grid.plate, grid.title) for grid in grids)
    sheets = list(dict.fromkeys(grid.sheet for grid in grids))
    if len(sheets) < 2 or max(keys.values()) < 2 or max(within.values()) > 1 or any(grid.plate for grid in grids):
        return grids
    notes.append(f"The sheets of {file.path.name} were taken for plates ({some(sheets)}; guessed).")
    return [replace(grid, plate=grid.sheet, title="" if grid.title == grid.sheet else grid.title) for grid in grids]


def _titled(grids: list[WellGrid], file: MapFile, notes: list[str]) -> list[WellGrid]:
    """Guess what grids without a title say: the first texts are conditions, the first numbers after them doses."""
    titled: list[WellGrid] = []
    for grid in grids:
        if not grid.title:
            taken = {other.title for other in (*titled, *grids) if other.plate == grid.plate}
            numbers = all(_is_number(text) for text in grid.values if text)
            title = "dose" if numbers and taken - {""} else CONDITION.names[0]
            if title in taken:
                raise SourceError(
                    f"{file.path.name} has grids without a title ({grid.place}); write into the corner of each what it "
                    "says: compound, dose, …"
                )
            notes.append(f"The grid in {grid.place} has no title; taken for {title} (guessed).")
            grid = replace(grid, title=title)
        titled.append(grid)
    return titled


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _as_rows(grids: Sequence[WellGrid]) -> tuple[pd.DataFrame, NDArray[np.object_], NDArray[np.object_] | None]:
    """One row a well of a plate that any grid says something of; grids of no plate are of all."""
    plates = list(dict.fromkeys(grid.plate for grid in grids if grid.plate)) or [""]
    titles = list(dict.fromkeys(grid.title for grid in grids))
    rows: dict[tuple[str, Well], dict[str, str]] = {}
    for plate in plates:
        for grid in grids:
            if grid.plate in ("", plate):
                for well, text in zip(grid.wells, grid.values, strict=True):
                    if text:
                        rows.setdefault((plate, well), {})[grid.title] = text
    order = sorted(rows, key=lambda key: (plates.index(key[0]), key[1]))
    values = pd.DataFrame(
        {title: np.array([rows[key].get(title, "") for key in order], object) for title in titles}, dtype=object
    )
    wells = np.array([well.name for _, well in order], object)
    return values, wells, None if plates == [""] else np.array([plate for plate, _ in order], object)


GRIDS = PlateMapForm("grids as the plate looks", _fits, _read)
