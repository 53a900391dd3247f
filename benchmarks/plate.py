"""Predicting a plate of cells into a folder, against reading and writing the same cells alone; and what a GPU makes of
a block as one launch, against operation by operation.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Options, Row, alternately, row_against, row_of, timed
from benchmarks.prediction import random_model
from benchmarks.reading import CHANNELS, SIZE, forget, make_cells
from napari_impa.cells.parts import write_cells
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.writer import CellsWriter
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.passes import PlainPass, ReplayedPass
from napari_impa.engine.model.prediction import DEFAULT_BATCH, GPU_BATCH
from napari_impa.engine.one_launch import recorder_for
from napari_impa.overlap import read_ahead
from napari_impa.work.predicting.predict_into import predict_into


def rows(options: Options) -> Iterator[Row]:
    """Cells of a file that is not cached, turned into one condition into another file."""
    on_gpu = options.device.type == "cuda"
    count, width = (600, 4) if options.quick else (100_000 if on_gpu else 1000, 16)
    model = random_model(SIZE, width, 3).to(options.device)
    cells = open_cells(make_cells(options.folder / f"plate-{count}.cells", count, every=1 if on_gpu else 16))
    batch = GPU_BATCH if on_gpu else DEFAULT_BATCH
    out = options.folder / "plate-out.cells"

    def predicted() -> float:
        return clean(cells, out, lambda: predict_into(out, model, cells, model.conditions[0], all_cells=True))

    def copied() -> float:
        return clean(cells, out, lambda: copy(cells, out, batch))

    measured = alternately(predicted, copied, 1 if on_gpu and not options.quick else 2)
    cells_bytes = 2 * count * CHANNELS * SIZE**2
    seconds = sorted(measured[0])[0]
    said = [precision.reason for precision in model.precisions.values()] or ["float32"]
    row = row_of(
        "plate", *measured, ("predicted", "copied"), wanted=1.5 if on_gpu else None,
        extra={"cells": count, "cells_per_second": count / seconds, "bytes": cells_bytes, "precision": said},
    )  # fmt: skip
    row.floor = f"{count:,} cells, {count / seconds:,.0f} a second, {cells_bytes / seconds / 1e9:.2g} GB/s; {said[0]}"
    yield row
    yield from block_rows(model, cells, batch, options)


def clean(cells: Cells, out: Path, work: object) -> float:
    """Seconds of some work, begun with nothing of the cells cached and no folder where it writes."""
    shutil.rmtree(out, ignore_errors=True)
    forget(Path(cells.pixels.filename))  # type: ignore[attr-defined]
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def copy(cells: Cells, out: Path, batch: int) -> None:
    """Read cells block by block ahead, and write them behind."""
    parts = [np.arange(start, min(start + batch, len(cells))) for start in range(0, len(cells), batch)]
    writer = CellsWriter(out, cells.channels, cells.size, cells.pixels.dtype)
    blocks = ((block.pixels, block.table) for _, block in read_ahead(parts, cells.take))
    write_cells(writer, blocks)


def block_rows(model: IMPA, cells: Cells, batch: int, options: Options) -> Iterator[Row]:
    """A block as one launch against operation by operation, both in float32, and the difference of their pixels."""
    recorder = recorder_for(options.device)
    if recorder is None:
        return
    targets, noise = model.conditions[:1], model.noise(batch)
    passes = [
        ReplayedPass(model, targets, strength=1.0, recorder=recorder, halves=()),
        PlainPass(model, targets, strength=1.0),
    ]
    pixels = cells.take(range(batch)).pixels
    kept, model.precisions = model.precisions, {}
    try:
        made = [[one(pixels, noise, None)()[0] for _ in range(3)][-1] for one in passes]
        taken = alternately(
            *(lambda one=one: timed(lambda: one(pixels, noise, None)(), options.device) for one in passes),
            max(5, options.repeats),
        )
    finally:
        model.precisions = kept
    row = row_of("block", *taken, ("one launch", "operation by operation"))
    row.floor = f"{batch} cells; float32 on both sides"
    yield row
    worst = float(np.abs(made[0].astype(float) - made[1].astype(float)).max())
    said = passes[0]._launch.reason or "replayed"  # type: ignore[union-attr]
    yield row_against("same block", [worst], 1.0, f"largest difference {worst:g}, {said}", "1 grey level", wanted=1.0)
