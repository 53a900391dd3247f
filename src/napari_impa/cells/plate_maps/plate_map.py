"""A plate map: what is in each well, read from whatever people write it in, as texts; doses alone are numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.plate_maps.barcodes import BARCODES
from napari_impa.cells.plate_maps.companions import with_companions
from napari_impa.cells.plate_maps.controls import with_named_controls
from napari_impa.cells.plate_maps.grids import GRIDS
from napari_impa.cells.plate_maps.long_form import LONG_FORM
from napari_impa.cells.plate_maps.map_file import MapFile, PlateMapForm
from napari_impa.cells.plate_maps.perturbation_names import with_perturbation_names
from napari_impa.cells.plate_maps.units import ColumnUnit, with_doses
from napari_impa.cells.sheets.texts import Spellings, spellings, tidy
from napari_impa.cells.words import TREATMENT
from napari_impa.errors import SourceError

FORMS: tuple[PlateMapForm, ...] = (BARCODES, LONG_FORM, GRIDS)
"""All forms of plate maps; the first that fits is taken."""

_IN_FOLDERS = ("barcode_platemap.csv", "well.csv.gz", "well.csv", "well.parquet")


@dataclass(frozen=True, eq=False)
class PlateMap:
    """What is in the wells of one or several plates.

    Parameters
    ----------
    name
        Of its file.
    form
        How it is written, in words.
    wells
        (N,) names in their one spelling, `A01`; a well of one plate stands once, unless its rows disagree.
    plates
        (N,) the plate of each; None where the map names none.
    values
        N rows: what is said of each well, in the map's own columns. Texts, NaN where nothing is said; doses are
        numbers.
    units
        Of the columns of doses.
    spellings
        Names that a column writes in several ways.
    notes
        What was guessed, joined from other files or passed over, in sentences.
    kind
        The name of its form in `FORMS`.
    """

    name: str
    form: str
    wells: NDArray[np.object_]
    plates: NDArray[np.object_] | None
    values: pd.DataFrame
    units: tuple[ColumnUnit, ...] = ()
    spellings: tuple[Spellings, ...] = ()
    notes: tuple[str, ...] = ()
    kind: str = ""

    def __len__(self) -> int:
        return len(self.wells)


def read_plate_map(path: str | Path, plates: Sequence[str] = ()) -> PlateMap:
    """Read a plate map in any of `FORMS`, from a file of any kind that `cells.sheets` reads.

    Parameters
    ----------
    path
        The file, or a folder with `barcode_platemap.csv` or JUMP's `well.csv.gz`.
    plates
        What the imaged plates are called, where that is known: titles and sheets that are called so are plates, and of
        a map of very many plates only these are kept.

    Raises
    ------
    SourceError
        If there is no such file, or it names no wells, or two things of one well.
    MissingDependencyError
        If the package that reads such files is not installed.
    """
    path = _file_of(Path(path))
    file = MapFile(path, tuple(plates))
    form = next((form for form in FORMS if form.fits(file)), None)
    if form is None:
        raise SourceError(_why_none(file))
    rows = form.read(file)
    if form is not BARCODES:
        rows = with_companions(rows, path)
    if not len(rows.wells):
        raise SourceError(f"{path} says nothing of any well; fill it in.")
    named = with_perturbation_names(rows.values.loc[:, (rows.values != "").any(axis=0).to_numpy(bool)])
    raw = named.values
    ways = [found for name in TREATMENT.all(raw) for found in spellings(name, Counter(map(str, raw[name])))]
    values = pd.DataFrame({tidy(str(name)): _tidied(raw[name]) for name in raw.columns}, index=raw.index, dtype=object)
    controls = with_named_controls(values)
    doses = with_doses(controls.values)
    values = doses.values
    for name in values.columns:
        if values[name].dtype == object:
            values[name] = values[name].where(values[name] != "", np.nan)
    known = PlateMap(
        path.name, rows.form, rows.wells, None if rows.plates is None else _tidied(pd.Series(rows.plates)), values,
        doses.units, tuple(way for way in ways if not controls.settled(way)),
        tuple(filter(None, (*rows.notes, named.note, *controls.notes, *doses.notes))), form.name,
    )  # fmt: skip
    return _each_once(known)


def _file_of(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = next((path / name for name in _IN_FOLDERS if (path / name).is_file()), None)
    if found is None:
        raise SourceError(
            f"{path} is a folder without {_IN_FOLDERS[0]} or {_IN_FOLDERS[1]}; give the plate map itself."
        )
    return found


def _tidied(column: pd.Series) -> NDArray[np.object_]:
    codes, values = pd.factorize(column)
    texts = np.array([tidy(str(value)) for value in values], np.object_)
    return np.take(texts, codes) if len(texts) else np.empty(0, np.object_)


def _each_once(plate_map: PlateMap) -> PlateMap:
    """Leave out rows that say the same of the same well again."""
    keys = plate_map.values.assign(**{"\0well": plate_map.wells})
    if plate_map.plates is not None:
        keys["\0plate"] = plate_map.plates
    kept = ~keys.duplicated().to_numpy(bool)
    if kept.all():
        return plate_map
    return replace(
        plate_map,
        wells=plate_map.wells[kept],
        plates=None if plate_map.plates is None else plate_map.plates[kept],
        values=plate_map.values[kept].reset_index(drop=True),
    )


def _why_none(file: MapFile) -> str:
    path = file.path
    first = next((sheet.texts for sheet in file.sheets if sheet.texts.size), None)
    if first is None:
        return f"{path} is empty; write one row a well into it, or a grid (A, B, …; 1, 2, …)."
    titles = ", ".join(" ".join(str(text).split()) for text in first[0] if text) or "empty"
    return (
        f"{path} names no wells: there is neither a column of wells (A01, A02, …) below a line of titles nor a grid "
        f"(A, B, …; 1, 2, …); its first line is: {titles[:200]}."
    )
