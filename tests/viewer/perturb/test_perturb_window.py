"""The Perturb dock in the real window."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.layers import Layer
from napari.utils.notifications import notification_manager

from napari_impa.cells.simulated.screen import CHANNELS, simulated_field
from napari_impa.cells.store import open_cells
from napari_impa.engine.describing.fingerprint import CountFingerprint
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.viewer.entry.reader import read
from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.views import Difference, InPlace, SideBySide, View

Settle = Callable[..., None]


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    viewer = make_napari_viewer()
    for data in simulated_screen(size=256):
        viewer.add_layer(Layer.create(*data))
    return viewer


@pytest.fixture
def dock(viewer: Any, model_path: Path, settle: Settle) -> PerturbDock:
    dock = PerturbDock(viewer)
    viewer.window.add_dock_widget(dock, name="Perturb cells")
    dock.view.setCurrentIndex(dock.view.values.index(SideBySide))
    dock.use_model(model_path)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    return dock


def choose(dock: PerturbDock, settle: Settle, condition: str) -> None:
    dock.condition.setCurrentIndex(dock.condition.findData(condition))
    settle(lambda: not dock.session.busy and dock.session.result.request.targets == (condition,))


def show(dock: PerturbDock, settle: Settle, view: type[View]) -> None:
    dock.view.setCurrentIndex(dock.view.values.index(view))
    settle(lambda: not dock.session.busy and type(dock.session.view) is view)


def made(viewer: Any, word: str) -> list[Any]:
    return [layer for layer in viewer.layers if MADE_BY in layer.metadata and word in layer.name]


def test_opening_the_dock_is_enough_to_see_a_prediction(viewer: Any, dock: PerturbDock) -> None:
    result = dock.session.result
    assert result is not None
    assert [box.currentText() for box in dock.cells.channels] == ["DNA", "actin", "tubulin"]
    assert dock.about.text() == "3 channels · 48 px · 5 conditions"
    assert dock.cells.count.text().startswith(f"{result.pixels.shape[1]} cells")
    assert result.pixels.shape[1] >= 5
    assert len(made(viewer, "control · ")) == len(made(viewer, f"{result.request.title()} · ")) == 3
    assert result.request.title() in dock.status.text()


def test_what_a_view_has_found_is_said(
    viewer: Any, dock: PerturbDock, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InPlace, "says", classmethod(lambda cls, further: f"{len(further)} fields."))
    show(dock, settle, InPlace)
    settle(lambda: InPlace in dock.session.further)
    assert dock.status.text() == "1 fields."


def test_result_follows_every_control(viewer: Any, dock: PerturbDock, settle: Settle, model: IMPA) -> None:
    choose(dock, settle, "shrinkage")
    dock.strength.setValue(1.5)
    dock.variability.setValue(0.4)
    dock.seed.setValue(9)
    settle(lambda: not dock.session.busy)
    found = dock.session.found
    expected = model.predict(found.cells, "shrinkage", strength=1.5, variability=0.4, seed=9).pixels
    layer = viewer.layers["shrinkage ×1.5 · actin"]
    assert np.abs(layer.data.astype(int) - expected[:, 1]).max() <= 1
    assert layer.metadata[MADE_BY] == {
        "model": "small", "model_hash": model.hash, "condition": "shrinkage",
        "strength": 1.5, "variability": 0.4, "seed": 9,
    }  # fmt: skip


def test_views_and_the_way_back(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    choose(dock, settle, "shrinkage")
    assert viewer.canvas.grid.enabled
    show(dock, settle, InPlace)
    assert not viewer.canvas.grid.enabled
    assert not viewer.layers["DNA"].visible
    assert np.array_equal(viewer.layers["shrinkage · DNA"].extent.world, viewer.layers["DNA"].extent.world)
    show(dock, settle, Difference)
    assert viewer.layers["Δ DNA · shrinkage"].data.min() < 0
    show(dock, settle, SideBySide)
    assert viewer.canvas.grid.stride == -3
    viewer.window.remove_dock_widget(dock)
    assert sorted(layer.name for layer in viewer.layers) == ["DNA", "actin", "tubulin"]
    assert all(layer.visible for layer in viewer.layers)
    assert not viewer.canvas.grid.enabled


def test_cells_from_a_labels_layer(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    labels = simulated_field(size=256).labels
    viewer.add_labels(labels, name="by hand", scale=(0.65, 0.65), units=("um", "um"))
    dock.cells.method.setCurrentIndex(dock.cells.method.findText("Labels: by hand"))
    settle(lambda: not dock.session.busy and dock.session.found is not None)
    assert dock.session.found.method == "labels"
    assert np.array_equal(dock.session.found.labels, labels)


def test_a_cell_is_left_out_and_taken_in_again(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    found = dock.session.found
    row, count = int(found.rows[1]), len(found.cells)
    for out, expected in ((True, count - 1), (False, count)):
        dock.cells.overview.toggled.emit(row, out)
        settle(lambda: not dock.session.busy and dock.session.result is not None)
        assert dock.session.result.pixels.shape[1] == expected
        assert dock.cells.count.text().startswith(f"{expected} cells")
        assert len(made(viewer, "cells found")) == 1
    dock.session.leave_out(int(np.flatnonzero(found.candidates["reason"])[0]), True)  # at the border: it was not in
    assert not dock.session.busy


def test_a_source_layer_is_deleted_and_comes_back(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    actin = viewer.layers["actin"]
    viewer.layers.remove("actin")
    settle(lambda: not dock.session.busy and dock.session.found is None)
    assert dock.session.found is None
    assert "actin" in dock.status.text()
    assert sorted(layer.name for layer in viewer.layers) == ["DNA", "tubulin"]
    viewer.add_layer(actin)
    settle(lambda: not dock.session.busy and dock.session.result is not None)
    assert len(made(viewer, "control · ")) == 3


def test_all_layers_are_deleted_while_a_view_is_on(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    settle(lambda: not dock.session.busy and dock.session.found is None)
    assert not viewer.layers
    assert "Open an image" in dock.status.said


def test_a_result_layer_is_deleted(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    viewer.layers.remove("control · DNA")
    choose(dock, settle, "shrinkage")
    assert len(made(viewer, "control · ")) == len(made(viewer, "shrinkage · ")) == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("mat1 and mat2"), "mat1 and mat2"),
        (torch.OutOfMemoryError("CUDA out of memory."), "Not enough memory"),
    ],
)
def test_an_error_while_predicting_is_told_and_what_was_there_stays(
    viewer: Any, dock: PerturbDock, settle: Settle, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    choose(dock, settle, "shrinkage")
    before = viewer.layers["shrinkage · DNA"].data.copy()
    encoded, decode, calls = dock.session._encoded, dock.session._encoded.decode, []

    def fail(*args: Any) -> Any:
        calls.append(args)
        if len(calls) > 1:
            raise error
        return decode(*args)

    monkeypatch.setattr(encoded, "decode", fail)
    dock.condition.setCurrentIndex(dock.condition.findData("mitotic arrest"))
    settle(lambda: words in dock.status.text())
    settle(lambda: not dock.session.busy)
    assert any(words in str(record.message) for record in notification_manager.records)
    assert np.array_equal(viewer.layers["shrinkage · DNA"].data, before)
    monkeypatch.undo()
    choose(dock, settle, "actin inhibitor")
    assert "⚠" not in dock.status.text()


def test_a_model_that_cannot_be_read(dock: PerturbDock, settle: Settle, tmp_path: Path) -> None:
    (tmp_path / "broken.impa").write_bytes(b"no model")
    dock.use_model(tmp_path / "broken.impa")
    settle(lambda: "⚠" in dock.status.text())
    settle(lambda: not dock.session.busy)
    assert dock.session.result is not None
    assert dock.model.value == dock.session.loaded.key  # which goes on


def test_no_images(make_napari_viewer: Callable[..., Any], model_path: Path, settle: Settle) -> None:
    viewer = make_napari_viewer()
    dock = PerturbDock(viewer)
    viewer.window.add_dock_widget(dock, name="Perturb cells")
    dock.use_model(model_path)
    settle(lambda: "Open an image" in dock.status.text())


def test_viewer_closed_in_the_middle(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    dock.condition.setCurrentIndex(dock.condition.findData("mitotic arrest"))
    session = dock.session
    assert session.busy
    viewer.close()
    settle(lambda: not session.busy)
    settle(lambda: session.loaded is None)


def test_dock_closed_in_the_middle(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    dock.condition.setCurrentIndex(dock.condition.findData("mitotic arrest"))
    session = dock.session
    assert session.busy
    viewer.window.remove_dock_widget(dock)
    settle(lambda: not session.busy)
    assert sorted(layer.name for layer in viewer.layers) == ["DNA", "actin", "tubulin"]
    assert all(layer.visible for layer in viewer.layers)
    assert session.loaded is None
    assert session.result is None


def test_the_model_is_changed_while_it_predicts(
    viewer: Any, dock: PerturbDock, settle: Settle, tmp_path: Path, model: IMPA
) -> None:
    shape = Shape(48, 3, width=4, embedding_dims=(8,), conditions=(2,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(1))
    limits = np.array([[100.0, 3000.0]] * 3)
    other = IMPA(networks, channels=CHANNELS, conditions=("cold", "heat"), limits=limits, name="other")
    dock.use_model(other.save(tmp_path / "other.impa"))
    for strength in (0.5, 1.5):  # requests of the model that is still there
        dock.strength.setValue(strength)
    settle(lambda: dock.session.loaded.key.endswith("other.impa"))
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    assert dock.session.result.request.targets == ("cold",)
    expected = other.predict(dock.session.found.cells, "cold", strength=1.5).pixels[:, 0]
    layer = viewer.layers["cold ×1.5 · DNA"]
    assert np.abs(layer.data.astype(int) - expected).max() <= 1
    assert layer.metadata[MADE_BY]["model_hash"] == other.hash != model.hash
    assert len(made(viewer, " · ")) == 6


def test_what_changed_is_measured_when_it_is_opened(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    assert dock.changes.changes is None
    assert dock.changes.isHidden()
    dock.what_changed.toggleButton().click()
    settle(lambda: dock.changes.changes is not None)
    assert len(dock.changes.changes.predicted) == len(dock.session.found.cells)
    assert dock.keep._state["features"]["control"].notna().any(axis=None)
    assert dock.changes.table.height() > 300
    choose(dock, settle, "shrinkage")
    settle(lambda: dock.changes.changes is not None)
    assert set(dock.keep._state["features"]) == {"control", "shrinkage"}
    outlined = viewer.layers["cells found (nuclei)"].features
    assert set(outlined["predicted"].dropna()) == {"shrinkage"}
    dock.what_changed.toggleButton().click()
    assert dock.changes.isHidden()
    choose(dock, settle, "actin inhibitor")
    assert list(viewer.layers["cells found (nuclei)"].features.columns) == [
        "index",
        "cell",
    ]  # nothing of the one before


def test_the_parts_of_the_dock_show_one_cell(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    dock.what_changed.toggleButton().click()
    settle(lambda: dock.changes.changes is not None)
    measured = viewer.layers["cells found (nuclei)"].features
    assert measured["DNA mean intensity (predicted)"].notna().sum() == len(dock.session.found.cells)
    dock.cells.overview.cell_clicked.emit(3)
    assert viewer.dims.current_step[0] == 3
    viewer.dims.set_current_step(0, 5)
    assert dock.session.cell == dock.cells.overview._cell == dock.changes._row == 5
    show(dock, settle, InPlace)
    assert viewer.layers[-1].name == "cells found (nuclei)"  # not brightened by the channels
    show(dock, settle, SideBySide)
    assert viewer.dims.current_step[0] == 5


def test_several_conditions_have_a_pane_each(viewer: Any, dock: PerturbDock, settle: Settle) -> None:
    dock.turn_into.choose("shrinkage", "mitotic arrest")
    settle(lambda: not dock.session.busy and len(dock.session.result.pixels) == 2)
    visible = [layer.name for layer in viewer.layers if layer.visible][::-1]
    assert visible == [f"{what} · {c}" for what in ("control", "shrinkage", "mitotic arrest") for c in CHANNELS]
    show(dock, settle, InPlace)
    visible = [layer.name for layer in viewer.layers if layer.visible][::-1]
    assert visible == [f"{what} · {c}" for what in ("shrinkage", "mitotic arrest") for c in CHANNELS]
    assert viewer.canvas.grid.enabled
    assert viewer.canvas.grid.stride == -3


def test_real_treated_cells_stand_beside(
    make_napari_viewer: Callable[..., Any], cells_path: Path, model_path: Path, settle: Settle
) -> None:
    viewer = make_napari_viewer()
    for data in read(str(cells_path)):
        viewer.add_layer(Layer.create(*data))
    dock = PerturbDock(viewer)
    viewer.window.add_dock_widget(dock, name="Perturb cells")
    dock.view.setCurrentIndex(dock.view.values.index(SideBySide))
    dock.use_model(model_path)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    stored = open_cells(cells_path)
    assert len(dock.session.found.cells) == stored.is_control.sum()
    choose(dock, settle, "shrinkage")
    visible = [layer.name for layer in viewer.layers if layer.visible][::-1]
    assert visible == [f"{what} · {c}" for what in ("control", "shrinkage", "real shrinkage") for c in CHANNELS]
    real = stored.pixels[np.flatnonzero(stored.conditions == "shrinkage")]
    shown = viewer.layers["real shrinkage · DNA"].data
    assert np.array_equal(shown[: len(real)], real[: len(shown), 0])
    choose(dock, settle, "actin inhibitor")  # which the source has none of
    assert not [layer for layer in viewer.layers if layer.name.startswith("real")]


def test_a_compound_by_its_smiles(viewer: Any, dock: PerturbDock, settle: Settle, tmp_path: Path) -> None:
    names = {"aspirin": "CC(=O)Oc1ccccc1C(=O)O", "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C"}
    kind = CountFingerprint()
    vectors = [kind.vector(NewCondition(name, smiles), 1024) for name, smiles in names.items()]
    networks = Networks(Shape(48, 3, width=4, embedding_dims=(1024,), conditions=(2,)))
    networks.describe(torch.tensor(np.stack(vectors)), 0)
    limits = np.array([[100.0, 3000.0]] * 3)
    model = IMPA(networks, channels=CHANNELS, conditions=list(names), limits=limits, descriptions=[kind])
    dock.use_model(model.save(tmp_path / "compounds.impa"))
    settle(lambda: dock.session.loaded.model.name != "small" and dock.session.result and not dock.session.busy)
    box = dock.turn_into.compound
    box.text.setText("CC(C)Cc1ccc(cc1)C(C)C(=O)O ibuprofen")
    box.text.returnPressed.emit()
    settle(lambda: not dock.session.busy and dock.session.result.request.name(0) == "ibuprofen")
    layer = viewer.layers["ibuprofen · DNA"]
    assert "smiles" in str(layer.metadata[MADE_BY]["condition"]) or "smiles" in str(layer.metadata[MADE_BY])
    expected = dock.session.loaded.model.predict(
        dock.session.found.cells, NewCondition("ibuprofen", "CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    )
    assert np.abs(layer.data.astype(int) - expected.pixels[:, 0]).max() <= 1


def used_and_closed(viewer: Any, model_path: Path, settle: Settle) -> list[Any]:
    """Open the dock, look at everything, close it; references to what it held."""
    dock = PerturbDock(viewer)
    viewer.window.add_dock_widget(dock, name="Perturb cells")
    dock.use_model(model_path)
    settle(lambda: dock.session.result is not None and not dock.session.busy)
    dock.what_changed.toggleButton().click()
    settle(lambda: dock.changes.changes is not None)
    held = [weakref.ref(dock.session.loaded.model), weakref.ref(dock.session.found.cells)]
    held += [weakref.ref(layer) for layer in viewer.layers if MADE_BY in layer.metadata]  # the gallery, the outlines
    show(dock, settle, SideBySide)
    held += [weakref.ref(layer) for layer in viewer.layers if MADE_BY in layer.metadata]
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    return held


def test_closing_the_dock_lets_go_of_model_and_layers(viewer: Any, model_path: Path, settle: Settle) -> None:
    held = used_and_closed(viewer, model_path, settle)
    assert len(held) == 11

    def gone() -> bool:
        gc.collect()
        return not any(reference() for reference in held)

    settle(gone)
