"""Long use: docks opened, used and closed again and again, models loaded, a training beside viewing; what stays.

`--cycles` says how often (300). Memory, threads, open files, Python objects and QObjects are printed as it goes; the
growth is the slope of the memory over the cycles after the tenth, in MB a cycle.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.measure import Options, Row, row_against
from benchmarks.train_dock import make_cells, plan_for
from benchmarks.window import in_window, open_viewer, until

GROWTH, WARM = 0.2, 10
"""Target: MB a cycle after so many cycles, in which caches fill."""

PRINTED = 12
"""Lines of figures that are printed of each use."""

SECONDS, MINUTES = 5.0, 60.0
"""A cycle of the training beside viewing, and how long it lasts by itself."""


@dataclass(frozen=True)
class Held:
    """What the process holds.

    Parameters
    ----------
    megabytes
        Of memory (the resident set).
    threads, files, objects, qobjects
        How many; objects that Python's collector knows, and Qt's among them.
    """

    megabytes: float
    threads: int
    files: int
    objects: int
    qobjects: int

    @classmethod
    def now(cls) -> Held:
        """What is held once all that can be let go of is."""
        import psutil
        from qtpy.QtCore import QCoreApplication, QEvent, QObject

        for _ in range(3):
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QCoreApplication.processEvents()
            gc.collect()
        process, objects = psutil.Process(), gc.get_objects()
        files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
        return cls(
            process.memory_info().rss / 1e6, process.num_threads(), files, len(objects),
            sum(issubclass(type(one), QObject) for one in objects),
        )  # fmt: skip


def rows(options: Options) -> Iterator[Row]:
    """Growth in MB a cycle of each dock, of loading models, and of a training beside viewing; sessions left."""
    yield from in_window("long_use", _measured, options)


def _measured(options: Options) -> Iterator[Row]:
    from napari_impa.engine.device import choose_device
    from napari_impa.viewer.perturb.session import PerturbSession

    cycles = 2 if options.quick else options.cycles
    cells = make_cells(options.folder / "long.cells", 12, 64)
    yield repeated("models loaded", load_a_model, cycles)
    with patch("napari_impa.viewer.library.models.chosen_device", lambda: choose_device("cpu")):
        viewer = open_viewer()
        add_crops(viewer)
        for use in (perturb, explore, plate, train):
            yield repeated(use.__name__, lambda use=use: use(viewer, cells), cycles)  # type: ignore[misc]
        left = sum(type(one) is PerturbSession for one in gc.get_objects())
        yield Row("perturb sessions left", left, left, left, f"{left} alive after closing", "0", wanted=0)
        yield beside_viewing(viewer, cells, options)
        viewer.close()


def repeated(name: str, use: Callable[[], None], cycles: int) -> Row:
    """Do something so often, print what is held, and say how the memory grew."""
    held = []
    for cycle in range(1, cycles + 1):
        use()
        held.append(Held.now())
        if cycle in (1, WARM, cycles) or cycle % max(1, cycles // PRINTED) == 0:
            print_held(f"{name}, cycle {cycle}", held[-1])
    return growth_row(name, held)


def print_held(what: str, held: Held) -> None:
    """Print one line of figures."""
    print(
        f"  {what}: {held.megabytes:.1f} MB, {held.threads} threads, {held.files} files, {held.objects:,} objects, "
        f"{held.qobjects:,} of Qt",
        flush=True,
    )


def growth_row(name: str, held: list[Held]) -> Row:
    """The slope of the memory over the cycles after the first ones, against the target."""
    after = held[WARM:] if len(held) > WARM + 1 else held
    slopes = [slope([astuple(one)[number] for one in after]) for number in range(5)]
    of = f"{slopes[0]:.3f} MB a cycle after cycle {len(held) - len(after)} of {len(held)}"
    extra = {"a_cycle": slopes, "held": [astuple(one) for one in held]}
    return row_against(f"{name}, growth", [slopes[0]], GROWTH, of, f"{GROWTH} MB a cycle", wanted=1.0, extra=extra)


def slope(values: list[float]) -> float:
    """Growth from one value to the next, by least squares; 0 of fewer than two."""
    return float(np.polyfit(range(len(values)), values, 1)[0]) if len(values) > 1 else 0.0


# ---- what is done ---------------------------------------------------------------------------------------------------


def load_a_model() -> None:
    """Load the bundled model that the demo shows."""
    from napari_impa.work.catalog import DEFAULT_MODEL, load_model

    load_model(DEFAULT_MODEL)


def add_crops(viewer: Any) -> None:
    """Six control cells of the simulated screen, a layer a channel."""
    from napari_impa.cells.simulated.screen import CHANNELS, CONTROL, simulated_cells

    cells = simulated_cells(6, size=64, conditions=(CONTROL,))
    for channel, name in enumerate(CHANNELS):
        layer = np.ascontiguousarray(cells.pixels[:, channel])
        viewer.add_image(layer, name=name, blending="additive", axis_labels=("cell", "y", "x"))


def closed(viewer: Any, dock: Any) -> None:
    """Close a dock, as its cross does; Python's collector alone frees it."""
    viewer.window.remove_dock_widget(dock)


def perturb(viewer: Any, cells: Path) -> None:
    """Open the Perturb dock, wait for a prediction, choose another condition, close it."""
    from napari_impa.viewer.perturb.dock import PerturbDock
    from napari_impa.viewer.perturb.request import Request

    dock = PerturbDock.open_in(viewer)
    session = dock.session
    until(lambda: session.result is not None and not session.busy)
    session.set_request(Request((session.loaded.model.conditions[-1],)))
    until(lambda: session.result.request == session.request and not session.busy)
    closed(viewer, dock)


def explore(viewer: Any, cells: Path) -> None:
    """Open the Explore dock, wait until its model is there, close it."""
    from napari_impa.viewer.explore.dock import ExploreDock

    dock = ExploreDock.open_in(viewer)
    until(lambda: dock.session.loaded is not None and not dock.session.busy)
    closed(viewer, dock)


def plate(viewer: Any, cells: Path) -> None:
    """Open the dock that looks at a plate, and close it."""
    from napari_impa.viewer.plate.dock import PlateDock

    dock = PlateDock.open_in(viewer)
    until(lambda: dock.isVisible())
    closed(viewer, dock)


def train(viewer: Any, cells: Path) -> None:
    """Open the Train dock, look at a source, close it."""
    from napari_impa.viewer.train.dock import TrainDock

    dock = TrainDock.open_in(viewer)
    dock.setup.set_source(cells)
    until(lambda: dock.setup.cells.looked is not None)
    closed(viewer, dock)


def beside_viewing(viewer: Any, cells: Path, options: Options) -> Row:
    """Train in the dock while the viewer goes from cell to cell; a cycle is some seconds."""
    from napari_impa.viewer.train.dock import TrainDock

    dock = TrainDock.open_in(viewer)
    dock.setup.set_source(cells)
    until(lambda: dock.setup.cells.looked is not None)
    session = dock.session
    session.start(plan_for(cells, options.folder / "long-run", 24, 1_000_000, 4))
    until(lambda: session.step > 0)
    minutes = min(MINUTES, options.cycles * SECONDS / 60)
    cycles, seconds = (3, 1.0) if options.quick else (int(minutes * 60 / SECONDS), SECONDS)
    held: list[Held] = []
    for cycle in range(1, cycles + 1):
        end = time.monotonic() + seconds
        viewer.dims.set_current_step(0, cycle % 6)
        until(lambda end=end: time.monotonic() > end)
        held.append(Held.now())
        if cycle in (1, WARM, cycles) or cycle % max(1, cycles // PRINTED) == 0:
            print_held(f"training, {cycle * seconds:.0f} s, step {session.step}", held[-1])
    session.stop()
    until(lambda: not session.busy)
    closed(viewer, dock)
    return growth_row("training beside viewing", held)
