"""The gallery in the real window: from a choice to the first picture and to all cells, and how smoothly it scrolls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.measure import Options, Row, row_against, shown
from benchmarks.window import until

MANY, CHOICES = 1000, 5
FIRST, ALL, FRAMES = 0.150, 5.0, 30.0
"""Targets: seconds to the first picture and to all cells; pictures a second while it scrolls."""


def gallery_rows(window: Any, options: Options) -> Iterator[Row]:
    """Seconds to the first picture and to all cells; frames a second.

    Parameters
    ----------
    window
        A `viewer.Window` whose view is the gallery.
    options
        Of the benchmark.
    """
    yield from choosing_a_gallery(window, 2 if options.quick else CHOICES)
    yield scrolling(window, 0.5 if options.quick else 4.0)


def choosing_a_gallery(window: Any, choices: int) -> Iterator[Row]:
    """From choosing a condition to the first predicted cells on the canvas, and to all cells in their order."""
    names = window.session.loaded.model.conditions
    first, everything = [], []
    for number in range(choices):
        now = window.session.request.targets[0]
        name = [other for other in names if other != now][number % (len(names) - 1)]
        seen: list[float] = []

        def look(name: str = name, seen: list[float] = seen) -> None:
            view = window.session.view
            told = view._request is not None and view._request.targets == (name,)
            if not seen and told and view._there.any() and view.drawn == view._request:
                seen.append(time.perf_counter())

        window.draws.append(look)
        began = time.perf_counter()
        window.choose(name)
        until(lambda name=name, seen=seen: seen and window.session.result.request.targets == (name,))
        until(lambda: not window.session.busy)
        everything.append(time.perf_counter() - began)
        window.draws.remove(look)
        first.append(seen[0] - began)
    cells = len(window.session.found.cells)
    for name, taken, target in (("gallery, first picture", first, FIRST), ("gallery, all cells", everything, ALL)):
        of = f"{shown(statistics.median(taken))}, median of {choices}, {cells:,} cells"
        yield row_against(name, taken, target, of, f"at most {shown(target)}", wanted=1.0, extra={"seconds": taken})


def scrolling(window: Any, seconds: float) -> Row:
    """Pictures a second on the canvas while the gallery is scrolled down and up, cells drawn for the first time too."""
    from qtpy.QtCore import QTimer

    view = window.session.view
    view.gallery.scroll(0)
    view.gallery.forget()
    frames: list[float] = []
    offsets: set[int] = set()
    pace = [20]

    def move() -> None:
        if not view.gallery.scroll(view.gallery.offset + pace[0]):
            pace[0] = -pace[0]
        view.draw_soon()

    def drawn() -> None:
        if view.gallery.offset not in offsets or pace[0] < 0:
            offsets.add(view.gallery.offset)
            frames.append(time.perf_counter())

    timer = QTimer()
    timer.timeout.connect(move)
    window.draws.append(drawn)
    began = time.perf_counter()
    timer.start(10)
    until(lambda: time.perf_counter() - began > seconds)
    timer.stop()
    window.draws.remove(drawn)
    rate = sum(at - began <= seconds for at in frames) / seconds
    text = f"{rate:.1f} pictures a second, {len(window.session.found.cells):,} cells"
    extra = {"rate": rate}
    against = f"at least {FRAMES:g}"
    return row_against("gallery, scrolling", [FRAMES / rate], 1.0, text, against, wanted=1.0, extra=extra)
