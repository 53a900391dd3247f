from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QCoreApplication, QEvent

import napari_impa.work.catalog as catalog
from napari_impa.engine.model.model import IMPA
from napari_impa.viewer.entry.demo import CONDITION, open_demo, save_picture
from napari_impa.viewer.perturb.dock import PerturbDock


@pytest.fixture(autouse=True)
def bundled(model: IMPA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small model under the bundled one's name."""
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path)
    model.save(tmp_path / catalog.DEFAULT_MODEL, compact=True)
    catalog.bundled_models.cache_clear()
    yield
    catalog.bundled_models.cache_clear()


def test_demo_shows_the_perturbation_beside_the_control(
    make_napari_viewer: Callable[..., Any], settle: Callable[..., None], tmp_path: Path
) -> None:
    viewer = make_napari_viewer(show=True)
    assert open_demo(viewer) is viewer
    dock = PerturbDock.open_in(viewer)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    assert dock.session.result.request.targets == (CONDITION,)
    assert dock.model.currentText() == "✓ Simulated screen"
    assert dock.models.fitting.isHidden()  # its channels are open
    assert [layer.name for layer in viewer.layers if layer.visible] == [f"gallery · {CONDITION}"]
    found = dock.session.found
    away = np.abs(found.cells.table[["y", "x"]].to_numpy() - np.array(found.field.shape[1:]) / 2).max(axis=1)
    assert away[dock.session.cell] < np.median(away)  # a cell in the middle is marked, not the first at the border
    save_picture(viewer, tmp_path / "images" / "demo.png")
    picture = np.asarray(Image.open(tmp_path / "images" / "demo.png").convert("RGB"))
    assert picture.shape[0] > 300
    assert picture.std() > 10  # not a blank window


def test_nothing_is_left_of_the_demo_s_dock(make_napari_viewer: Any, settle: Any) -> None:
    viewer = open_demo(make_napari_viewer())

    def closed() -> list[weakref.ref[Any]]:
        dock = PerturbDock.open_in(viewer)
        settle(lambda: dock.session.found is not None and not dock.session.busy)
        viewer.window.remove_dock_widget(dock)
        return [weakref.ref(dock), weakref.ref(dock.session)]

    held = closed()
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        gc.collect()
    assert [one() for one in held if one() is not None] == []
