"""A dock that was closed is let go of: neither its session nor any part of it stays."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from qtpy.QtCore import QCoreApplication, QEvent, QObject

from napari_impa.viewer.explore.dock import ExploreDock
from napari_impa.viewer.kit.docks import Dock
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.plate.dock import PlateDock
from napari_impa.viewer.train.dock import TrainDock


def closed(viewer: Any, kind: type[Dock], settle: Callable[..., None]) -> list[weakref.ref[Any]]:
    """Open a dock, wait until it has begun, close it; what must be gone then."""
    dock = kind.open_in(viewer)
    jobs = [job for name in ("_preparing", "_listing") if (job := getattr(dock, name, None)) is not None]
    settle(lambda: not any(job.busy for job in jobs))
    ours = [part for part in dock.findChildren(QObject) if type(part).__module__.startswith("napari_impa.")]
    held = [weakref.ref(one) for one in (dock, *ours, *([dock.session] if hasattr(dock, "session") else []))]
    viewer.window.remove_dock_widget(dock)  # after which Python's collector alone frees it
    return held


@pytest.mark.parametrize("kind", [PerturbDock, TrainDock, ExploreDock, PlateDock])
def test_nothing_is_left_of_a_closed_dock(make_napari_viewer: Any, settle: Any, kind: type[Dock]) -> None:
    viewer = make_napari_viewer()
    held = closed(viewer, kind, settle)
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        gc.collect()
    assert [one() for one in held if one() is not None] == []
