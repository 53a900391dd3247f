"""Where each row of a table of image sets was taken, and what else the table says of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.file_tables.image_sets import ImageSets, without_marks
from napari_impa.cells.wells import Well, is_well, well_name
from napari_impa.cells.words import COLUMN, DOSE, PLATE, ROW, SITE, TIME, WELL, Word
from napari_impa.errors import SourceError, WellError

_SITE = SITE + Word(("fieldid", "field_id", "fieldindex", "field_index"))
_Z = Word(("z", "zindex", "z_index", "planeid", "plane_id", "zstep", "z_step", "zplane", "z_plane", "plane"))
_TIME = TIME + Word(("time", "time_point", "timepointid", "timepoint_id", "timeindex", "time_index"))
_PIXEL = Word(("imageresolutionx",))  # m, as pe2loaddata takes it from Phenix's index


@dataclass(frozen=True, eq=False)
class Places:
    """Where each row was taken, and what else is said of it.

    Parameters
    ----------
    of_row
        Plate, well, site, Z plane and time of a row.
    said
        Columns by plate, well and site.
    pixel_size
        µm, where the table says it.
    """

    of_row: Mapping[int, tuple[str, str, int | str, int, int]]
    said: Mapping[tuple[str, str, int | str], Mapping[str, object]]
    pixel_size: float | None

    @classmethod
    def of(cls, table: ImageSets, rows: Sequence[int], choice: LayoutChoice) -> Places:
        """Find the columns that say it, by their names; errors where two rows are one field."""
        frame = table.frame().iloc[list(rows)]
        plate, well, site = (word.find(frame) for word in (PLATE, WELL, _SITE))
        row, column = ROW.find(frame), COLUMN.find(frame)
        z, time = (_numbered(frame, word) for word in (_Z, _TIME))
        plates = _texts(frame, plate)
        if choice.plate is not None and len(set(plates)) < 2:
            plates = [choice.plate] * len(frame)
        wells = [_one_name(text) for text in _texts(frame, well)]
        if well is None and row is not None and column is not None:
            wells = [_at(table, at, *pair) for at, pair in zip(rows, frame[[row, column]].to_numpy(), strict=True)]
        depths, times = (_numbers(frame, name) for name in (z, time))
        names = [Path(table.given(table.columns.channels[0], at).replace("\\", "/")).stem for at in rows]
        sites = _sites(_texts(frame, site), plates, wells, depths, times, names)
        of_row = dict(zip(rows, zip(plates, wells, sites, depths, times, strict=True), strict=True))
        _refuse_twice(table, of_row)
        used = {plate, well, site, row, column, z, time} - {None}
        said = _said(frame, [name for name in frame.columns if name not in used])
        keys = list(zip(plates, wells, sites, strict=True))
        records: dict[tuple[str, str, int | str], Mapping[str, object]] = {}
        for key, record in zip(keys, said.to_dict("records"), strict=True):
            records.setdefault(key, {str(name): value for name, value in record.items()})
        return cls(of_row, records if len(said.columns) else {}, _pixel_size(frame))


def _texts(frame: pd.DataFrame, name: str | None) -> list[str]:
    return [""] * len(frame) if name is None else [str(text) for text in frame[name]]


def _numbered(frame: pd.DataFrame, word: Word) -> str | None:
    """A column of whole numbers that is called so."""
    return next((name for name in word.all(frame) if all(str(text).isdecimal() for text in frame[name])), None)


def _numbers(frame: pd.DataFrame, name: str | None) -> list[int]:
    return [1] * len(frame) if name is None else [int(text) for text in frame[name]]


def _one_name(text: str) -> str:
    return well_name(text) if is_well(text) else text


def _at(table: ImageSets, at: int, row: str, column: str) -> str:
    try:
        return Well.at(row, column).name
    except WellError as error:
        raise SourceError(f"{table.path.name}, row {at + 2}: {error}") from error


def _sites(
    given: Sequence[str], plates: Sequence[str], wells: Sequence[str], depths: Sequence[int], times: Sequence[int],
    names: Sequence[str],
) -> list[int | str]:  # fmt: skip
    """The sites that the table gives; else numbers within a well, or the files' names where no well is known."""
    if all(given):
        return [int(text) if text.isdecimal() else text for text in given]
    if not any(wells):
        return list(names)
    seen: defaultdict[tuple[str, str, int, int], int] = defaultdict(int)
    sites: list[int | str] = []
    for key in zip(plates, wells, depths, times, strict=True):
        seen[key] += 1
        sites.append(seen[key])
    return sites


def _refuse_twice(table: ImageSets, of_row: Mapping[int, tuple[str, str, int | str, int, int]]) -> None:
    first: dict[tuple[object, ...], int] = {}
    for row, place in of_row.items():
        channel = table.columns.channels[0]
        image = (table.given(channel, row), *table.page(channel, row))
        for same in (place, image):
            other = first.setdefault(same, row)
            if other != row:
                what = image[0] if same is image else " ".join(map(str, filter(None, (*place[:2], f"site {place[2]}"))))
                raise SourceError(
                    f"{table.path.name} has {what} in rows {other + 2} and {row + 2}; keep one row, or tell fields "
                    "apart by Metadata_Plate, Metadata_Well and Metadata_Site."
                )


def _said(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """What else the table says: texts, and doses as numbers; nothing that says again where a field is."""
    found = {}
    for name in names:
        texts = frame[name].to_numpy(object)
        if not any(texts) or any(word.fits(name) for word in (PLATE, WELL, _PIXEL)):
            continue
        values = np.where(texts == "", np.nan, texts).astype(object)
        if DOSE.fits(name):
            numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
            if numbers.notna().sum() == (texts != "").sum():
                values = numbers.to_numpy(float)
        found[name] = values
    return pd.DataFrame(found, index=range(len(frame))).set_axis(without_marks(list(found)), axis=1)


def _pixel_size(frame: pd.DataFrame) -> float | None:
    name = _PIXEL.find(frame)
    sizes = set() if name is None else set(pd.to_numeric(frame[name], errors="coerce"))
    size = sizes.pop() * 1e6 if len(sizes) == 1 else 0.0
    return float(size) if 1e-3 < size < 100 else None
