"""Predicting any number of cells batch by batch, in memory that is halved where it runs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.parts import Share
from napari_impa.cells.store import Cells, condition_names
from napari_impa.engine.describing.new_condition import Target, as_list
from napari_impa.engine.device import is_out_of_memory, release_memory
from napari_impa.engine.model.encoder import Encoder
from napari_impa.errors import ModelError, OutOfMemoryError
from napari_impa.watch import UNWATCHED, Watch

TURNED_INTO = "predicted"
"""Column of predicted cells that names what they were turned into."""

DEFAULT_BATCH = 32


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
    share: Share | None = None,
    watch: Watch = UNWATCHED,
) -> Iterator[tuple[slice, list[NDArray[Any]]]]:
    """Yield, batch by batch, the places in `rows` (None for all cells) and predicted pixels, one array a condition.

    `IMPA.predict` for more cells than memory holds: cells in a file are read batch by batch too. Where the device's
    memory does not suffice, the batch is halved and the work goes on. Where several processes `share` the cells, this
    one takes its own batches, of which each is what a single process would make of it.

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
    if not (np.isfinite(strength) and np.isfinite(variability) and variability >= 0):
        raise ModelError("Strength is a number and variability a number from 0 up.")
    model.fit(cells.take([]))
    rows = np.arange(len(cells)) if rows is None else np.asarray(rows)
    noise, batches = model.noise(len(rows), variability=variability, seed=seed), batches_of(model, cells)
    batch = batch_size or DEFAULT_BATCH
    mine = (share or Share()).rows(len(rows), block=batch)
    start = mine.start
    while start < mine.stop:
        watch.check()
        part = slice(start, min(start + batch, mine.stop))
        try:
            block = model.fit(cells.take(rows[part])).pixels
            of = None if batches is None else batches[rows[part]]
            encoded = model.encode(block, style=strength != 1, batches=of)
            images = [model.decode(encoded, target, noise[part], strength=strength) for target in targets]
            pixels = [model.to_camera(image, block.dtype) for image in images]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            encoded = images = None  # type: ignore[assignment]
            release_memory(model.device)
            if batch == 1:
                raise OutOfMemoryError(
                    "Not even one cell fits into the device's memory; choose the device cpu."
                ) from error
            batch = max(1, batch // 2)
            continue
        yield part, pixels
        start = part.stop
        watch.report(start - mine.start, len(mine))
