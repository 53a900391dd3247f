"""The real window that docks are measured in: it is opened, waited for, and its event loop is listened to."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Options, Row, row_against, shown
from napari_impa.errors import MissingDependencyError

HEARTBEAT = 5  # ms
GAPS, WORST = 0.050, 0.250
"""Targets: 95th percentile and longest of the gaps between heartbeats, in seconds."""

PATIENCE = 300.0


def in_window(name: str, measured: Callable[[Options], Iterator[Row]], options: Options) -> Iterator[Row]:
    """Rows that are measured in a window; without napari or a screen they are left out, which is said."""
    threads = torch.get_num_threads()
    try:
        _screen()
        yield from measured(options)
    except MissingDependencyError as error:
        print(f"{name}: left out. {error}", flush=True)
    finally:
        torch.set_num_threads(threads)  # which the docks change


@cache
def _screen() -> None:
    """Make a screen where there is none, for the rest of this process: a Qt application keeps to the one it began on.

    Raises
    ------
    MissingDependencyError
        If there is no napari, or no screen can be made.
    """
    from napari_impa.viewer.entry.display import virtual_screen

    open_screen = ExitStack()
    open_screen.enter_context(virtual_screen(1600, 1000))
    atexit.register(open_screen.close)


def open_viewer() -> Any:
    """An empty viewer of usual size."""
    import napari

    viewer = napari.Viewer(title="benchmark", show_welcome_screen=False)
    viewer.window.resize(1280, 800)
    return viewer


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Run Qt's own event loop until a condition holds, which is looked at every other millisecond."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, end = QEventLoop(), time.monotonic() + seconds
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    timer.start(2)
    loop.exec()
    timer.stop()
    if time.monotonic() > end:
        raise TimeoutError("the window did not get there")


@contextmanager
def heartbeats() -> Iterator[list[float]]:
    """Seconds between beats of the event loop's heart while the body runs; there when it has ended."""
    from qtpy.QtCore import Qt, QTimer

    beats: list[float] = []
    between: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start(HEARTBEAT)
    try:
        yield between
    finally:
        timer.stop()
        between += np.diff(beats).tolist()


def gap_rows(names: tuple[str, str], gaps: list[float], while_: str) -> Iterator[Row]:
    """Rows of the 95th percentile and the longest of the gaps, each against its target."""
    usual, worst = float(np.quantile(gaps, 0.95)), max(gaps)
    quantiles = np.quantile(gaps, [0.5, 0.9, 0.95, 0.99, 0.999]).tolist()
    for name, value, target in zip(names, (usual, worst), (GAPS, WORST), strict=True):
        of = f"{shown(value)} between beats of {HEARTBEAT} ms, {while_}"
        extra = {"seconds": value, "quantiles": quantiles}
        yield row_against(name, [value], target, of, f"at most {shown(target)}", wanted=1.0, extra=extra)
