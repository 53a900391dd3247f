"""A screen against single predictions, and its memory; the Explore dock with 50,000 cells: its map, a choice on it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import Options, Row, alternately, in_child, memory, row_against, row_of, shown, timed
from benchmarks.prediction import CHANNELS, random_model
from benchmarks.window import in_window, open_viewer, until
from napari_impa.analysis.phenotypes.control_scale import ControlScale
from napari_impa.cells.store import Cells
from napari_impa.work.exploring.screen import ScreenPlan, ranking

MAP, CHOICE = 3.0, 0.1
"""Targets in seconds."""


def cells_of(count: int, size: int) -> Cells:
    """Blobs in noise, all controls of one plate."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - size / 2
    blob = np.exp(-(y**2 + x**2) / (size / 5) ** 2 * random.uniform(0.7, 1.4, (count, len(CHANNELS), 1, 1)))
    pixels = np.clip(150 * blob + random.normal(20, 4, blob.shape), 0, 255).astype(np.uint8)
    table = pd.DataFrame({"field": "benchmark", "compound": "DMSO"}, index=range(count))
    return Cells(pixels, table, CHANNELS, label=("compound",), control="DMSO")


def screen_rows(options: Options) -> Iterator[Row]:
    """Time of a screen against as many single predictions, and memory of many cells against few."""
    size, width, count, conditions = (24, 4, 48, 4) if options.quick else (64, 16, 1000, 200)
    model, cells = random_model(size, width, conditions).to(options.device), cells_of(count, size)
    scale = ControlScale.of(model, cells)
    plan = ScreenPlan(targets=tuple(model.conditions), most=count)

    def singly() -> None:
        for name in model.conditions:
            scale(model.predict(cells, name).pixels)

    repeats = min(options.repeats, 2)
    taken = alternately(
        lambda: timed(lambda: ranking(plan, model=model, cells=cells), options.device),
        lambda: timed(singly, options.device),
        repeats,
    )
    yield row_of("screen", *taken, (f"{conditions} conditions, {count:,} cells", "single predictions"), wanted=0.65)
    most = [
        in_child("exploring:screen_memory", count=many, size=size, width=width)["bytes"] for many in (count // 4, count)
    ]
    of = f"{most[1] / 1e9:.2f} GB, {count:,} cells"
    yield row_against(
        "memory of a screen", [most[1]], most[0], of, f"a quarter of them {most[0] / 1e9:.2f} GB", wanted=1.1
    )


def screen_memory(count: int, size: int, width: int) -> dict[str, Any]:
    """The most memory of this process in a screen of cells on disk."""
    from napari_impa.cells.store import open_cells

    with TemporaryDirectory() as folder:
        path = cells_of(count, size).save(Path(folder) / "x.cells")
        cells, model = open_cells(path), random_model(size, width, 4)
        ranking(ScreenPlan(targets=tuple(model.conditions), most=count), model=model, cells=cells)
    return {"bytes": memory()[1]}


def dock_rows(options: Options) -> Iterator[Row]:
    """The map until it is drawn, and a choice until it is lit up."""
    yield from in_window("explore", _dock, options)


def _dock(options: Options) -> Iterator[Row]:
    from qtpy.QtWidgets import QApplication

    from napari_impa.viewer.explore.dock import ExploreDock
    from napari_impa.viewer.explore.explored_cells import ExploredCells
    from napari_impa.viewer.library.models import Loaded

    count, size = (500, 24) if options.quick else (50_000, 24)
    model, random = random_model(size, 4, 8), np.random.default_rng(0)
    few = cells_of(64, size)
    cells = Cells(
        np.broadcast_to(few.pixels[:1], (count, *few.pixels.shape[1:])),
        pd.DataFrame({"field": "benchmark", "compound": np.where(np.arange(count) % 5, "treated", "DMSO")}),
        CHANNELS, label=("compound",), control="DMSO",
    )  # fmt: skip
    scale = ControlScale.of(model, few)
    styles = random.normal(size=(count, model.shape.style_dim)).astype(np.float32)
    measured = random.normal(size=(count, len(scale.names)))
    loaded = Loaded("benchmark", model, model.hash, "cpu")
    explored = ExploredCells(loaded, cells, None, scale, measured, styles, tuple(model.conditions), styles[:8])
    viewer = open_viewer()
    try:
        dock = ExploreDock.open_in(viewer)
        until(lambda: dock.session.loaded is not None and not dock.session.busy)
        began = time.perf_counter()
        dock.session.set_cells(explored)
        until(lambda: dock.session.map is not None)
        dock.map.plot.repaint()
        QApplication.processEvents()
        drawn = time.perf_counter() - began
        of = f"{shown(drawn)}, {count:,} cells"
        yield row_against("map", [drawn], MAP, of, f"at most {shown(MAP)}", wanted=1.0)
        taken = []
        for _ in range(2 if options.quick else 10):
            rows = np.flatnonzero(random.random(count) < 0.1)
            began = time.perf_counter()
            dock.session.choose(rows)
            dock.map.plot.repaint()
            QApplication.processEvents()
            taken.append(time.perf_counter() - began)
        of = f"{shown(statistics.median(taken))}, a tenth of {count:,} cells"
        yield row_against("choice", taken, CHOICE, of, f"at most {shown(CHOICE)}", wanted=1.0)
    finally:
        viewer.close()
