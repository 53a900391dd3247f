"""Feeding a training: batches from the pool or from the memory map, a million cells, time spent waiting for data."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.lib import format as npy_format

from benchmarks.measure import Options, Row, alternately, in_child, memory, row_against, row_of, shown
from napari_impa.cells.reading import file_part
from napari_impa.cells.store import FORMAT, open_cells
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.one_launch import recorder_for
from napari_impa.engine.training.cost.measure import Outline, shape_of
from napari_impa.engine.training.data import feed
from napari_impa.engine.training.data.drawn_ahead import DrawnAhead
from napari_impa.engine.training.data.training_cells import TrainingCells
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import make_step
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe

SIZE, CHANNELS, CONDITIONS = 64, 3, 100
LIMIT_SECONDS, LIMIT_BYTES = 5, 2_000_000_000
"""What opening a million cells may take, and training on them beside the model."""


def make_cells(path: Path, count: int, *, every: int = 1) -> Path:
    """Write `count` synthetic cells of 64 px, 3 channels, uint8, of 100 conditions one after the other and a control.

    Every so many cells one has pixels; the others are holes in the file, which take no room on the disk but are read,
    and held in memory, like any others.
    """
    path.mkdir(parents=True)
    rng, cell_bytes = np.random.default_rng(0), CHANNELS * SIZE**2
    with open(path / "pixels.npy", "wb") as file:
        shape = (count, CHANNELS, SIZE, SIZE)
        npy_format.write_array_header_2_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = file.tell()
        for row in range(0, count, every):
            file.seek(start + row * cell_bytes)
            file.write(rng.bytes(cell_bytes))
        file.truncate(start + count * cell_bytes)
    rows = np.arange(count)
    condition = np.maximum(0, rows * (CONDITIONS + 20) // count - 19)  # a sixth are controls
    table = {
        "field": pd.Categorical.from_codes(rows // 200, [f"field {n}" for n in range(-(-count // 200))]),
        "y": rng.integers(0, 2160, count) / 2,
        "x": rng.integers(0, 2560, count) / 2,
        "label": rows % 200 + 1,
        "plate": pd.Categorical.from_codes(condition // 10, [f"plate {n}" for n in range(11)]),
        "compound": pd.Categorical.from_codes(condition, ["DMSO", *(f"compound {n + 1}" for n in range(CONDITIONS))]),
    }
    pd.DataFrame(table).to_csv(path / "table.csv", index=False)
    meta = {"format": FORMAT, "channels": ["DNA", "actin", "tubulin"], "label": ["compound"], "control": "DMSO"}
    (path / "meta.json").write_text(json.dumps(meta))
    return path


def forget(path: Path) -> None:
    """Ask the system to drop a file from its cache, where that can be asked."""
    if hasattr(os, "posix_fadvise"):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def pool_rows(options: Options) -> Iterator[Row]:
    """Reading batches through the pool against picking them from the memory map, from a file that is not cached."""
    count, granted, batch = (2000, 400, 8) if options.quick else (100_000, 20_000, 32)
    path = make_cells(options.folder / f"pool-{count}.cells", count)
    kept, feed.HOST_BYTES = feed.HOST_BYTES, granted * CHANNELS * SIZE**2
    cells = open_cells(path)
    settings = TrainingSettings(size=SIZE, batch_size=batch)
    turns = 3
    try:
        steps = TrainingCells(cells, settings, DefaultRecipe())._feed.plan.steps_per_turn * turns
        drawn = []

        def through_the_pool() -> float:
            data = TrainingCells(open_cells(path), settings, DefaultRecipe())
            data.batch(0)  # fills the pool
            data.close()
            forget(path / "pixels.npy")
            began = time.perf_counter()
            for step in range(1, steps + 1):
                plan = data._feed.plan
                drawn.append(plan.draw(step, np.arange(2 * batch) % len(plan.sizes), np.random.default_rng(step)))
                data._feed.pixels(step, drawn[-1])
            taken = time.perf_counter() - began
            data.close()
            return taken

        def from_the_map() -> float:
            mapped = open_cells(path).pixels
            forget(path / "pixels.npy")
            rows = [np.random.default_rng(step).integers(count, size=2 * batch) for step in range(steps)]
            began = time.perf_counter()
            for chosen in rows:
                np.asarray(mapped[np.sort(chosen)])
            return time.perf_counter() - began

        measured = alternately(through_the_pool, from_the_map, options.repeats)
    finally:
        feed.HOST_BYTES = kept
    forget(path / "pixels.npy")
    cell_bytes, (file, _) = CHANNELS * SIZE**2, file_part(cells.pixels)  # type: ignore[misc]
    began = time.perf_counter()
    with open(file, "rb", buffering=0) as opened:
        while opened.read(8 << 20):
            pass
    rate = count * cell_bytes / (time.perf_counter() - began)
    wanted_bytes = 2 * batch * steps * cell_bytes
    floor = f"{wanted_bytes / 1e6:.3g} MB at {rate / 1e9:.2g} GB/s: {shown(wanted_bytes / rate)}"
    extra = {"bytes": wanted_bytes, "bytes_per_second": rate, "steps": steps}
    yield row_of("read batches", *measured, ("pool", "random access in the map"), floor=floor, extra=extra)


def million_rows(options: Options) -> Iterator[Row]:
    """Opening very many cells, and memory while training on them, beside the model."""
    count, granted = (20_000, 20 << 20) if options.quick else (1_000_000, None)
    path = make_cells(options.folder / f"many-{count}.cells", count, every=16)
    found = in_child("reading:train_on_many", path=str(path), granted=granted, steps=4 if options.quick else 100)
    of = f"{count:,} cells opened in {shown(found['open_seconds'])}"
    floor = f"pandas alone parses their table in {shown(found['table_seconds'])}"
    opened = [found["open_seconds"]]
    yield row_against("open", opened, LIMIT_SECONDS, of, f"{LIMIT_SECONDS} s", floor=floor, wanted=1.0, extra=found)
    of = f"{found['memory_bytes'] / 1e9:.2f} GB, training {found['steps']} steps and {found['turns']} turns of the pool"
    floor = f"the pool {found['pool_bytes'] / 1e9:.2f} GB, the file {found['file_bytes'] / 1e9:.2f} GB"
    yield row_against("memory of many cells", [found["memory_bytes"]], LIMIT_BYTES, of, "2 GB", floor=floor, wanted=1.0)


def train_on_many(path: str, granted: int | None, steps: int, turns: int = 3) -> dict[str, Any]:
    """Open cells and train on them with small networks: seconds to open, bytes beside the model."""
    if granted is not None:
        feed.HOST_BYTES = granted
    settings = TrainingSettings(size=SIZE, batch_size=4, style_dim=8)
    shape = replace(shape_of(Outline(CHANNELS, CONDITIONS), settings, DefaultRecipe()), width=4)
    step = make_step(Networks(shape), DefaultRecipe(), batch_size=settings.cells_a_step)
    before = memory()[0]
    began = time.perf_counter()
    cells = open_cells(path)
    data = TrainingCells(cells, settings, DefaultRecipe())
    open_seconds = time.perf_counter() - began
    for number in range(steps):
        step(data.batch(number), number, "adversarial", progress=0.5)
    plan = data._feed.plan
    for turn in range(1, turns + 1):
        data.batch(turn * plan.steps_per_turn)
    data.close()
    most = memory()[1]
    began = time.perf_counter()
    pd.read_csv(Path(path) / "table.csv")
    return {
        "open_seconds": open_seconds,
        "table_seconds": time.perf_counter() - began,
        "memory_bytes": most - before,
        "pool_bytes": len(plan) * CHANNELS * SIZE**2,
        "file_bytes": (Path(path) / "pixels.npy").stat().st_size,
        "steps": steps,
        "turns": turns,
    }


def waiting_rows(options: Options) -> Iterator[Row]:
    """Fraction of a training's time that is spent waiting for data."""
    count, steps, width = (2000, 4, 4) if options.quick else (100_000, 30, 16)
    path = make_cells(options.folder / f"waiting-{count}.cells", count, every=16)
    settings = TrainingSettings(size=SIZE, batch_size=32 if not options.quick else 4)
    data = TrainingCells(open_cells(path), settings, DefaultRecipe(), options.device)
    shape = replace(shape_of(Outline(CHANNELS, len(data.conditions)), settings, DefaultRecipe()), width=width)
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0)).to(options.device)
    recorder = recorder_for(options.device)
    step = make_step(networks, DefaultRecipe(), batch_size=settings.cells_a_step, recorder=recorder)
    batches = DrawnAhead(data.batch, options.device)

    def make(number: int) -> None:
        batch = batches.take(number)
        step(batch, number, "adversarial", progress=0.5, meanwhile=lambda: batches.prepare(number + 1))

    before = 17 if recorder is not None and not options.quick else 1  # unmeasured: the pool is filled, steps recorded
    for number in range(before):
        make(number)
    batches.seconds, began = 0.0, time.perf_counter()
    for number in range(before, before + steps):
        make(number)
    if options.device.type == "cuda":
        torch.cuda.synchronize(options.device)
    taken = time.perf_counter() - began
    data.close()
    of, against = f"waiting {shown(batches.seconds / steps)} a step", f"steps of {shown(taken / steps)}"
    extra = {"steps": steps, "steps_per_second": steps / taken}
    yield row_against("waiting for data", [batches.seconds], taken, of, against, wanted=0.05, extra=extra)
