"""What is doubtful about cells that were cut or read, from their table and from some of their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.checks.concern import Concern, ranked
from napari_impa.cells.checks.pixels import pixel_concerns
from napari_impa.cells.checks.table import plate_column, table_concerns
from napari_impa.cells.examples import rows_to_compare
from napari_impa.cells.reading import read_pixels
from napari_impa.cells.store import Cells
from napari_impa.cells.tables import condition_names, shortest

WHATEVER_IS_DONE = frozenset(
    {"swapped", "brightness", "repeated", "empty", "unlabelled", "spelled", "spreadsheet", "no control", "saturated"}
)
"""Kinds of concerns that matter whatever the cells are used for; the others are about a training."""

MOST_FIELDS = 120
"""Fields up to which each is compared with the others."""


def cells_concerns(cells: Cells) -> tuple[Concern, ...]:
    """What is doubtful whatever is done with cells, the gravest first; every command says it."""
    return tuple(one for one in training_concerns(cells) if one.kind in WHATEVER_IS_DONE)


def training_concerns(
    cells: Cells,
    rows: NDArray[np.intp] | None = None,
    held: NDArray[np.bool_] | None = None,
    *,
    perturbed: bool = True,
) -> tuple[Concern, ...]:
    """Look for what is doubtful about cells that a training is given, the gravest first.

    The table is looked at as a whole; of the pixels, however many conditions there are, those of `MOST_IMAGES` cells.

    Parameters
    ----------
    rows
        The cells that it is about; all where None.
    held
        (n,) which of them are held out; none where None.
    perturbed
        Whether it is about perturbations, of which the control is one; else about batches.
    """
    rows = np.arange(len(cells)) if rows is None else rows
    table = cells.table.iloc[rows].reset_index(drop=True)
    control = cells.control if perturbed else None
    own = None if control is None else shortest(control)
    plate = plate_column(table, cells.label)
    plates = None if plate is None else condition_names(table, [plate])
    found: tuple[Concern, ...] = ()
    names = np.full(len(rows), "", object)
    if cells.label:
        found = table_concerns(table, cells.label, control, held, size=cells.size)
        names = condition_names(table, cells.label, control)
    fields = table["field"].astype(str).to_numpy(object) if "field" in table.columns else None
    if fields is not None and not 1 < len(set(fields)) <= MOST_FIELDS:
        fields = None
    together = fields if fields is not None else plates if plates is not None else names
    some = np.array(rows_to_compare(names, together, own), np.intp)
    pixels = read_pixels(cells.pixels, rows[some])
    of_plate = None if plates is None else plates[some]
    of_condition = names[some] if cells.label else None
    of_field = None if fields is None else fields[some]
    seen = pixel_concerns(pixels, cells.channels, of_plate, of_condition, of_field, control=own, plate=plate or "plate")
    return ranked((*found, *seen))
