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
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import ROOT, Options, Row, shown
from benchmarks.viewer import until
from napari_impa.errors import MissingDependencyError

SIZE, CELLS, STEPS, BATCH = 64, 40, 30, 16
HEARTBEAT = 5  # ms
GAPS, WORST, PACE, CLOSED = 0.050, 0.250, 0.85, 1.0
"""Targets: 95th percentile and longest of the gaps, pace beside the command line's, seconds to close."""

Measured = tuple[list[float], float, tuple[float, float]]

SKIPPED = 5
"""Steps at the beginning that are not timed: caches fill, the window makes room for curves and preview."""


def rows(options: Options) -> Iterator[Row]:
    """Gaps while training, steps a second beside the command line, seconds to stop and to close."""
    try:
        from napari_impa.viewer.entry.display import virtual_screen

        with virtual_screen(1600, 1000):
            yield from _measured(options)
    except MissingDependencyError as error:
        print(f"train-dock: left out. {error}", flush=True)


def _measured(options: Options) -> Iterator[Row]:
    size, cells, steps, batch = (24, 12, 12, 2) if options.quick else (SIZE, CELLS, STEPS, BATCH)
    threads = torch.get_num_threads()
    try:
        source = make_cells(options.folder / "screen.cells", cells, size)
        docks, lines, gaps, stops, closes = [], [], [], [], []
        for turn in range(1 if options.quick else min(options.repeats, 3)):
            for kind in ("dock", "line") if turn % 2 == 0 else ("line", "dock"):
                folder = options.folder / f"{kind}-{turn}"
                if kind == "line":
                    train_in_shell(source, folder, size, steps, batch)
                    lines.append(seconds_a_step(folder))
                else:
                    found, stop, close = train_in_dock(source, folder, size, steps, batch)
                    docks.append(seconds_a_step(folder))
                    gaps += found
                    stops.append(stop)
                    closes.append(close)
    finally:
        torch.set_num_threads(threads)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    usual, worst = float(np.quantile(gaps, 0.95)), max(gaps)
    for name, value, target in (("training, loop 95 %", usual, GAPS), ("training, loop longest", worst, WORST)):
        text = f"{shown(value)} between beats of {HEARTBEAT} ms, {len(gaps):,} beats, {load}"
        ratio = value / target
        extra = {"seconds": value, "quantiles": np.quantile(gaps, [0.5, 0.9, 0.95, 0.99, 0.999]).tolist()}
        yield Row(name, ratio, ratio, ratio, text, f"at most {shown(target)}", wanted=1.0, extra=extra)
    ratios = [PACE * dock / line for dock, line in zip(docks, lines, strict=True)]
    step, line = statistics.median(docks), statistics.median(lines)
    text = (f"dock {shown(step)} a step", f"command {shown(line)}, / {PACE}")
    extra = {"dock": docks, "command": lines}
    yield Row("training, pace", statistics.median(ratios), min(ratios), max(ratios), *text, wanted=1.0, extra=extra)
    text = (f"{shown(statistics.median(stops))} to stop, a step is {shown(step)}", "a step; then it saves and draws")
    yield Row("training, stop", statistics.median(stops) / step, min(stops) / step, max(stops) / step, *text)
    ends = [end / CLOSED for end, _ in closes]
    text = (f"{shown(max(ends))} until the thread has ended ({shown(max(w for _, w in closes))} the window)", "1 s")
    yield Row("training, close", statistics.median(ends), min(ends), max(ends), *text, wanted=1.0)


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


def train_in_dock(source: Path, folder: Path, size: int, steps: int, batch: int) -> Measured:
    """Train in the window; gaps, seconds to stop, and seconds until the thread has ended and the window has closed."""
    import napari
    from qtpy.QtCore import Qt, QTimer

    from napari_impa.viewer.train.dock import TrainDock
    from napari_impa.viewer.train.session import Advance

    viewer = napari.Viewer(title="benchmark", show_welcome_screen=False)
    viewer.window.resize(1280, 800)
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on a folder")
    dock.setup.set_source(source)
    until(lambda: dock.setup.cells.looked is not None)
    session, beats, ends = dock.session, [], []
    steps_seen: list[int] = []

    def on_report(report: Any) -> None:
        if isinstance(report, Advance):
            steps_seen.append(report.event.step)

    session.reported.connect(on_report)
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    dock.pages.setCurrentWidget(dock.watch)
    session.start(plan_for(source, folder, size, steps + 10_000, batch))
    until(lambda: steps_seen and steps_seen[-1] > SKIPPED)
    timer.start(HEARTBEAT)
    until(lambda: steps_seen[-1] >= steps)
    timer.stop()
    session.stop()
    asked = time.perf_counter()
    until(lambda: not session.busy)
    stopped = time.perf_counter() - asked
    steps_seen.clear()
    session.start(plan_for(source, folder.with_name(f"{folder.name}-closed"), size, 10_000, batch))
    job = session.job
    until(lambda: steps_seen and steps_seen[-1] >= 3)
    watch = threading.Thread(target=lambda: (job.wait(), ends.append(time.perf_counter())))
    watch.start()
    began = time.perf_counter()
    viewer.close()
    closed = time.perf_counter() - began
    until(lambda: ends)
    return np.diff(beats).tolist(), stopped, (ends[0] - began, closed)


def plan_for(source: Path, folder: Path, size: int, steps: int, batch: int) -> Any:
    """The same as `train_in_shell` trains."""
    from napari_impa.engine.training.settings import TrainingSettings
    from napari_impa.work.training_plan import Plan

    settings = TrainingSettings(size=size, steps=steps, batch_size=batch, device="cpu")
    return Plan(source, ("compound",), "DMSO", settings, folder)
