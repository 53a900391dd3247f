"""Plate maps drawn as the plate looks: one grid of wells for each thing that is said.

The corner cell of a grid, the lines above it or its sheet's name say what it is about, and of which plate.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.plate_maps.map_file import MapFile, MapRows, PlateMapForm, count, some
from napari_impa.cells.plate_maps.well_grids import WellGrid, find_grids, is_number
from napari_impa.cells.sheets.texts import loosely
from napari_impa.cells.wells import PLATE_FORMATS, Well
from napari_impa.cells.words import CONDITION, SAID_OF_WELLS
from napari_impa.errors import SourceError

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

_COUNTED = re.compile(r"\d+|(?<![^\W_])[^\W\d_](?![^\W_])")


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
    """Where each sheet says the same things, the sheets are plates; or where some are by their names."""
    grids = _beside_plates(grids, file, notes)
    keys = Counter((grid.plate, grid.title) for grid in grids)
    within = Counter((grid.sheet, grid.plate, grid.title) for grid in grids)
    sheets = list(dict.fromkeys(grid.sheet for grid in grids))
    if len(sheets) < 2 or max(keys.values()) < 2 or max(within.values()) > 1 or any(grid.plate for grid in grids):
        return grids
    notes.append(f"The sheets of {file.path.name} were taken for plates ({some(sheets)}; guessed).")
    return [replace(grid, plate=grid.sheet, title="" if grid.title == grid.sheet else grid.title) for grid in grids]


def _beside_plates(grids: list[WellGrid], file: MapFile, notes: list[str]) -> list[WellGrid]:
    """Where some sheets are called as imaged plates, others that say the same things are plates without images."""
    plated = {grid.sheet for grid in grids if grid.plate and loosely(grid.plate) == loosely(grid.sheet)}
    said = {grid.title for grid in grids if grid.sheet in plated}
    forms = {_form(plate) for plate in file.plates}
    # BR3 beside an imaged BR1; not "Antibody", which says something of all plates
    untitled = [
        grid
        for grid in grids
        if not grid.plate and grid.title == grid.sheet and not SAID_OF_WELLS.fits(grid.title) and "" in said
    ]
    of_all = list(dict.fromkeys(grid.sheet for grid in untitled if _form(grid.sheet) not in forms))

    def says_the_same(grid: WellGrid) -> bool:
        return not grid.plate and (grid.title in said or (grid in untitled and grid.sheet not in of_all))

    if of_all:
        notes.append(
            f"The sheets of {file.path.name} that are called otherwise than plates were taken for what is in the wells "
            f"of all plates ({some(of_all)}; guessed)."
        )
    same = [grid for grid in grids if says_the_same(grid)]
    others = list(dict.fromkeys(grid.sheet for grid in same))
    if not plated or not others:
        return grids
    notes.append(f"The sheets of {file.path.name} were taken for plates ({some([*sorted(plated), *others])}; guessed).")
    return [
        replace(grid, plate=grid.sheet, title="" if grid.title == grid.sheet else grid.title)
        if says_the_same(grid)
        else grid
        for grid in grids
    ]


def _form(name: str) -> str:
    """What the names of a screen's plates have in common: all but numbers, and letters that stand alone."""
    return loosely(_COUNTED.sub("#", name))


def _titled(grids: list[WellGrid], file: MapFile, notes: list[str]) -> list[WellGrid]:
    """Guess what grids without a title say: the first texts are conditions, the first numbers after them doses."""
    titled: list[WellGrid] = []
    for grid in grids:
        if not grid.title:
            taken = {other.title for other in (*titled, *grids) if other.plate == grid.plate}
            numbers = all(is_number(text) for text in grid.values if text)
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
