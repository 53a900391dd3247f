"""The fields of a source by plate and well, and what is known of each, as a selector needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_impa.cells.layouts import AS_FOUND, LAYOUTS, Fit, LayoutChoice, SourceFiles
from napari_impa.cells.plate_maps.picture import PlatePicture, plate_pictures
from napari_impa.cells.readers import Image
from napari_impa.cells.source import Source, open_source
from napari_impa.cells.tables import guess_control, guess_labels, shortest
from napari_impa.cells.wells import is_well, well_name
from napari_impa.cells.words import PLATE, SITE, WELL
from napari_impa.errors import SourceError

MOST_NAMES = 4000
"""Files whose names say whether a folder that is opened in napari is a plate; the window waits for that."""

_PLACE = ("acquisition", "time")
"""Columns that tell fields of one well apart, besides the site."""


@dataclass(frozen=True, eq=False)
class PlateFields:
    """A source whose fields are chosen by plate, well and site.

    Parameters
    ----------
    source
        Of fields.
    rows
        Row numbers of its table by plate and well, both "" where the table does not say; in the table's order.
    pictures
        A picture of each plate, by its name.
    """

    source: Source
    rows: Mapping[str, Mapping[str, Sequence[int]]]
    pictures: Mapping[str, PlatePicture]

    def site(self, row: int) -> str:
        """What tells a field from the others of its well."""
        table = self.source.table
        column = SITE.find(table)
        parts = [] if column is None else [shortest(table[column].iloc[row])]
        parts += [f"{name} {shortest(table[name].iloc[row])}" for name in _PLACE if name in table]
        return " · ".join(part for part in parts if part) or self.source.entries[row].name

    def told(self, row: int) -> dict[str, str]:
        """What the table says of a field's well, but where it is: compound, dose, …"""
        table = self.source.table
        where = {PLATE.find(table), WELL.find(table), SITE.find(table), *_PLACE}
        return {
            str(name): text for name in table.columns if name not in where and (text := shortest(table[name].iloc[row]))
        }

    def metadata(self, row: int) -> dict[str, Any]:
        """What goes with a field's layers: plate, well, site, what the table says, the channels and the folder."""
        values = self.source.table.iloc[row].to_dict()
        plain = {str(name): value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
        plate, well = self.place(row)
        named = {name: value for name, value in (("plate", plate), ("well", well)) if value}
        return {**plain, **named, "channels": self.source.channels, "folder": self.source.path}

    def place(self, row: int) -> tuple[str, str]:
        """Plate and well of a field, "" where the table does not say."""
        return next((plate, well) for plate, wells in self.rows.items() for well, rows in wells.items() if row in rows)


def read_plate(path: Path, choice: LayoutChoice = AS_FOUND) -> PlateFields:
    """List a plate, any folder of images, or a table of files.

    Raises
    ------
    SourceError
        As `open_source`, and if it holds cells, which are no fields.
    """
    source = open_source(path, choice=choice)
    if source.kind == "cells":
        raise SourceError(f"{path} holds cells that were cut already; open it as a file.")
    table = source.table
    label = guess_labels(table, "perturbation")
    control = guess_control(table, label) if label else None
    pictures = {picture.plate: picture for picture in plate_pictures(table, label, control)}
    return PlateFields(source, rows_of(table), pictures)


def read_field(fields: PlateFields, row: int) -> tuple[PlateFields, int, Image]:
    """Read one field, with what was asked for; errors as `Source.image`."""
    return fields, row, fields.source.image(row)


def rows_of(table: pd.DataFrame) -> dict[str, dict[str, list[int]]]:
    """Row numbers by plate and well, in the table's order."""
    found: dict[str, dict[str, list[int]]] = {}
    plates, wells = (_texts(table, word.find(table)) for word in (PLATE, WELL))
    for row, (plate, well) in enumerate(zip(plates, wells, strict=True)):
        found.setdefault(plate, {}).setdefault(well_name(well) if is_well(well) else well, []).append(row)
    return found


def plate_choice(path: Path) -> LayoutChoice | None:
    """How a folder is read that only a plate, or a described source, looks like; None for any other.

    Names are looked at, and no pixels; of a folder with very many files, the first, as it may be any folder.
    """
    if not path.is_dir():
        return None
    files = SourceFiles(path, most=MOST_NAMES)
    fits = {layout.name: layout.fits(files) for layout in LAYOUTS}
    best = max(fits.values())
    names = [name for name, fit in fits.items() if fit is best]
    if best < Fit.LOOSELY:
        return None
    known = len(names) == 1 and len(files.files) < MOST_NAMES
    return LayoutChoice(layout=names[0]) if known else AS_FOUND  # which is found out in the background


def _texts(table: pd.DataFrame, column: str | None) -> list[str]:
    return [""] * len(table) if column is None else [shortest(value) for value in table[column]]
