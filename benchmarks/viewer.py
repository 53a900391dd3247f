"""How the Perturb dock feels in the real window: a choice until it is drawn, the gallery, the slider, the gaps.

The bundled model on the CPU, with crops of 64 px in three channels.  Every ratio is of what was measured to its target.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import gallery
from benchmarks.measure import Options, Row, row_against, shown
from benchmarks.window import gap_rows, heartbeats, in_window, open_viewer, until

SIZE, CELLS, MANY, CHOICES = 64, 150, 2000, 20
FIRST, ALL, UPDATES = 0.150, 1.0, 10.0
"""Targets: seconds to the first changed cell and to all; updates a second."""


def rows(options: Options) -> Iterator[Row]:
    """Seconds from a choice to the first changed cell on the canvas and to all; updates a second; gaps."""
    yield from in_window("viewer", _measured, options)


def _measured(options: Options) -> Iterator[Row]:
    from napari_impa.viewer.perturb.views.gallery import GalleryView

    with open_window(30 if options.quick else gallery.MANY, GalleryView) as window:
        yield from gallery.gallery_rows(window, options)
    count, many, choices, seconds = (12, 24, 2, 0.5) if options.quick else (CELLS, MANY, CHOICES, 5.0)
    with open_window(count) as window:
        yield from choosing(window, choices)
        yield sliding(window, seconds)
    with open_window(many) as window:
        yield from gaps(window, 2 if options.quick else 5)


# ---- the window -----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Window:
    """A viewer with crops, its Perturb dock with a prediction, and what its canvas has drawn."""

    viewer: Any
    dock: Any
    drawn: Signature | None = None
    draws: list[Callable[[], None]] = field(default_factory=list)

    @property
    def session(self) -> Any:
        return self.dock.session

    def on_draw(self, event: Any = None) -> None:
        """The canvas was drawn."""
        for act in list(self.draws):
            act()

    def signature(self) -> Signature:
        """Pixels of the predicted cell in sight, as the canvas has them when it has been drawn."""
        from napari_impa.viewer.layers.sources import MADE_BY

        row = int(self.viewer.dims.current_step[0])
        layers = [layer for layer in self.viewer.layers if layer.metadata.get(MADE_BY, {}).get("model_hash")]
        return tuple(np.asarray(layer.data[row]).tobytes() for layer in layers)

    def choose(self, condition: str, strength: float = 1.0) -> None:
        """Turn the cells into a condition."""
        from napari_impa.viewer.perturb.request import Request

        self.session.set_request(Request((condition,), strength))


Signature = tuple[bytes, ...]


def crops(count: int) -> np.ndarray:
    """(count, 3, 64, 64) control cells of the simulated screen, over and over where there are not enough."""
    from napari_impa.cells.simulated.screen import CONTROL, simulated_cells

    cells = simulated_cells(min(count, CELLS), size=SIZE, conditions=(CONTROL,))
    return cells.pixels[np.arange(count) % len(cells)]


@contextmanager
def open_window(count: int, view: type[Any] | None = None) -> Iterator[Window]:
    """Open napari with so many crops and the dock, and wait for its first prediction; on the CPU."""
    from napari_impa.cells.simulated.screen import CHANNELS
    from napari_impa.engine.device import choose_device
    from napari_impa.viewer.perturb.dock import PerturbDock
    from napari_impa.viewer.perturb.views import SideBySide

    view = view or SideBySide
    pixels = crops(count)
    viewer = open_viewer()
    for channel, name in enumerate(CHANNELS):
        viewer.add_image(np.ascontiguousarray(pixels[:, channel]), name=name, blending="additive")
    with patch("napari_impa.viewer.library.models.chosen_device", lambda: choose_device("cpu")):
        window = Window(viewer, PerturbDock.open_in(viewer))
        window.session.set_view(view)
        canvas = viewer.window._qt_viewer.canvas._scene_canvas
        canvas.events.draw.connect(window.on_draw, position="last")
        until(lambda: window.session.result is not None and not window.session.busy)
    assert len(window.session.found.cells) == count
    try:
        yield window
    finally:
        viewer.close()


# ---- what is measured -----------------------------------------------------------------------------------------------


def choosing(window: Window, choices: int) -> Iterator[Row]:
    """From choosing a condition to the first changed cell on the canvas, and to all cells."""
    names = window.session.loaded.model.conditions
    first, everything = [], []
    for number in range(choices):
        now = window.session.request.targets[0]
        name = [other for other in names if other != now][number % (len(names) - 1)]
        before, seen, done = window.signature(), [], []
        look = lambda before=before, seen=seen: (  # noqa: E731
            seen.append(time.perf_counter()) if not seen and window.signature() != before else None
        )
        finish = lambda *_, done=done: done.append(time.perf_counter())  # noqa: E731
        window.draws.append(look)
        window.session.predicted.connect(finish)
        began = time.perf_counter()
        window.choose(name)
        until(lambda seen=seen, done=done: seen and done and not window.session.busy)
        window.draws.remove(look)
        window.session.predicted.disconnect(finish)
        first.append(seen[0] - began)
        everything.append(max(done[-1], seen[0]) - began)
    for name, taken, target in (("first changed cell", first, FIRST), ("all cells", everything, ALL)):
        of = f"{shown(statistics.median(taken))}, median of {choices}, {len(window.session.found.cells):,} cells"
        extra = {"seconds": taken}
        yield row_against(name, taken, target, of, f"at most {shown(target)}", wanted=1.0, extra=extra)


def sliding(window: Window, seconds: float) -> Row:
    """Updates a second of the cell in sight while the strength slider moves."""
    from qtpy.QtCore import QTimer

    changes: list[float] = []
    last = window.signature()

    def look() -> None:
        nonlocal last
        now = window.signature()
        if now != last:
            changes.append(time.perf_counter())
            last = now

    steps = iter(range(1_000_000))

    def move() -> None:
        window.dock.strength.setValue(0.05 * (1 + next(steps) % 39))

    timer = QTimer()
    timer.timeout.connect(move)
    window.draws.append(look)
    began = time.perf_counter()
    timer.start(16)  # as often as a screen is drawn
    until(lambda: changes and time.perf_counter() - began > seconds)
    timer.stop()
    window.draws.remove(look)
    rate = updates_a_second([at - began for at in changes], seconds)
    until(lambda: not window.session.busy)
    text = f"{rate:.1f} updates a second, {len(window.session.found.cells):,} cells"
    against, extra = f"at least {UPDATES:g}", {"rate": rate}
    return row_against("strength slider", [UPDATES / rate], 1.0, text, against, wanted=1.0, extra=extra)


def updates_a_second(times: list[float], seconds: float) -> float:
    """Rate of updates at so many seconds after the beginning; where the first came later than `seconds`, up to that."""
    return sum(time <= seconds for time in times) / seconds or 1 / times[0]


def gaps(window: Window, choices: int) -> Iterator[Row]:
    """How long the event loop is kept waiting while all cells are predicted."""
    found: list[float] = []
    names = window.session.loaded.model.conditions
    for number in range(choices):
        name = next(name for name in names[number % 2 :] if name != window.session.request.targets[0])
        with heartbeats() as between:
            window.choose(name)
            until(lambda name=name: window.session.result.request.targets == (name,) and not window.session.busy)
        found += between
    cells = len(window.session.found.cells)
    yield from gap_rows(("event loop, 95 %", "event loop, longest"), found, f"predicting {cells:,} cells")
