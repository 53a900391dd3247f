"""Plate maps in long form: a line of titles, and below it one row a well.

The well is a column of names (`well`, `well_position`, `Metadata_Well`), or a row and a column. The titles may stand
below other lines; several such sheets are several plates, or say different things of the same wells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.plate_maps.lookups import with_lookup
from napari_impa.cells.plate_maps.map_file import MapFile, MapRows, PlateMapForm, count, some
from napari_impa.cells.sheets import Sheet
from napari_impa.cells.sheets.sheet import column_letters, listed_cells
from napari_impa.cells.sheets.texts import tidy
from napari_impa.cells.wells import Well, is_well
from napari_impa.cells.words import COLUMN, PLATE, ROW, WELL
from napari_impa.errors import SourceError, WellError

_TITLES_WITHIN = 40  # rows that the line of titles is looked for in
_MOSTLY = 0.8  # of a column's values are wells where it is the column of wells


@dataclass(frozen=True)
class _Titles:
    """Where a sheet's line of titles is, and which of its columns say the well.

    Parameters
    ----------
    line
        Row of the titles.
    well
        One column of wells, or two: rows and columns of the plate.
    guessed
        The column is no usual name of wells, but its values are wells.
    """

    line: int
    well: tuple[int, ...]
    guessed: bool = False


def _find_titles(sheet: Sheet) -> _Titles | None:
    texts = sheet.texts
    for line in range(min(_TITLES_WITHIN, len(texts) - 1)):
        titles = [str(text) for text in texts[line]]
        if sum(map(bool, titles)) < 2:
            continue
        named = [column for column, title in enumerate(titles) if title and WELL.fits(title)]
        # the preferred name first, and of one name the first
        for column in sorted(named, key=lambda column: WELL.rank(titles[column]) or (0, 0)):
            if _are_wells(texts[line + 1 :, column]):
                return _Titles(line, (column,))
        pair = [_first(word, titles) for word in (ROW, COLUMN)]
        if pair[0] is not None and pair[1] is not None:
            rows, columns = (texts[line + 1 :, column] for column in pair)
            if _are_wells(np.array([f"{row}|{column}" for row, column in zip(rows, columns, strict=True)], object)):
                return _Titles(line, (pair[0], pair[1]))
        for column, title in enumerate(titles):
            if title and not is_well(title) and _are_wells(texts[line + 1 :, column], all_of_them=True):
                return _Titles(line, (column,), guessed=True)
    return None


def _first(word: object, titles: Sequence[str]) -> int | None:
    found = word.find([title for title in titles if title])  # type: ignore[attr-defined]
    return None if found is None else titles.index(found)


def _are_wells(values: NDArray[np.object_], *, all_of_them: bool = False) -> bool:
    """Whether a column's values are wells; `row|column` counts too."""
    unique, counts = np.unique(values.astype(str), return_counts=True)
    given = (unique != "") & (unique != "|")
    if counts[given].sum() < 1:
        return False
    wells = sum(n for text, n in zip(unique[given], counts[given], strict=True) if _well(str(text)) is not None)
    return bool(wells >= (1 if all_of_them else _MOSTLY) * counts[given].sum() and wells > all_of_them)


def _well(text: str) -> Well | None:
    try:
        row, between, column = text.partition("|")
        return Well.at(row, column) if between else Well.parse(text)
    except WellError:
        return None


def _fits(file: MapFile) -> bool:
    return any(_find_titles(sheet) is not None for sheet in file.sheets)


def _read(file: MapFile) -> MapRows:
    parts: list[tuple[Sheet, MapRows]] = []
    others: list[Sheet] = []
    for sheet in file.sheets:
        titles = _find_titles(sheet)
        if titles is None:
            others.append(sheet)
        else:
            parts.append((sheet, _sheet_rows(file, sheet, titles)))
    whole = parts[0][1] if len(parts) == 1 else _joined(file, parts)
    notes = list(whole.notes)
    for sheet in others:
        if not sheet.texts.size:
            continue
        joined = with_lookup(whole.values, sheet, f"sheet {sheet.name}")
        if joined is None:
            notes.append(f"The sheet {sheet.name} of {file.path.name} names no wells; passed over.")
        else:
            whole = MapRows(whole.wells, whole.plates, joined.values, whole.form)
            notes.append(joined.note)
    return MapRows(whole.wells, whole.plates, whole.values, whole.form, tuple(notes))


def _sheet_rows(file: MapFile, sheet: Sheet, titles: _Titles) -> MapRows:
    where = f"{file.path.name}{f', sheet {sheet.name},' if len(file.sheets) > 1 else ''}"
    body, notes = sheet.texts[titles.line + 1 :], []
    names = [tidy(str(text)) for text in sheet.texts[titles.line]]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{where} has two columns named {twice!r}; rename one of them.")
    if titles.guessed:
        notes.append(f"The column {names[titles.well[0]]} of {where} was taken for the wells (guessed).")
    plate = PLATE.find([name for name in names if name])
    plates = None if plate is None else body[:, names.index(plate)]
    if plates is not None and file.plates and (ours := np.isin(plates, file.plates)).any() and not ours.all():
        others = len(set(plates[~ours]) - {""})
        notes.append(f"{where} is of {count(others, 'plate')} more, of which there are no images.")
        body, plates = body[ours], plates[ours]
    written = body[:, titles.well[0]]
    if len(titles.well) == 2:
        written = np.array([f"{row}|{column}" for row, column in body[:, titles.well]], object)
        if len(numbers := [int(text) for text in body[:, titles.well].ravel() if text.isdecimal()]) and not min(
            numbers
        ):
            raise SourceError(f"{where} counts rows or columns from 0; count them from 1, or name the wells (A01).")
    parsed = {text: _well(text) for text in set(written)}
    known = np.array([parsed[text] is not None for text in written], bool)
    filled = (body != "").any(axis=1)
    if (strange := filled & ~known).any():
        rows = [int(row) + titles.line + 2 for row in np.flatnonzero(strange)]
        first = str(written[np.flatnonzero(strange)[0]]).replace("|", " ").strip()
        said = f"{first!r} is none" if first else "it is empty"
        plural = "s" * (len(rows) > 1)
        notes.append(f"Row{plural} {some(rows)} of {where} name{'s' * (not plural)} no well ({said}); passed over.")
    kept = [
        column
        for column, name in enumerate(names)
        if name and column not in titles.well and not (plate is not None and names.index(plate) == column)
    ]
    nameless = [
        column
        for column, name in enumerate(names)
        if not name and (body[:, column] != "").any() and not _counts(body[:, column])
    ]
    if nameless:
        letters = ", ".join(map(column_letters, nameless))
        notes.append(f"Column{'s' * (len(nameless) > 1)} {letters} of {where} without a title passed over.")
    named = [parsed[text] for text in written[known]]
    wells = np.array([well.name for well in named if well is not None], np.object_)
    texts = {names[column]: body[known, column] for column in kept}
    values = pd.DataFrame(texts, index=pd.RangeIndex(len(wells)), dtype=object)
    for what, places in (("dates", sheet.dates), ("long", sheet.cut_short)):
        read = {*kept, *titles.well, *([] if plate is None else [names.index(plate)])}
        here = [place for place in places if place[0] > titles.line and place[1] in read]
        notes += _spoiled(where, names, here, what)
    of = None if plates is None else plates[known]
    different = set(wells) if of is None else set(zip(of, wells, strict=True))
    several = "" if of is None or len(set(of)) < 2 else f" of {count(len(set(of)), 'plate')}"
    return MapRows(
        wells,
        of,
        values,
        f"{count(len(different), 'well')}{several} in rows",
        tuple(notes),
    )


def _spoiled(where: str, names: Sequence[str], places: Sequence[tuple[int, int]], what: str) -> list[str]:
    if not places:
        return []
    columns = some(sorted({names[column] for _, column in places}))
    if what == "dates":
        return [
            f"{where} has dates in {listed_cells(places)} ({columns}); where they were names such as SEPT2, write "
            "these again as text."
        ]
    return [
        f"{where} has numbers of more than 15 digits in {listed_cells(places)} ({columns}), of which a workbook loses "
        "the last; write them as text."
    ]


def _counts(values: NDArray[np.object_]) -> bool:
    """Whether a column numbers the rows, as pandas and R write them."""
    numbers = [int(text) for text in values if str(text).isdecimal()]
    return len(numbers) == sum(text != "" for text in values) and numbers == list(
        range(numbers[0], numbers[0] + len(numbers))
    )


def _joined(file: MapFile, parts: Sequence[tuple[Sheet, MapRows]]) -> MapRows:
    """Join several sheets: of different plates below each other, of the same wells side by side."""
    columns = [set(part.values.columns) for _, part in parts]
    notes = [note for _, part in parts for note in part.notes]
    form = f"{count(sum(len(part.wells) for _, part in parts), 'well')} in rows on {len(parts)} sheets"
    if all(not (one & other) for i, one in enumerate(columns) for other in columns[:i]):
        return _side_by_side(parts, form, notes)
    plates = []
    for sheet, part in parts:
        if part.plates is None:
            plates.append(np.full(len(part.wells), sheet.name, object))
        else:
            plates.append(part.plates)
    if any(part.plates is None for _, part in parts):
        named = some([sheet.name for sheet, part in parts if part.plates is None])
        notes.append(f"The sheets of {file.path.name} were taken for plates ({named}; guessed).")
    values = pd.concat([part.values for _, part in parts], ignore_index=True).fillna("")
    wells = np.concatenate([part.wells for _, part in parts])
    return MapRows(wells, np.concatenate(plates), values, form, tuple(notes))


def _side_by_side(parts: Sequence[tuple[Sheet, MapRows]], form: str, notes: Sequence[str]) -> MapRows:
    whole: pd.DataFrame | None = None
    plated = any(part.plates is not None for _, part in parts)
    for _, part in parts:
        plates = np.full(len(part.wells), "", object) if part.plates is None else part.plates
        keys = pd.DataFrame({("key", "plate"): plates, ("key", "well"): part.wells}, dtype=object)
        values = part.values.set_axis([("value", name) for name in part.values.columns], axis=1)
        here = pd.concat([keys, values], axis=1)
        whole = here if whole is None else whole.merge(here, how="outer", on=[("key", "plate"), ("key", "well")])
    assert whole is not None, "there are parts"
    whole = whole.fillna("")
    values = whole[[name for name in whole.columns if name[0] == "value"]]
    return MapRows(
        whole[("key", "well")].to_numpy(object), whole[("key", "plate")].to_numpy(object) if plated else None,
        values.set_axis([name[1] for name in values.columns], axis=1), form, tuple(notes),
    )  # fmt: skip


LONG_FORM = PlateMapForm("one row a well", _fits, _read)
