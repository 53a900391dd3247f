"""The join of a table of images with a plate map, by plate and well, and the report of what met what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.plate_maps.map_file import count, some
from napari_impa.cells.plate_maps.plate_map import PlateMap
from napari_impa.cells.plate_maps.units import ColumnUnit
from napari_impa.cells.sheets.texts import Spellings, loosely, tidy
from napari_impa.cells.tables import shortest
from napari_impa.cells.wells import Well
from napari_impa.cells.words import PLATE, SITE, TIME, WELL, plain_name
from napari_impa.errors import SourceError, WellError

PlateWell = tuple[str, str]
"""Plate and well; the plate is an empty text where none is known."""


@dataclass(frozen=True)
class JoinReport:
    """What a plate map said of the images, and what not.

    Parameters
    ----------
    name, form
        Of the plate map: its file, and how it is written.
    wells
        Wells with images and a row.
    without_row
        Wells with images of which the map says nothing, and how many images they have.
    images_without_row
        How many images these are.
    without_images
        Wells of the imaged plates of which there are rows but no images.
    other_plates
        Plates of the map without images.
    unknown_plates
        Plates of the images that the map does not know.
    of_all_plates
        Plates of the images where the map names none, so that it was taken for each.
    matched
        Plates of the images by their name in the map, where these differ.
    disagreeing
        Wells with two rows that disagree and no images.
    renamed
        Columns of the map that the images have too, with other values, and what they are called here.
    units, spellings
        As `PlateMap` has them.
    notes
        What was guessed, joined or passed over in the map.
    said_without_images
        What the map says of each of `without_images`, by column.
    """

    name: str
    form: str
    wells: int
    without_row: tuple[PlateWell, ...] = ()
    images_without_row: int = 0
    without_images: tuple[PlateWell, ...] = ()
    other_plates: tuple[str, ...] = ()
    unknown_plates: tuple[str, ...] = ()
    of_all_plates: tuple[str, ...] = ()
    matched: Mapping[str, str] | None = None
    disagreeing: tuple[PlateWell, ...] = ()
    renamed: Mapping[str, str] | None = None
    units: tuple[ColumnUnit, ...] = ()
    spellings: tuple[Spellings, ...] = ()
    notes: tuple[str, ...] = ()
    said_without_images: tuple[Mapping[str, object], ...] = field(default=(), repr=False)

    def sentences(self) -> tuple[str, ...]:
        """Say it, the most important first; what was guessed is marked so."""
        said = [f"Plate map {self.name} ({self.form}): joined to {count(self.wells, 'well')} with images."]
        if self.without_row:
            said.append(
                f"{count(self.images_without_row, 'image')} of {count(len(self.without_row), 'well')} "
                f"{_have(self.images_without_row)} no row in it: {_wells(self.without_row)}."
            )
        if self.unknown_plates:
            plural = len(self.unknown_plates) > 1
            said.append(f"It does not know the plate{'s' * plural} {some(self.unknown_plates)}.")
        if self.without_images:
            number = len(self.without_images)
            said.append(f"{count(number, 'well')} of it {_have(number)} no images: {_wells(self.without_images)}.")
        if self.other_plates:
            number = len(self.other_plates)
            said.append(f"{count(number, 'plate')} of it {_have(number)} no images: {some(self.other_plates)}.")
        if len(self.of_all_plates) > 1:
            said.append(
                f"It names no plate and was taken for all {len(self.of_all_plates)}: {some(self.of_all_plates)} "
                "(guessed)."
            )
        for ours, theirs in (self.matched or {}).items():
            said.append(f"The plate {ours} was taken for {theirs} of the map (guessed).")
        if self.disagreeing:
            said.append(f"Two rows disagree, but there are no images, of {_wells(self.disagreeing)}.")
        for old, new in (self.renamed or {}).items():
            said.append(f"The images say {old} already, and otherwise; that of the map is called {new}.")
        if self.units:
            said.append(f"Units by their names: {'; '.join(map(str, self.units))}.")
        return (*said, *map(str, self.spellings), *self.notes)


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _wells(wells: Sequence[PlateWell]) -> str:
    """Name wells, with their plates where there are several."""
    plates = {plate for plate, _ in wells}
    return some([well if len(plates) == 1 else f"{plate} {well}".strip() for plate, well in wells], 6)


def join_plate_map(images: pd.DataFrame, plate_map: PlateMap) -> tuple[pd.DataFrame, JoinReport]:
    """Join a table of images with a plate map, by plate and well.

    Parameters
    ----------
    images
        One row a field or crop, with a column of wells and, where there are several plates, one of plates.
    plate_map
        As `read_plate_map` reads it.

    Returns
    -------
    The table in its order with the map's columns added (NaN where the map has no row), and the report.

    Raises
    ------
    SourceError
        If the wells of the images are not known, the map says two things of an imaged well, or it names several plates
        and nothing tells which of them the images are of.
    """
    well_column = WELL.find(images)
    if well_column is None:
        raise SourceError(
            f"{plate_map.name} says what is in the wells, but nothing says from which well each image is: name the "
            "files or folders after the wells (A01), or give a metadata.csv with a column 'well'."
        )
    wells = np.array([_one_name(value) for value in images[well_column]], object)
    plate_column = PLATE.find(images)
    plates = (
        np.full(len(images), "", object)
        if plate_column is None
        else np.array([tidy(shortest(value)) for value in images[plate_column]], object)
    )
    theirs, matched, unknown = _matched(sorted(set(plates)), plate_map)
    values = _without_sites(plate_map)
    rows, disagreeing = _rows(plate_map, values)
    found = np.array([rows.get((theirs[plate], well), -1) for plate, well in zip(plates, wells, strict=True)], np.intp)
    imaged = {(theirs[plate], well) for plate, well in zip(plates, wells, strict=True)}
    _refuse(plate_map, values, {key: pair for key, pair in disagreeing.items() if key in imaged})
    table, renamed = _with_columns(images, values, found)
    ours = set(zip(plates, wells, strict=True))
    lonely = _ordered(set(_as_ours(theirs, rows)) - ours)
    said = values.iloc[[rows[theirs[plate], well] for plate, well in lonely]].rename(columns=renamed)
    missing = sorted(set(zip(plates[found < 0], wells[found < 0], strict=True)))
    report = JoinReport(
        plate_map.name,
        plate_map.form,
        wells=len({(plate, well) for plate, well in zip(plates[found >= 0], wells[found >= 0], strict=True)}),
        without_row=tuple(missing),
        images_without_row=int((found < 0).sum()),
        without_images=lonely,
        other_plates=() if plate_map.plates is None else tuple(sorted({p for p, _ in rows} - set(theirs.values()))),
        unknown_plates=unknown,
        of_all_plates=tuple(sorted(set(plates))) if plate_map.plates is None else (),
        matched=matched or None,
        disagreeing=_ordered(set(_as_ours(theirs, disagreeing)) - ours),
        renamed=renamed or None,
        units=tuple(_renamed_unit(unit, renamed) for unit in sorted(plate_map.units, key=lambda unit: unit.column)),
        spellings=plate_map.spellings,
        notes=plate_map.notes,
        said_without_images=tuple(said.to_dict("records")),
    )
    return table, report


def _one_name(value: object) -> str:
    """A well's one name; what is none stays as it is."""
    text = shortest(value)
    try:
        return Well.parse(text).name
    except WellError:
        return text


def _ordered(wells: Iterable[PlateWell]) -> tuple[PlateWell, ...]:
    return tuple(sorted(wells, key=lambda one: (one[0], Well.parse(one[1]))))


def _as_ours(theirs: Mapping[str, str], wells: Iterable[PlateWell]) -> Iterator[PlateWell]:
    """Wells of the map by the names of our plates; those of plates that we have not are left out."""
    by_name: dict[str, list[str]] = {}
    for plate, name in theirs.items():
        by_name.setdefault(name, []).append(plate)
    return ((plate, well) for name, well in wells for plate in by_name.get(name, ()))


def _matched(ours: list[str], plate_map: PlateMap) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """What each plate of the images is called in the map; where guessed; and those that it does not know."""
    if plate_map.plates is None:
        return dict.fromkeys(ours, ""), {}, ()
    theirs = sorted({str(plate) for plate in plate_map.plates} - {""})
    found, guessed = {plate: plate for plate in ours if plate in theirs}, {}
    for key in (loosely, _number):
        free = [plate for plate in theirs if plate not in found.values()]
        for plate in ours:
            alike = [name for name in free if key(name) == key(plate) and key(name)]
            rivals = [other for other in ours if other not in found and key(other) == key(plate)]
            if plate and plate not in found and len(alike) == 1 and len(rivals) == 1:
                found[plate] = guessed[plate] = alike[0]
    if not found and len(ours) == 1 and len(theirs) == 1:
        found[ours[0]] = theirs[0]
        if ours[0]:
            guessed[ours[0]] = theirs[0]
    if not found and theirs:
        have = f"the images are of {some(ours)}" if any(ours) else "nothing says of which plate the images are"
        raise SourceError(
            f"{plate_map.name} is of the plate{'s' * (len(theirs) > 1)} {some(theirs)}, and {have}; name "
            "the plates alike, or say what the plate is called (--plate NAME)."
        )
    unknown = tuple(plate for plate in ours if plate not in found)
    # a row of no plate is of all
    return {plate: found.get(plate, f"\0{plate}") for plate in ours}, guessed, unknown


def _number(plate: str) -> str:
    """The number that a plate is called by, without leading zeros: a spreadsheet makes `1` of `001`."""
    digits = plate.lstrip("0") if plate.isdecimal() else ""
    return digits or ("0" if plate.isdecimal() else "")


def _without_sites(plate_map: PlateMap) -> pd.DataFrame:
    """The values without columns that tell the images of a well apart, where these alone differ within a well."""
    values = plate_map.values
    apart = [name for name in values.columns if (SITE + TIME).fits(name) or plain_name(name) in ("file", "channel")]
    keys = _keys(plate_map)
    return values if not apart or not keys.duplicated().any() else values.drop(columns=apart)


def _keys(plate_map: PlateMap) -> pd.Series:
    plates = np.full(len(plate_map), "", object) if plate_map.plates is None else plate_map.plates
    return pd.Series(list(zip(plates, plate_map.wells, strict=True)), dtype=object)


def _rows(plate_map: PlateMap, values: pd.DataFrame) -> tuple[dict[PlateWell, int], dict[PlateWell, tuple[int, int]]]:
    """The row of each well, and two rows of each well that disagree."""
    rows: dict[PlateWell, int] = {}
    disagreeing: dict[PlateWell, tuple[int, int]] = {}
    for row, key in enumerate(_keys(plate_map)):
        first = rows.setdefault(key, row)
        if first != row and key not in disagreeing and not values.iloc[first].equals(values.iloc[row]):
            disagreeing[key] = (first, row)
    if plate_map.plates is not None:  # rows of no plate are of all
        for (plate, well), row in list(rows.items()):
            if not plate:
                for other in set(plate_map.plates) - {""}:
                    rows.setdefault((other, well), row)
        rows = {key: row for key, row in rows.items() if key[0]}
    return rows, disagreeing


def _refuse(plate_map: PlateMap, values: pd.DataFrame, wells: Mapping[PlateWell, tuple[int, int]]) -> None:
    if not wells:
        return
    (plate, well), (first, second) = sorted(wells.items())[0]
    one, other = values.iloc[first], values.iloc[second]
    columns = [name for name in values.columns if shortest(one[name]) != shortest(other[name])]
    ways = sorted([shortest(one[columns[0]]) or "nothing", shortest(other[columns[0]]) or "nothing"])
    more = f", and of {count(len(wells) - 1, 'more well')}" if len(wells) > 1 else ""
    raise SourceError(
        f"{plate_map.name} has two rows of well {f'{plate} {well}'.strip()} that disagree ({columns[0]}: {ways[0]}, "
        f"{ways[1]}){more}; keep one row a well."
    )


def _with_columns(
    images: pd.DataFrame, values: pd.DataFrame, rows: NDArray[np.intp]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Add the map's columns; one that the images have too, with other values, under another name."""
    table, renamed = images.copy(), {}
    for name in values.columns:
        column = values[name].to_numpy()
        added = np.full(len(rows), np.nan, column.dtype if column.dtype.kind == "f" else object)
        added[rows >= 0] = column[rows[rows >= 0]]
        title = str(name)
        if title in images.columns:
            own = [shortest(value) for value in images[title]]
            if all(not new or new == old for old, new in zip(own, map(shortest, added), strict=True)):
                continue
            title = f"{title}_map"
            while title in images.columns or title in values.columns:
                title += "_"
            renamed[str(name)] = title
        table[title] = pd.Series(added, table.index, added.dtype)
    return table, renamed


def _renamed_unit(unit: ColumnUnit, renamed: Mapping[str, str]) -> ColumnUnit:
    return ColumnUnit(renamed.get(unit.column, unit.column), unit.unit, unit.factor)
