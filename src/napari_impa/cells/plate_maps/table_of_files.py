"""The joined table of a plate as a table of files: to look at, to edit, and to give back as the source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from napari_impa.cells.beside import written_beside
from napari_impa.cells.layouts import GIVEN, SourceEntry
from napari_impa.cells.layouts.additions.centred import CentredEntry
from napari_impa.cells.layouts.additions.corrected import CorrectedEntry
from napari_impa.cells.layouts.plate_field import PlaneFile, PlateField
from napari_impa.cells.tables import guess_labels
from napari_impa.errors import CellsError, SourceError

FILL_IN = "compound"
"""A column to fill in, where nothing says what was done to the images."""


@dataclass(frozen=True, eq=False)
class FieldFiles:
    """The fields of a source, as far as a table of files needs them.

    Parameters
    ----------
    name
        Of the source.
    entries, table
        As a `Listing` has them.
    channels
        Names.
    pixel_size
        µm, or None where it is not known.
    """

    name: str
    entries: Sequence[SourceEntry]
    table: pd.DataFrame
    channels: tuple[str, ...]
    pixel_size: float | None = None


def table_of_files(fields: FieldFiles, folder: Path) -> pd.DataFrame:
    """Name every file of a source with what is known of its field, as `metadata.csv` has it.

    Parameters
    ----------
    folder
        Where the table is to lie: files are named as seen from there.

    Returns
    -------
    Columns field_name, file, then channel, z, mask_file and pixel_size_um where they say something, then those of the
    source's table; an empty column `compound` to fill in where nothing says what was done to the images.

    Raises
    ------
    SourceError
        If the source is cells, or its images are no files of their own.
    """
    if not fields.entries:
        raise SourceError(f"{fields.name} is cells already; give the folder of their images.")
    known = fields.table.rename(columns={name: str(name).removesuffix(GIVEN) for name in fields.table.columns})
    rows: list[dict[str, object]] = []
    for number, entry in enumerate(map(_as_it_lies, fields.entries)):
        rows += [{"row": number, "field_name": entry.name, **one} for one in _files(fields, entry, folder)]
    table = pd.DataFrame(rows)
    if "z" in table.columns and table["z"].nunique() == 1 and not table.duplicated(["field_name", "channel"]).any():
        table = table.drop(columns="z")
    if fields.pixel_size is not None:
        table["pixel_size_um"] = fields.pixel_size
    table = table.merge(known.rename_axis("row").reset_index(), how="left", on="row").drop(columns="row")
    if not guess_labels(known):
        table[FILL_IN] = ""
    return table


def write_table_of_files(fields: FieldFiles, out: Path, *, overwrite: bool = False) -> pd.DataFrame:
    """Write `table_of_files` as a CSV table, beside its name and renamed, so that none is left half-written.

    Raises
    ------
    SourceError
        As `table_of_files`.
    CellsError
        If it exists, or cannot be written.
    """
    if out.exists() and not overwrite:
        raise CellsError(f"{out} exists, perhaps edited; choose another name, or replace it with --overwrite.")
    table = table_of_files(fields, out.parent)
    with written_beside(out) as partial:
        # Excel takes a file for UTF-8 by this mark alone
        table.to_csv(partial, index=False, encoding="utf-8-sig")
    return table


def _as_it_lies(entry: SourceEntry) -> SourceEntry:
    """An entry without what is made of its files as they are read: corrected illumination, centres of another table."""
    while isinstance(entry, CorrectedEntry | CentredEntry) and entry.entry is not None:
        entry = entry.entry
    return entry


def _files(fields: FieldFiles, entry: SourceEntry, folder: Path) -> list[dict[str, object]]:
    """The rows of one entry: one an image of all channels, one a channel, or one a Z plane of a channel."""
    mask = {} if entry.masks is None else {"mask_file": _seen_from(folder, entry.masks)}
    if type(entry) is SourceEntry and len(entry.files) == 1:
        return [{"file": _seen_from(folder, entry.files[0]), **mask}]
    if type(entry) is SourceEntry:
        return [
            {"channel": channel, "file": _seen_from(folder, file), **mask}
            for channel, file in zip(fields.channels, entry.files, strict=True)
        ]
    stacks = entry.planes if isinstance(entry, PlateField) else ()
    if not stacks or any(type(plane) is not PlaneFile for stack in stacks for plane in stack):
        raise SourceError(
            f"The images of {fields.name} are no files of their own, so that no table can name them; give a plate map "
            "(--plate-map FILE) instead."
        )
    if len(stacks) == 1 and len(fields.channels) > 1:
        if len(stacks[0]) > 1:
            raise SourceError(
                f"The files of {fields.name} hold all channels of one Z plane each, which no table can say; choose one "
                "plane with --z."
            )
        return [{"file": _seen_from(folder, stacks[0][0].file), **mask}]
    return [
        {"channel": channel, "z": plane.z, "file": _seen_from(folder, plane.file), **mask}
        for channel, stack in zip(fields.channels, stacks, strict=True)
        for plane in stack
    ]


def _seen_from(folder: Path, file: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return str(file.absolute())
