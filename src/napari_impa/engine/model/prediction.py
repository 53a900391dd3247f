"""Predicting any number of cells batch by batch, in memory that is halved where it runs out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.parts import Share
from napari_impa.cells.reading import file_part
from napari_impa.cells.store import Cells, condition_names
from napari_impa.engine.describing.new_condition import Target, as_list
from napari_impa.engine.device import is_out_of_memory, release_memory
from napari_impa.engine.model.encoder import Encoder
from napari_impa.engine.model.passes import Fetch, pass_for
from napari_impa.errors import ModelError, OutOfMemoryError
from napari_impa.overlap import read_ahead
from napari_impa.watch import UNWATCHED, Watch

TURNED_INTO = "predicted"
"""Column of predicted cells that names what they were turned into."""

DEFAULT_BATCH, GPU_BATCH = 32, 128
"""Cells at a time, and on a GPU, which has many at a time in hand."""


def batches_of(model: Encoder, cells: Cells) -> NDArray[np.intp] | None:
    """(N,) numbers of the batches that the cells' table says they are of, -1 where the model does not know the batch.

    None where the table does not say, or the model does not ask.
    """
    said = bool(model.label) and set(model.label) <= set(cells.table.columns)
    if model.task != "batch" or not model.shape.relative_style or not said:
        return None
    numbers: NDArray[np.intp] = pd.Index(model.conditions).get_indexer(
        pd.Index(condition_names(cells.table, model.label))
    )
    return numbers


def predict_blocks(
    model: Encoder,
    cells: Cells,
    to: Target | Sequence[Target],
    *,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
    batch_size: int | None = None,
    rows: NDArray[np.integer] | None = None,
    begin: int = 0,
    share: Share | None = None,
    watch: Watch = UNWATCHED,
) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
    """Yield, batch by batch, the places in `rows` (None for all cells) and predicted pixels, one array a condition.

    `IMPA.predict` for more cells than memory holds: cells in a file are read batch by batch too, each while the one
    before is turned. Where the device's memory does not suffice, the batch is halved and the work goes on. Where
    several processes `share` the cells, this one takes its own batches, of which each is what a single process would
    make of it. Those of the rows that come before the place `begin` are left out, as they were done before.

    Raises
    ------
    ConditionError, ModelError
        If a condition is unknown or the cells do not fit the model.
    OutOfMemoryError
        If not even one cell fits into the memory.
    """
    targets = as_list(to)
    for target in targets:
        model.embedding(target)
    if batch_size is not None and batch_size < 1:
        raise ModelError(f"At least 1 cell is predicted at a time, not {batch_size}.")
    if not (np.isfinite(strength) and np.isfinite(variability) and variability >= 0):
        raise ModelError("Strength is a number and variability a number from 0 up.")
    model.fit(cells.take([]))
    rows = np.arange(len(cells)) if rows is None else np.asarray(rows)
    noise, batches = model.noise(len(rows), variability=variability, seed=seed), batches_of(model, cells)
    turn = pass_for(model, targets, strength=strength)
    batch = batch_size or (GPU_BATCH if turn.behind else DEFAULT_BATCH)
    mine = (share or Share()).rows(len(rows), block=batch)
    todo = range(max(mine.start, begin), mine.stop)
    waiting: deque[tuple[slice, Fetch]] = deque()

    def made(behind: int) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
        while len(waiting) > behind:
            part, fetch = waiting.popleft()
            yield part, fetch()
            watch.report(part.stop - mine.start, len(mine))

    with closing(_read(model, cells, rows, todo, batch, watch)) as blocks:
        for whole, pixels in blocks:
            start = whole.start
            while start < whole.stop:
                watch.check()
                part = slice(start, min(start + batch, whole.stop))
                of = None if batches is None else batches[rows[part]]
                try:
                    fetch = turn(pixels[start - whole.start : part.stop - whole.start], noise[part], of)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                    if batch == 1:
                        raise OutOfMemoryError(
                            "Not even one cell fits into the device's memory; choose the device cpu."
                        ) from error
                    fetch = None
                if fetch is None:  # only here are the failed pass's tensors free
                    yield from made(0)
                    turn.forget()
                    release_memory(model.device)
                    batch = max(1, batch // 2)
                    continue
                waiting.append((part, fetch))
                start = part.stop
                yield from made(turn.behind)
    yield from made(0)


def _read(
    model: Encoder, cells: Cells, rows: NDArray[np.integer], mine: range, batch: int, watch: Watch
) -> Generator[tuple[slice, NDArray[Any]]]:
    """Places of one batch after the other and their pixels, which are read from a file while another is turned."""
    parts = [slice(start, min(start + batch, mine.stop)) for start in range(mine.start, mine.stop, batch)]

    def read(part: slice) -> NDArray[Any]:
        return model.fit(cells.take(rows[part])).pixels

    if file_part(cells.pixels) is not None:
        yield from read_ahead(parts, read, watch=watch)
    else:
        yield from ((part, read(part)) for part in parts)
