"""A survey before a training: what a folder holds, what its table suggests, what is doubtful."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from napari_impa.analysis.pictures.composite import channel_colours, composite, display_limits
from napari_impa.cells.checks import Concern, damaged_concerns, few_cells, plate_column, ranked, table_concerns
from napari_impa.cells.checks.pixels import pixel_concerns
from napari_impa.cells.examples import EXAMPLES, MOST_IMAGES, Example, joined, read_examples, rows_to_read
from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source, SourceKind, open_source
from napari_impa.cells.store import Cells
from napari_impa.cells.tables import condition_names, guess_control, guess_labels, shortest
from napari_impa.errors import SourceError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.tables.conditions_table import held_rows, label_columns

LARGEST = 260
"""Pixels of the largest example crop that is kept to be shown."""

REPORT_EVERY = 0.5
"""Seconds between pictures that are shown while more are read."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What a folder or open layers hold, and what is guessed from the table.

    Parameters
    ----------
    source
        Its table, kind, channels and sizes; nothing of its pixels.
    columns
        Of the table that can name conditions.
    labels, control
        Guessed columns and control.
    cells
        Of open layers, which have no files.
    examples
        Crops (n, C, S, S) of each condition; `look_closer` fills them in.
    pictures
        The same in colour, (n, S, S, 3), no larger than they are ever shown.
    limits
        (C, 2) intensities shown as black and as full colour, for all conditions alike.
    checks
        What is doubtful, the gravest first.
    """

    source: Source
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    control: str | None
    cells: Cells | None = None
    examples: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    limits: NDArray[np.float64] | None = None
    checks: tuple[Concern, ...] = ()


def look(
    path: str | Path, task: str, kind: SourceKind | None = None, choice: LayoutChoice = AS_FOUND, *,
    watch: Watch = UNWATCHED,
) -> Looked:  # fmt: skip
    """Open a folder without reading its pixels.

    Parameters
    ----------
    kind, choice
        What its images are and how it is read, where that is guessed wrong.

    Raises
    ------
    SourceError, CellsError
        If it cannot be used as it is.
    """
    source = open_source(path, kind=kind, choice=choice)
    stored = source.stored_cells() if source.kind == "cells" else None
    watch.check()
    return replace(looked_at(source, task, stored), cells=None)  # they are read from their files


def looked_at(source: Source, task: str, cells: Cells | None = None) -> Looked:
    """Guess labels and control of a source; those of cells that were stored with them are taken over."""
    labels, control = guess(source.table, task)
    if task == "perturbation" and cells is not None and cells.label:
        labels, control = cells.label, cells.control or control
    return Looked(source, label_columns(source.table, labels), labels, control, cells)


def look_closer(
    looked: Looked,
    label: Sequence[str],
    control: str | None,
    hold_out: Mapping[str, Sequence[str]],
    segment: str | Segmenter | None = None,
    nuclei_channel: str | None = None,
    *,
    watch: Watch = UNWATCHED,
) -> Generator[Looked, None, Looked]:
    """Read some crops of every condition and check what the training would be given.

    Yields what is known so far: first what the table alone says, then pictures as they come; returns the whole.

    Parameters
    ----------
    looked
        Of `look`.
    label, control, hold_out
        As they are chosen.
    segment, nuclei_channel
        How nuclei are found in whole fields.

    Raises
    ------
    ImpaError
        If a label column is missing, or cells cannot be read.
    """
    source, table = looked.source, looked.source.table
    looked = replace(looked, labels=tuple(label), control=control)
    names, held = condition_names(table, label, control), held_rows(table, hold_out)
    fields = source.kind == "fields"
    size = source.shape[0] if source.kind == "cells" else None
    checks = table_concerns(table, label, control, held, size=size, fields=fields)
    yield replace(looked, checks=checks)
    plate = plate_column(table, label)
    plates = None if plate is None else condition_names(table, [plate])
    own = None if control is None else shortest(control)
    closer = _Closer(names, own, source.channels)
    rows = rows_to_read(names, plates, own, fields=fields)
    damaged: list[SourceError] = []
    reported = time.monotonic()
    for example in read_examples(
        source, rows, cells=looked.cells, segment=segment, nuclei_channel=nuclei_channel, damaged=damaged
    ):
        watch.check()
        closer.add(example)
        if time.monotonic() - reported > REPORT_EVERY:
            yield closer.seen(looked, checks)
            reported = time.monotonic()
    yield closer.seen(looked, checks)
    checks += damaged_concerns(damaged, len(rows)) + closer.concerns(source, plates, plate or "plate", held)
    return closer.seen(looked, ranked(checks))


def finished(parts: Generator[Any, None, Looked]) -> Looked:
    """Wait for the end of `look_closer`, whatever it knows before; for those who show nothing meanwhile."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            found: Looked = end.value
            return found


class _Closer:
    """Crops read so far: those shown of each condition, and those that the channels are compared by."""

    def __init__(self, names: NDArray[np.object_], control: str | None, channels: Sequence[str]) -> None:
        self._names, self._control, self._channels = names, control, channels
        self._shown: dict[str, list[NDArray[np.generic]]] = {}
        self._counted: dict[str, list[int]] = {}
        self._pool: list[tuple[int, NDArray[np.generic]]] = []

    def add(self, example: Example) -> None:
        name = str(self._names[example.row])
        shown = self._shown.setdefault(name, [])
        wanted = EXAMPLES - sum(map(len, shown))
        if wanted > 0 and len(example.pixels):
            shown.append(example.pixels[:wanted])
        self._counted.setdefault(name, []).append(example.cells)
        if len(self._pool) < MOST_IMAGES:
            self._pool += [(example.row, crop[None]) for crop in example.pixels]

    def seen(self, looked: Looked, checks: tuple[Concern, ...]) -> Looked:
        examples = {name: joined(parts) for name, parts in self._shown.items() if parts}
        if not examples:
            return replace(looked, checks=checks)
        each = max(1, 60 // len(examples))
        some = joined([pixels[:each] for pixels in list(examples.values())[:60]])
        limits, colours = display_limits(some), channel_colours(self._channels)
        pictures = {name: shrunk(composite(pixels, limits, colours), LARGEST) for name, pixels in examples.items()}
        return replace(looked, examples=examples, pictures=pictures, limits=limits, checks=checks)

    def concerns(
        self, source: Source, plates: NDArray[np.object_] | None, plate: str, held: NDArray[np.bool_]
    ) -> tuple[Concern, ...]:
        found: tuple[Concern, ...] = ()
        if source.kind == "fields":
            fields = pd.Series(self._names[~held]).value_counts()
            about = {name: round(np.mean(counts) * fields.get(name, 0)) for name, counts in self._counted.items()}
            found += tuple(few_cells(pd.Series({name: cells for name, cells in about.items() if name}), about=True))
        if self._pool:
            rows = np.array([row for row, _ in self._pool])
            pixels = joined([crop for _, crop in self._pool])
            of_plate = None if plates is None else plates[rows]
            found += pixel_concerns(
                pixels, source.channels, of_plate, self._names[rows], control=self._control, plate=plate
            )
        return found


def shrunk(crops: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Crops (n, S, S, 3) at most so many pixels high."""
    step = -(-crops.shape[1] // most)
    return crops if step == 1 else np.stack([np.asarray(Image.fromarray(crop).reduce(step)) for crop in crops])


def guess(table: pd.DataFrame, task: str) -> tuple[tuple[str, ...], str | None]:
    """Guess label columns and, for perturbations, the control."""
    labels = tuple(guess_labels(table, "batch" if task == "batch" else "perturbation"))
    return labels, None if task == "batch" else guess_control(table, labels)
