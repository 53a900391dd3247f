"""A few example crops of every condition, quickly: few files are read, and of large fields the middle only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.crops import cut_at, fits, nucleus_centres
from napari_impa.cells.reading import read_pixels
from napari_impa.cells.segmenters import Segmenter, as_segmenter
from napari_impa.cells.source import Source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.words import SIDE, guess_nuclei_channel
from napari_impa.errors import SourceError

EXAMPLES = 6
"""Crops shown of each condition."""

WINDOW = 640
"""Of a larger field only the middle, this many pixels wide and high, is searched for nuclei."""

MOST_IMAGES = 480
"""No more crops are read to compare plates by."""

_PER_PLATE = 24  # crops of a plate to compare it by
_PER_FIELD = 12  # crops kept of a field
_MOST_PLATES = 12  # whole fields read only to compare plates
_FEWEST_COMPARED = 3  # crops of a condition, of fewer of which nothing is said


@dataclass(frozen=True, eq=False)
class Example:
    """Crops of one table row.

    Parameters
    ----------
    row
        In the source's table.
    pixels
        (n, C, S, S); n is 1 but for whole fields, where it may be 0.
    cells
        Of a whole field about how many it holds.
    """

    row: int
    pixels: NDArray[np.generic]
    cells: int


def rows_to_read(
    names: NDArray[np.object_],
    plates: NDArray[np.object_] | None = None,
    control: str | None = None,
    *,
    fields: bool = False,
    seed: int = 0,
) -> list[int]:
    """Choose rows at random: some of every condition first, then some of every plate, controls before others.

    Parameters
    ----------
    names, plates
        (N,) condition and plate of every row.
    control
        The control's name, whose rows come first.
    fields
        The rows are whole fields, of which one shows several cells.
    """
    order = np.random.default_rng(seed).permutation(len(names))
    rows: list[int] = _of_conditions(names, control, order, 1 if fields else EXAMPLES).tolist()
    if plates is None:
        return rows
    more = _of_plates(names, plates, control, order, 1 if fields else _PER_PLATE)
    known = set(rows)
    return rows + [row for row in more[: _MOST_PLATES if fields else None].tolist() if row not in known]


def rows_to_compare(
    names: NDArray[np.object_],
    plates: NDArray[np.object_] | None = None,
    control: str | None = None,
    *,
    most: int = MOST_IMAGES,
) -> list[int]:
    """Choose as `rows_to_read` does, but `most` rows at most: where that is fewer, of some conditions alone.

    Plates keep half of the rows, as many of each as can be; conditions that are read are spread over their names, the
    control among them.
    """
    rows = rows_to_read(names, plates, control)
    if len(rows) <= most:
        return rows
    order = np.random.default_rng(0).permutation(len(names))
    more = np.empty(0, np.intp)
    if plates is not None:
        more = _of_plates(names, plates, control, order, _PER_PLATE)
        more = more[np.argsort(_rank(plates[more]), kind="stable")]
    left = max(most - len(more), most // 2)
    first = _of_conditions(names, control, order, EXAMPLES)
    numbers, conditions = pd.factorize(names[first])
    few = _rank(numbers) < max(_FEWEST_COMPARED, left // len(conditions))
    some = max(1, int(min(1, left / few.sum()) * len(conditions)))
    kept = np.linspace(0, len(conditions) - 1, some).astype(int)
    chosen = first[few & np.isin(numbers, kept)][:left]
    more = more[~np.isin(more, chosen)]
    return [*chosen.tolist(), *more[: most - len(chosen)].tolist()]


def _of_conditions(
    names: NDArray[np.object_], control: str | None, order: NDArray[np.intp], most: int
) -> NDArray[np.intp]:
    """The first rows of every condition, in an order; those of the control, then by the conditions' names."""
    shuffled = names[order]
    first = np.flatnonzero(_rank(shuffled) < most)
    return order[first[np.lexsort((shuffled[first].astype(str), shuffled[first] != control))]]


def _of_plates(
    names: NDArray[np.object_], plates: NDArray[np.object_], control: str | None, order: NDArray[np.intp], most: int
) -> NDArray[np.intp]:
    """The first rows of every plate, in an order, controls before others; fewer where there are many plates."""
    preferred = order[np.argsort(names[order] != control, kind="stable")]
    most = max(1, min(most, MOST_IMAGES // max(1, len(set(plates)))))
    return preferred[_rank(plates[preferred]) < most]


def _rank(groups: NDArray[np.generic]) -> NDArray[np.intp]:
    """(n,) the how many of its group each one is."""
    column = pd.Series(groups)
    ranks: NDArray[np.intp] = column.groupby(column).cumcount().to_numpy(np.intp)
    return ranks


def read_examples(
    source: Source,
    rows: Sequence[int],
    *,
    cells: Cells | None = None,
    size: int = SIDE,
    segment: str | Segmenter | None = None,
    nuclei_channel: str | int | None = None,
    seed: int = 0,
    damaged: list[SourceError] | None = None,
) -> Iterator[Example]:
    """Read crops row after row.

    Parameters
    ----------
    source
        Whole fields, ready crops or cells.
    rows
        Of its table.
    cells
        Those of a source that has no files.
    size
        Crop side in whole fields.
    segment, nuclei_channel
        How nuclei are found in whole fields, as `crop_source` takes it; a field without masks and without a channel
        that is known to show nuclei gives its middle.
    damaged
        Takes the errors of images that cannot be read, which are then passed over.

    Raises
    ------
    SourceError, CellsError
        If a file cannot be read.
    """
    if source.kind == "cells":
        stored = open_cells(source.path) if cells is None else cells
        for row in rows:
            yield Example(row, read_pixels(stored.pixels, np.array([row])), 1)
        return
    fields = source.kind == "fields"
    find = _finder(source, segment, nuclei_channel) if fields else None
    rng = np.random.default_rng(seed)
    for row in rows:
        try:
            yield _from_crop(source, row) if find is None else _from_field(source, row, size, find, rng)
        except SourceError as error:
            if damaged is None:
                raise
            damaged.append(error)


def joined(examples: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """Join crops (n, C, S, S), cut to the smallest side around their centres."""
    side = min(part.shape[-1] for part in examples)
    cut = []
    for part in examples:
        start = part.shape[-1] // 2 - side // 2
        cut.append(part[:, :, start : start + side, start : start + side])
    return np.concatenate(cut)


Finder = Callable[[NDArray[np.generic], "NDArray[np.integer] | None"], "NDArray[np.integer] | None"]


def _finder(source: Source, segment: str | Segmenter | None, nuclei_channel: str | int | None) -> Finder:
    """Return what gives the nuclei of a part of a field, or None where nothing says how to find them."""
    method = as_segmenter(segment or ("labels" if source.has_masks else "nuclei"))
    if method.takes_masks:
        return lambda pixels, labels: None if labels is None else method(pixels, masks=labels)
    if nuclei_channel is None:
        guess = 0 if len(source.channels) == 1 else guess_nuclei_channel(source.channels)
    else:
        guess = source.nuclei_channel(nuclei_channel)
    if guess is None:
        return lambda pixels, labels: None
    return lambda pixels, labels: method(np.nan_to_num(pixels), guess, source.pixel_size)


def _from_crop(source: Source, row: int) -> Example:
    pixels = source.image(row).pixels
    height, width = pixels.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Example(row, pixels[None, :, top : top + side, left : left + side], 1)


def _from_field(source: Source, row: int, size: int, find: Finder, rng: np.random.Generator) -> Example:
    field = source.field(row)
    height, width = field.pixels.shape[1:]
    size = min(size, height, width)
    window = max(WINDOW, size)
    top, left = max(0, (height - window) // 2), max(0, (width - window) // 2)
    part = (slice(top, top + window), slice(left, left + window))
    pixels = field.pixels[(slice(None), *part)]
    labels = find(pixels, None if field.labels is None else field.labels[part])
    shape = pixels.shape[1:]
    if labels is None:
        centres, count = np.array([[shape[0] // 2, shape[1] // 2]]), 0
    else:
        centres = nucleus_centres(labels)[["y", "x"]].to_numpy()
        count = round(len(centres) * height * width / (shape[0] * shape[1]))
        centres = rng.permutation(centres[fits(centres, shape, size)])[:_PER_FIELD]
    return Example(row, cut_at(pixels, centres, size, border="skip"), count)
