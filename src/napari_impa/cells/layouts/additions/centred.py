"""Fields with the centres of their cells from a table: they come as masks of one pixel a cell, cut as others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.centres import CellTable, read_cell_table
from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing, SourceEntry
from napari_impa.cells.readers import Image
from napari_impa.cells.tables import shortest
from napari_impa.cells.wells import is_well, well_name
from napari_impa.cells.words import PLATE, SITE, WELL
from napari_impa.errors import SourceError


@dataclass(frozen=True, eq=False)
class CentredEntry(SourceEntry):
    """A field whose cells a table knows.

    Parameters
    ----------
    entry
        As it is without.
    table
        `y`, `x`, `label` and what else is said of each cell.
    """

    entry: SourceEntry | None = None
    table: pd.DataFrame | None = None

    def image(self) -> Image:
        """Read its pixels; errors as the entry's own."""
        assert self.entry is not None, "it is of an entry"
        return self.entry.image()

    def probe(self) -> Image:
        """Read all but the pixels; errors as the entry's own."""
        assert self.entry is not None, "it is of an entry"
        return self.entry.probe()

    def labels(self) -> Image:
        """One pixel a cell, numbered as in the table.

        Raises
        ------
        SourceError
            If a centre lies outside the image.
        """
        cells = self.cells()
        height, width = self.probe().pixels.shape[1:]
        y, x = cells["y"].to_numpy(), cells["x"].to_numpy()
        outside = (y < 0) | (y >= height) | (x < 0) | (x >= width)
        if outside.any():
            row = int(outside.argmax())
            raise SourceError(
                f"{self.masks} has a cell at x {x[row]}, y {y[row]} of {self.name}, which is {width} px wide and "
                f"{height} high; give centres in pixels of these images."
            )
        labels = np.zeros((1, height, width), np.int32)
        labels[0, y, x] = cells["label"]
        return Image(labels, ("",))

    def cells(self) -> pd.DataFrame:
        """Its rows of the table."""
        assert self.table is not None, "it is of a table"
        return self.table


def with_centres(listing: Listing, choice: LayoutChoice) -> Listing:
    """Give the fields of a source the centres of their cells from a table, where one is chosen.

    Raises
    ------
    SourceError
        If the table cannot be read, or none of its cells is of an image of the source.
    MissingDependencyError
        As `read_cell_table`.
    """
    if choice.centres is None:
        return listing
    found = read_cell_table(choice.centres)
    rows = _rows_of_cells(listing, found)
    if not (rows >= 0).any():
        raise SourceError(
            f"None of the cells of {found.name} is of an image of this source, by file, or by plate, well and site; "
            "give the table of these images."
        )
    entries: list[SourceEntry] = []
    same = 0
    for row, entry in enumerate(listing.entries):
        own = found.cells[rows == row]
        once = own[~own.duplicated(["y", "x"])].reset_index(drop=True)
        same += len(own) - len(once)
        if once["label"].duplicated().any() or (once["label"] < 1).any():
            once = once.assign(label=np.arange(1, len(once) + 1))
        entries.append(CentredEntry(entry.name, entry.files, Path(choice.centres), entry, once))
    without = sum(entry.cells().empty for entry in entries if isinstance(entry, CentredEntry))
    said = [f"Cells are cut around the {int((rows >= 0).sum()) - same:,} centres of {found.name}"]
    said += [f"{int((rows < 0).sum()):,} more of images that are not here"] if (rows < 0).any() else []
    said += [f"{same:,} on the same pixel as another, left out"] if same else []
    said += [f"{found.without_centre:,} without numbers"] if found.without_centre else []
    said += [f"{without:,} field{'s' * (without != 1)} without any"] if without else []
    skipped = {file: why for file, why in listing.skipped.items() if file.absolute() != Path(choice.centres).absolute()}
    return replace(listing, entries=entries, skipped=skipped, notes=(*listing.notes, f"{'; '.join(said)}."))


def _rows_of_cells(listing: Listing, found: CellTable) -> np.ndarray:
    """(N,) the row of each cell's field, or -1."""
    count = len(found.cells)
    plates = _column(listing.table, PLATE.find(listing.table))
    if found.files is not None:
        by_file: defaultdict[str, set[int]] = defaultdict(set)
        for row, entry in enumerate(listing.entries):
            for file in entry.files:
                by_file[file.name.casefold()].add(row)
        of_plate = found.plates if found.plates is not None else pd.Series([""] * count)
        known: dict[tuple[str, ...], int] = {}
        rows = np.full(count, -1)
        for at, key in enumerate(zip(of_plate, *(found.files[name] for name in found.files), strict=True)):
            if key not in known:
                known[key] = _one(set().union(*(by_file.get(name, set()) for name in key[1:])), key[0], plates, found)
            rows[at] = known[key]
        if (rows >= 0).any() or found.wells is None:
            return rows
    wells, sites = (_column(listing.table, word.find(listing.table)) for word in (WELL, SITE))
    assert found.wells is not None, "a table says of its cells' images"
    by_place: dict[tuple[str, str, str], int] = {}
    several = len(set(plates)) > 1
    for row, (plate, well, site) in enumerate(zip(plates, wells, sites, strict=True)):
        name = well_name(well) if is_well(well) else well
        key_here = (plate if several else "", name, site if found.sites is not None else "")
        if key_here in by_place:
            raise SourceError(
                f"{found.name} does not tell the fields {listing.entries[by_place[key_here]].name} and "
                f"{listing.entries[row].name} apart; it needs a column of plates, sites or files."
            )
        by_place[key_here] = row
    nothing = pd.Series([""] * count)
    columns = (found.plates if several else nothing, found.wells, found.sites)
    keys = zip(*(nothing if column is None else column for column in columns), strict=True)
    return np.array([by_place.get(key, -1) for key in keys], int)


def _one(rows: set[int], plate: str, plates: list[str], found: CellTable) -> int:
    """The one field that a cell's files are of; where several plates have such files, that of its plate."""
    own = {row for row in rows if plates[row] == plate} if len(rows) > 1 else rows
    if len(own) > 1 or (rows and not own):
        raise SourceError(
            f"{found.name} names files that {len(rows)} fields have; it needs a column of plates, called as those here."
        )
    return next(iter(own), -1)


def _column(table: pd.DataFrame, name: str | None) -> list[str]:
    return [""] * len(table) if name is None else [shortest(value) for value in table[name]]
