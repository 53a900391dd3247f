"""How the Train dock feels while it trains: gaps of the event loop, its pace beside the command line, stop and close.

The tiny preset with crops of 64 px on the CPU, in the real window with its curves and preview.  The command line trains
the same cells in a process of its own, in turn with the dock.  Every ratio is of what was measured to its target.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import ROOT, Options, Row, row_against, shown
from benchmarks.window import gap_rows, heartbeats, in_window, open_viewer, until

SIZE, CELLS, STEPS, BATCH = 64, 40, 30, 16
PACE, CLOSED = 0.85, 1.0
"""Targets: pace beside the command line's, seconds to close."""

SKIPPED = 5
"""Steps at the beginning that are not timed: caches fill, the window makes room for curves and preview."""


@dataclass(frozen=True)
class TrainedInDock:
    """What was timed, in seconds: gaps between heartbeats; until Stop had stopped and saved; until the window had
    closed, and until the thread of its training had ended."""

    gaps: list[float]
    stopped: float
    closed: float
    ended: float


def rows(options: Options) -> Iterator[Row]:
    """Gaps while training, steps a second beside the command line, seconds to stop and to close."""
    yield from in_window("train-dock", _measured, options)


def _measured(options: Options) -> Iterator[Row]:
    size, cells, steps, batch = (24, 12, 12, 2) if options.quick else (SIZE, CELLS, STEPS, BATCH)
    source = make_cells(options.folder / "screen.cells", cells, size)
    trained: list[TrainedInDock] = []
    docks, lines = [], []
    for turn in range(1 if options.quick else min(options.repeats, 3)):
        for kind in ("dock", "line") if turn % 2 == 0 else ("line", "dock"):
            folder = options.folder / f"{kind}-{turn}"
            if kind == "line":
                train_in_shell(source, folder, size, steps, batch)
                lines.append(seconds_a_step(folder))
            else:
                trained.append(train_in_dock(source, folder, size, steps, batch))
                docks.append(seconds_a_step(folder))
    gaps = [gap for one in trained for gap in one.gaps]
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    yield from gap_rows(("training, loop 95 %", "training, loop longest"), gaps, f"{len(gaps):,} beats, {load}")
    step, line = statistics.median(docks), statistics.median(lines)
    paces = [PACE * dock / one for dock, one in zip(docks, lines, strict=True)]
    of, against = f"dock {shown(step)} a step", f"command {shown(line)}, / {PACE}"
    extra = {"dock": docks, "command": lines}
    yield row_against("training, pace", paces, 1.0, of, against, wanted=1.0, extra=extra)
    stops = [one.stopped for one in trained]
    of = f"{shown(statistics.median(stops))} to stop, a step is {shown(step)}"
    yield row_against("training, stop", stops, step, of, "a step; then it saves and draws")
    ends, window = [one.ended for one in trained], max(one.closed for one in trained)
    of = f"{shown(max(ends))} until the thread has ended ({shown(window)} the window)"
    yield row_against("training, close", ends, CLOSED, of, "1 s", wanted=1.0)


def make_cells(path: Path, count: int, size: int) -> Path:
    """Cells of three conditions of the simulated screen."""
    from napari_impa.cells.simulated.screen import simulated_cells

    return simulated_cells(count, size=size, conditions=("DMSO", "shrinkage", "mitotic arrest")).save(path)


def train_in_shell(source: Path, folder: Path, size: int, steps: int, batch: int) -> None:
    """Train by the command line."""
    options = ["--label", "compound", "--control", "DMSO", "--size", size, "--steps", steps, "--batch-size", batch]
    command = [sys.executable, "-m", "napari_impa", "train", source, "--out", folder, *options, "--device", "cpu"]
    subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, check=True)


def seconds_a_step(folder: Path) -> float:
    """Median time of a step by the run's own history, with what comes between steps."""
    from napari_impa.engine.training.run_folder.run import Run

    return float(np.median(np.diff(Run(folder).history["seconds"].to_numpy()[SKIPPED:])))


def train_in_dock(source: Path, folder: Path, size: int, steps: int, batch: int) -> TrainedInDock:
    """Train in the window, stop, train again, and close the window."""
    from napari_impa.viewer.train.dock import TrainDock
    from napari_impa.viewer.train.session import Advance

    viewer = open_viewer()
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on a folder")
    dock.setup.set_source(source)
    until(lambda: dock.setup.cells.looked is not None)
    session = dock.session
    steps_seen: list[int] = []
    ends: list[float] = []

    def on_report(report: Any) -> None:
        if isinstance(report, Advance):
            steps_seen.append(report.event.step)

    session.reported.connect(on_report)
    dock.pages.setCurrentWidget(dock.watch)
    session.start(plan_for(source, folder, size, steps + 10_000, batch))
    until(lambda: steps_seen and steps_seen[-1] > SKIPPED)
    with heartbeats() as gaps:
        until(lambda: steps_seen[-1] >= steps)
    session.stop()
    asked = time.perf_counter()
    until(lambda: not session.busy)
    stopped = time.perf_counter() - asked
    steps_seen.clear()
    session.start(plan_for(source, folder.with_name(f"{folder.name}-closed"), size, 10_000, batch))
    job = session.job
    until(lambda: steps_seen and steps_seen[-1] >= 3)
    assert job is not None

    def wait() -> None:
        job.wait()
        ends.append(time.perf_counter())

    threading.Thread(target=wait).start()
    began = time.perf_counter()
    viewer.close()
    closed = time.perf_counter() - began
    until(lambda: ends)
    return TrainedInDock(gaps, stopped, closed, ends[0] - began)


def plan_for(source: Path, folder: Path, size: int, steps: int, batch: int) -> Any:
    """The same as `train_in_shell` trains."""
    from napari_impa.engine.training.settings import TrainingSettings
    from napari_impa.work.training_plan import Plan

    settings = TrainingSettings(size=size, steps=steps, batch_size=batch, device="cpu")
    return Plan(source, ("compound",), "DMSO", settings, folder)
