"""A Perturb dock that is closed and opened again is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.dock_memory import MEMORY, CompoundText, DockSettings
from napari_impa.viewer.perturb.views import InPlace, SideBySide
from napari_impa.viewer.perturb.views.gallery import GalleryControls, GalleryView

Settle = Callable[..., None]
Open = Callable[[], PerturbDock]


@pytest.fixture
def viewer() -> ViewerModel:
    """Layers without a window."""
    viewer = ViewerModel()
    for data in simulated_screen(size=256):
        viewer.add_layer(Layer.create(*data))
    return viewer


@pytest.fixture
def open_dock(viewer: ViewerModel, settle: Settle, qtbot: Any) -> Iterator[Open]:
    docks: list[PerturbDock] = []

    def opened() -> PerturbDock:
        dock = PerturbDock(viewer)  # type: ignore[arg-type]
        qtbot.addWidget(dock)
        docks.append(dock)
        return dock

    yield opened
    docks[-1].session.close()
    settle(lambda: not docks[-1].session.busy)


def ready(dock: PerturbDock) -> bool:
    return dock.session.result is not None and not dock.session.busy


def test_model_conditions_sliders_view_and_its_controls_come_back(
    viewer: ViewerModel, open_dock: Open, model_path: Path, settle: Settle
) -> None:
    dock = open_dock()
    dock.use_model(model_path)
    settle(lambda: ready(dock))
    dock.turn_into.choose("shrinkage", "mitotic arrest")
    dock.strength.setValue(1.4)
    dock.variability.setValue(0.25)
    dock.seed.setValue(7)
    form = dock.view_controls[GalleryControls]
    form.show_value(GalleryControls(columns=3, apart=True))
    dock.view.setCurrentIndex(dock.view.values.index(SideBySide))
    settle(lambda: ready(dock))
    asked = dock.session.request
    dock._close()
    assert len(viewer.layers) == 3
    again = open_dock()
    settle(lambda: ready(again))
    assert again.session.loaded.key == str(model_path)
    assert again.session.request == asked
    assert again.view.value is SideBySide is type(again.session.view)
    assert again.view_controls[GalleryControls].value == GalleryControls(columns=3, apart=True)
    assert again.session._stage._controls[GalleryControls].columns == 3


def test_a_gallery_that_was_ordered_by_a_measurement_is_so_again(
    open_dock: Open, model_path: Path, settle: Settle
) -> None:
    dock = open_dock()
    dock.use_model(model_path)
    dock.view.setCurrentIndex(dock.view.values.index(GalleryView))
    settle(lambda: ready(dock))
    ordered = GalleryControls(order="DNA area")
    form = dock.view_controls[GalleryControls]
    form.show_value(ordered)
    form.changed.emit()
    settle(lambda: dock.changes.changes is not None)
    dock._close()
    again = open_dock()
    settle(lambda: ready(again) and again.changes.changes is not None)  # by which the cells are ordered
    assert again.view_controls[GalleryControls].value == ordered
    assert again.session._stage._controls[GalleryControls] == ordered
    assert again.what_changed.isExpanded()


def test_a_model_that_is_gone_is_not_asked_for(
    open_dock: Open, model_path: Path, tmp_path: Path, settle: Settle
) -> None:
    dock = open_dock()
    copy = tmp_path / "copy.impa"
    copy.write_bytes(model_path.read_bytes())
    dock.use_model(copy)
    settle(lambda: ready(dock))
    dock._close()
    copy.unlink()
    again = open_dock()
    settle(lambda: ready(again))
    assert again.session.loaded.key != str(copy)
    assert "⚠" not in again.status.text()


def test_a_model_that_is_broken_meanwhile_gives_way_to_the_first(
    open_dock: Open, model_path: Path, tmp_path: Path, settle: Settle
) -> None:
    dock = open_dock()
    copy = tmp_path / "copy.impa"
    copy.write_bytes(model_path.read_bytes())
    dock.use_model(copy)
    settle(lambda: ready(dock))
    dock.seed.setValue(7)
    dock._close()
    copy.write_bytes(b"no model")
    again = open_dock()
    settle(lambda: ready(again))
    assert again.session.loaded.key == again.model.value == again.model.values[0]
    assert again.session.request.seed == 7


def test_a_model_that_would_have_to_be_fetched_again_is_not_asked_for(open_dock: Open, settle: Settle) -> None:
    dock = open_dock()
    settle(lambda: dock.model.count())
    gone = next(choice for choice in dock.models.choices.values() if choice.to_fetch)
    MEMORY.settings = DockSettings(gone.key, ("shrinkage",), CompoundText(), 1.0, 0.1, 7, SideBySide)
    again = open_dock()
    settle(lambda: ready(again))
    assert again.session.loaded.key == again.model.value == again.model.values[0]
    assert again.fetch.isHidden()


def test_what_is_said_does_not_outlive_what_it_is_of(
    viewer: ViewerModel, open_dock: Open, model_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InPlace, "says", classmethod(lambda cls, further: "What is in place."))
    dock = open_dock()
    dock.use_model(model_path)
    dock.view.setCurrentIndex(dock.view.values.index(InPlace))
    settle(lambda: InPlace in dock.session.further and not dock.session.busy)
    assert dock.status.said == "What is in place."
    dock.view.setCurrentIndex(dock.view.values.index(SideBySide))
    assert dock.status.said.startswith(dock.session.result.request.title())  # of the other view it was
    dock.keep.copied.connect(lambda text: None)
    dock.keep._say("Copied the command")
    dock.seed.setValue(3)
    settle(lambda: ready(dock) and dock.session.result.request.seed == 3)
    assert dock.keep.note.isHidden()  # another command would be copied now
    dock.session.set_cells(None)
    assert dock.status.said == ""
    assert MEMORY.settings is None  # it was not closed
