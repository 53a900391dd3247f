"""A table of plates and the maps that they follow: `barcode_platemap.csv`, with the maps in `platemap/` beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.plate_maps.companions import with_companions
from napari_impa.cells.plate_maps.grids import GRIDS
from napari_impa.cells.plate_maps.long_form import LONG_FORM
from napari_impa.cells.plate_maps.map_file import MapFile, MapRows, PlateMapForm, count, some
from napari_impa.cells.sheets import is_table_file
from napari_impa.cells.sheets.texts import tidy
from napari_impa.cells.words import PLATE, PLATE_MAP
from napari_impa.errors import SourceError


def _columns(file: MapFile) -> tuple[int, int] | None:
    """The columns of plates and of the names of their maps."""
    if not file.sheets or len(file.sheets[0].texts) < 2:
        return None
    titles = [tidy(str(text)) for text in file.sheets[0].texts[0]]
    plate, name = PLATE.find(titles), PLATE_MAP.find(titles)
    if plate is None or name is None or LONG_FORM.fits(file):
        return None
    return titles.index(plate), titles.index(name)


def _fits(file: MapFile) -> bool:
    return _columns(file) is not None


def _read(file: MapFile) -> MapRows:
    columns = _columns(file)
    assert columns is not None, "this form does not fit"
    body = file.sheets[0].texts[1:]
    plates, names = body[:, columns[0]], body[:, columns[1]]
    ours = np.isin(plates, file.plates)
    notes = []
    if ours.any() and not ours.all():
        notes.append(f"{file.path.name} is of {count(int((~ours).sum()), 'plate')} more, of which there are no images.")
        plates, names = plates[ours], names[ours]
    maps = {name: _map(file, name) for name in dict.fromkeys(names)}
    notes += [note for rows in maps.values() for note in rows.notes]
    wells = [maps[name].wells for name in names]
    values = pd.concat([maps[name].values for name in names], ignore_index=True).fillna("")
    of_plate = [np.full(len(here), plate, object) for plate, here in zip(plates, wells, strict=True)]
    form = f"{count(len(maps), 'map')} of {count(len(plates), 'plate')}"
    return MapRows(np.concatenate(wells), np.concatenate(of_plate), values, form, tuple(dict.fromkeys(notes)))


def _map(file: MapFile, name: str) -> MapRows:
    path = _find(file.path, name)
    found = MapFile(path)
    form = next((form for form in (LONG_FORM, GRIDS) if form.fits(found)), None)
    if form is None:
        raise SourceError(f"{path} names no wells; write one row a well, or a grid (A, B, …; 1, 2, …).")
    rows = form.read(found)
    if rows.plates is not None:
        raise SourceError(f"{path} names plates itself; give it as the plate map, not {file.path.name}.")
    return with_companions(rows, path)


def _find(table: Path, name: str) -> Path:
    if not name:
        raise SourceError(f"{table} has a plate without the name of its map; fill it in.")
    folders = [table.parent / "platemap", table.parent / "platemaps", table.parent]
    for folder in folders:
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir()):
            fits = file.name == name or file.name.partition(".")[0] == name or file.stem == name
            if fits and file != table and is_table_file(file):
                return file
    looked = some([folder for folder in folders if folder.is_dir()])
    raise SourceError(f"{table.name} names the map {name}, which is not in {looked}; bring {name}.txt there.")


BARCODES = PlateMapForm("plates and their maps", _fits, _read)
