"""Predicting cells in other processes of this machine, or by the workers of a dask scheduler: some cells a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.store import Cells
from napari_impa.engine.describing.new_condition import Target
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.prediction import DEFAULT_BATCH, batches_of
from napari_impa.watch import Watch
from napari_impa.workers import Workers


def predict_elsewhere(
    model: IMPA, file: Path, cells: Cells, targets: Sequence[Target], workers: Workers, *, strength: float,
    variability: float, seed: int, batch_size: int | None, rows: NDArray[np.integer], begin: int, watch: Watch,
) -> Iterator[tuple[slice, list[NDArray[Any]]]]:  # fmt: skip
    """Yield what `predict_blocks` yields of a model on the CPU, to the bit, made by others.

    Parameters
    ----------
    model, file
        The model, and where its weights are, which all workers can read.
    cells, targets, strength, variability, seed, batch_size, rows, begin, watch
        As `predict_blocks` takes them.
    workers
        Who does it.

    Raises
    ------
    ConditionError
        If a condition is unknown.
    WorkersError
        As `Workers.in_order`.
    """
    for target in targets:
        model.embedding(target)
    noise, batches = model.noise(len(rows), variability=variability, seed=seed).numpy(), batches_of(model, cells)
    batch = batch_size or DEFAULT_BATCH
    parts = [slice(start, min(start + batch, len(rows))) for start in range(begin, len(rows), batch)]
    tasks = (
        (
            str(file), tuple(targets), strength, np.ascontiguousarray(model.fit(cells.take(rows[part])).pixels),
            noise[part], None if batches is None else batches[rows[part]],
        )
        for part in parts
    )  # fmt: skip
    for part, images in zip(parts, workers.in_order(turn_block, tasks, watch=watch), strict=True):
        yield part, images
        watch.report(part.stop, len(rows))


def turn_block(
    file: str, targets: Sequence[Target], strength: float, pixels: NDArray[Any], noise: NDArray[np.float32],
    batches: NDArray[np.intp] | None,
) -> list[NDArray[Any]]:  # fmt: skip
    """Turn some cells (n, C, S, S) by the model of a file: an array a target."""
    import torch

    from napari_impa.engine.model.passes import PlainPass

    turn = PlainPass(_model(file), targets, strength=strength)
    return turn(pixels, torch.from_numpy(noise), batches)()


@lru_cache(1)
def _model(file: str) -> IMPA:
    return IMPA.load(file)
