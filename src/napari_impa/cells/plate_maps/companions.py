"""Tables that lie beside a plate map and say more of its compounds and genes: JUMP's, and `external_metadata`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from napari_impa.cells.plate_maps.lookups import with_lookup
from napari_impa.cells.plate_maps.map_file import MapRows
from napari_impa.cells.sheets import is_table_file, read_sheets

JUMP_TABLES = ("compound", "orf", "crispr", "perturbation_control")
"""JUMP's tables of what is in its wells, joined by their JCP2022 ids (jump-cellpainting/datasets, metadata/)."""

JUMP_ID = "jcp2022"

_FOLDER = "external_metadata"

_UP = 4  # folders that it is looked for in: of the Cell Painting Gallery it lies beside `platemaps/BATCH/platemap`


def with_companions(rows: MapRows, path: Path) -> MapRows:
    """Add what the tables beside a plate map say of it.

    Raises
    ------
    SourceError
        If one of them is damaged.
    """
    values, notes = rows.values, list(rows.notes)
    of_plates = _named(path.parent, "plate", but=path)
    if of_plates is not None and rows.plates is not None:
        for sheet in read_sheets(of_plates):
            joined = with_lookup(values.assign(plate=rows.plates), sheet, of_plates.name, only="plate")
            if joined is not None:
                values = joined.values.drop(columns="plate")
                notes.append(joined.note)
    for file, only in _beside(path):
        for sheet in read_sheets(file):
            joined = with_lookup(values, sheet, file.name, only=only)
            if joined is not None:
                values = joined.values
                notes.append(joined.note)
    return replace(rows, values=values, notes=tuple(notes))


def _beside(path: Path) -> Iterator[tuple[Path, str | None]]:
    for name in JUMP_TABLES:
        file = _named(path.parent, name, but=path)
        if file is not None:
            yield file, JUMP_ID
    for folder in list(path.parents)[:_UP]:
        yield from ((file, None) for file in _tables(folder / _FOLDER))


def _named(folder: Path, name: str, but: Path) -> Path | None:
    files = (file for file in _tables(folder) if file != but)
    return next((file for file in files if file.name.partition(".")[0].lower() == name), None)


def _tables(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if is_table_file(file) and not file.name.startswith("."))
