"""What one well of a plate holds, to look at: a few of its cells in colour, and a line about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.pictures.composite import channel_colours, composite, display_limits
from napari_impa.cells.examples import EXAMPLES, joined, read_examples
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source
from napari_impa.cells.tables import condition_names
from napari_impa.cells.wells import is_well, well_name
from napari_impa.cells.words import PLATE, WELL
from napari_impa.errors import SourceError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.survey import LARGEST, Looked, shrunk

MOST_FIELDS = 3
"""Whole fields of a well that are read until there are enough cells."""


@dataclass(frozen=True, eq=False)
class WellCells:
    """Some cells of a well.

    Parameters
    ----------
    plate, well
        Which one.
    pictures
        (n, S, S, 3) cells in colour, in the contrast of the other conditions where that is known; n may be 0.
    said
        A line: how many fields or cells the well has, and what could not be read.
    """

    plate: str
    well: str
    pictures: NDArray[np.uint8]
    said: str


def well_cells(
    looked: Looked,
    plate: str,
    well: str,
    limits: NDArray[np.float64] | None = None,
    segment: str | Segmenter | None = None,
    nuclei_channel: str | None = None,
    *,
    watch: Watch = UNWATCHED,
) -> WellCells:
    """Read a few cells of a well; of whole fields, where no nuclei are found, their middles.

    Parameters
    ----------
    looked
        A source with wells.
    plate, well
        As `plate_pictures` names them.
    limits
        (C, 2) intensities shown as black and as full colour; the well's own where None.
    segment, nuclei_channel
        How nuclei are found in whole fields.

    Raises
    ------
    ImpaError
        If how nuclei are to be found does not fit the source; images that cannot be read are said in the line.
    """
    source = looked.source
    rows = rows_of_well(looked, plate, well)
    whole = source.kind == "fields"
    what = "whole field" if whole else "ready crop" if source.kind == "crops" else "cell"
    said = f"{len(rows):,} {what}{'s' * (len(rows) != 1)}"
    damaged: list[SourceError] = []
    crops: list[NDArray[np.generic]] = []
    some = rows[:MOST_FIELDS] if whole else rows[np.linspace(0, len(rows) - 1, min(len(rows), EXAMPLES)).astype(int)]
    for example in read_examples(
        source, some.tolist(), cells=looked.cells, segment=segment, nuclei_channel=nuclei_channel, damaged=damaged
    ):
        watch.check()
        if len(example.pixels):
            crops.append(example.pixels)
        if sum(map(len, crops)) >= EXAMPLES:
            break
    if damaged:
        said += f". {damaged[0]}"
    elif not crops:
        said += f", without nuclei in the {'first ' * (len(some) > 1)}{len(some)}; the middle of one is shown"
        crops = [_middle(source, int(some[0]))]
    if not crops:
        return WellCells(plate, well, np.empty((0, 1, 1, 3), np.uint8), said)
    pixels = joined(crops)[:EXAMPLES]
    limits = display_limits(pixels) if limits is None else limits
    pictures = shrunk(composite(pixels, limits, channel_colours(source.channels)), LARGEST)
    return WellCells(plate, well, pictures, said)


def _middle(source: Source, row: int) -> NDArray[np.generic]:
    """The square (1, C, S, S) in the middle of a whole field."""
    pixels = source.image(row).pixels
    side = min(pixels.shape[1:])
    top, left = ((length - side) // 2 for length in pixels.shape[1:])
    return pixels[None, :, top : top + side, left : left + side]


def rows_of_well(looked: Looked, plate: str, well: str) -> NDArray[np.intp]:
    """Rows of the table that are of a well, by whatever spelling; of no plate where no plates are known."""
    table = looked.source.table
    in_well, on_plate = WELL.find(table), PLATE.find(table)
    if in_well is None:
        return np.empty(0, np.intp)
    wells = [well_name(name) if is_well(name) else name for name in condition_names(table, [in_well])]
    of_plate = np.ones(len(table), bool) if on_plate is None else condition_names(table, [on_plate]) == plate
    return np.flatnonzero((np.array(wells, object) == well) & of_plate)
