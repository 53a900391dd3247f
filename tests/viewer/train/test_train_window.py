"""The Train dock in the real window, and the whole way from a folder to predicted cells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from napari.layers import Layer
from napari.utils.notifications import notification_manager

import napari_impa.engine.training.steps.step as steps
from napari_impa.cells.simulated.screen import write_simulated_screen
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.views import InPlace, SideBySide
from napari_impa.viewer.train.dock import TrainDock
from napari_impa.viewer.train.session import READY, STOPPING, Advance

Settle = Callable[..., None]


def open_train(viewer: Any, source: Path, run: Path, settle: Settle, *, steps: int) -> TrainDock:
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on a folder")
    dock.setup.set_source(source)
    settle(lambda: dock.setup.cells.looked is not None)
    dock.setup.run.folder.setText(str(run))
    form = dock.setup.settings
    form.size.choose(48)
    form.unit.setCurrentIndex(1)
    form.amount.setValue(steps)
    form.batch_size.setValue(2)
    return dock


def said(words: str) -> bool:
    return any(words in str(record.message) for record in notification_manager.records)


def test_the_whole_way(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open the simulated screen, train on a folder, use the model on the cells found, see them side by side."""
    viewer = make_napari_viewer()
    for data in simulated_screen(size=256):
        viewer.add_layer(Layer.create(*data))
    conditions = ("DMSO", "shrinkage", "mitotic arrest")
    screen = write_simulated_screen(tmp_path / "screen", size=288, batches=1, conditions=conditions)
    train = open_train(viewer, screen, tmp_path / "run", settle, steps=4)
    assert "3 whole fields" in train.setup.cells.panel.summary.text()
    assert [train.setup.cells.panel.table.item(row, 0).text() for row in range(3)] == [
        "DMSO (control)",
        "mitotic arrest",
        "shrinkage",
    ]
    assert train.setup.cells.label.ticked == ("compound",)
    say, heard = train.status.say, []
    monkeypatch.setattr(train.status, "say", lambda text: heard.append(text) or say(text))
    train.start.click()
    assert train.start.text() == "Stop"
    assert not train.setup.source.line.isEnabled()
    settle(lambda: train.state == READY)
    assert "Step 4 of 4 · scoring the last model" in heard
    assert "finished after 4 steps" in train.status.text()
    assert said("finished after 4 steps")
    assert train.progress.value() == 1000
    assert {"reconstruction"} <= set(train.watch.curves._lines)
    assert any(layer.name.startswith("training preview") for layer in viewer.layers)
    assert train.use.isEnabled()

    train.use.click()
    perturb = next(widget for widget in viewer.window.dock_widgets.values() if isinstance(widget, PerturbDock))
    perturb.view.setCurrentIndex(perturb.view.values.index(SideBySide))
    settle(lambda: perturb.session.result is not None and not perturb.session.busy)
    assert perturb.model.value == str(tmp_path / "run" / "model.impa")
    perturb.condition.setCurrentIndex(perturb.condition.findData("shrinkage"))
    settle(lambda: not perturb.session.busy and perturb.session.result.request.name(0) == "shrinkage")

    grid, layers = viewer.canvas.grid, viewer.layers
    assert grid.enabled
    assert grid.actual_shape(layers) == (1, 2)
    assert perturb.cells.count.text().startswith(f"{perturb.session.result.pixels.shape[1]} cells")
    model = IMPA.load(tmp_path / "run" / "model.impa")
    for channel, name in enumerate(("DNA", "actin", "tubulin")):
        source, control, predicted = layers[name], layers[f"control · {name}"], layers[f"shrinkage · {name}"]
        assert grid.position(layers.index(control), layers) == (0, 0)
        assert grid.position(layers.index(predicted), layers) == (0, 1)
        assert control.data.shape == predicted.data.shape
        assert np.array_equal(control.data, perturb.session.found.cells.pixels[:, channel])
        for layer in (control, predicted):
            assert layer.data.dtype == source.data.dtype == np.uint16
            assert np.array_equal(layer.scale[1:], source.scale)
            assert layer.units[1:] == source.units
            assert layer.visible
        assert predicted.metadata[MADE_BY]["model_hash"] == model.hash
        assert predicted.metadata[MADE_BY]["condition"] == "shrinkage"


def test_model_is_tried_on_control_cells_where_nothing_is_open(
    make_napari_viewer: Callable[..., Any], cells_path: Path, tmp_path: Path, settle: Settle
) -> None:
    viewer = make_napari_viewer()
    train = open_train(viewer, cells_path, tmp_path / "run", settle, steps=2)
    train.start.click()
    settle(lambda: train.state == READY)
    perturb = train.use_in_perturb()
    settle(lambda: perturb.session.result is not None and not perturb.session.busy)
    assert perturb.session.result.pixels.shape[1] == 2  # the controls of the plate that was held out
    assert "crops" in perturb.cells.method.currentText()
    place = perturb.view.model().item(perturb.view.values.index(InPlace))
    assert not place.isEnabled()  # crops have no field to be put back into


def test_stop_and_resume(
    make_napari_viewer: Callable[..., Any], cells_path: Path, tmp_path: Path, settle: Settle
) -> None:
    dock = open_train(make_napari_viewer(), cells_path, tmp_path / "run", settle, steps=900)
    reports: list[Any] = []
    dock.session.reported.connect(reports.append)
    dock.start.click()
    settle(lambda: any(isinstance(report, Advance) for report in reports))
    dock.start.click()
    assert (dock.state, dock.start.text()) == (STOPPING, "Stopping …")
    assert not dock.start.isEnabled()
    settle(lambda: dock.state == READY)
    assert "stopped after" in dock.status.text()
    assert dock.start.text() == "Resume"
    assert dock.setup.source.line.isEnabled()
    done = int(Run(tmp_path / "run").history["step"].max())
    dock.setup.settings.amount.setValue(done + 2)
    dock.start.click()
    settle(lambda: dock.state == READY)
    assert Run(tmp_path / "run").history["step"].max() == done + 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "not even one cell a step fits"),
        (RuntimeError("mat1 and mat2"), "mat1 and mat2"),
    ],
)
def test_an_error_inside_a_step_is_told(
    make_napari_viewer: Callable[..., Any], cells_path: Path, tmp_path: Path, settle: Settle,
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str,
) -> None:  # fmt: skip
    def fail(*args: Any, **more: Any) -> Any:
        raise error

    dock = open_train(make_napari_viewer(), cells_path, tmp_path / "run", settle, steps=5)
    monkeypatch.setattr(steps.Step, "__call__", fail)
    dock.start.click()
    settle(lambda: dock.state == READY)
    assert words in dock.problem.message.text()
    assert said(words)
    assert dock.start.isEnabled()
    assert dock.session.job is None


def test_a_folder_without_images(make_napari_viewer: Callable[..., Any], tmp_path: Path, settle: Settle) -> None:
    viewer = make_napari_viewer()
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on a folder")
    dock.setup.set_source(tmp_path)
    settle(lambda: "⚠" in dock.problem.message.text())
    assert not dock.start.isEnabled()


def test_small_square_fields_can_be_said_to_be_fields(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, settle: Settle
) -> None:
    screen = write_simulated_screen(tmp_path / "screen", size=128, batches=1, conditions=("DMSO", "shrinkage"))
    table = pd.read_csv(screen / "metadata.csv")
    table.drop(columns=["well", "site"]).to_csv(screen / "metadata.csv", index=False)  # which would say that they are
    dock = open_train(make_napari_viewer(), screen, tmp_path / "run", settle, steps=2)
    assert dock.setup.source.kind.value == "crops"
    assert not dock.setup.settings.segment.isEnabled()
    dock.setup.source.kind.setCurrentIndex(dock.setup.source.kind.values.index("fields"))
    settle(lambda: dock.setup.cells.looked.source.kind == "fields")
    assert "2 whole fields" in dock.setup.cells.panel.summary.text()
    assert dock.setup.settings.segment.isEnabled()
    assert dock.setup.plan().kind == "fields"


def test_no_label_is_told_at_once(
    make_napari_viewer: Callable[..., Any], cells_path: Path, tmp_path: Path, settle: Settle
) -> None:
    dock = open_train(make_napari_viewer(), cells_path, tmp_path / "run", settle, steps=5)
    dock.setup.cells.label.fill(["compound"], [])
    dock.start.click()
    assert "label column" in dock.problem.message.text()
    assert dock.state == READY


def test_batch_correction_needs_no_control(
    make_napari_viewer: Callable[..., Any], cells_path: Path, tmp_path: Path, settle: Settle
) -> None:
    dock = open_train(make_napari_viewer(), cells_path, tmp_path / "run", settle, steps=2)
    dock.setup.cells.task.setCurrentIndex(1)
    assert dock.setup.cells.label.ticked == ("batch",)
    plan = dock.setup.plan()
    assert (plan.control, plan.settings.task) == (None, "batch")


def test_closing_the_dock_while_training_leaves_a_run_that_resumes(
    make_napari_viewer: Callable[..., Any], cells_path: Path, tmp_path: Path, settle: Settle, qtbot: Any
) -> None:
    viewer = make_napari_viewer()
    threads = set(threading.enumerate())
    dock = open_train(viewer, cells_path, tmp_path / "run", settle, steps=900)
    reports: list[Any] = []
    dock.session.reported.connect(reports.append)
    dock.start.click()
    settle(lambda: any(isinstance(report, Advance) for report in reports))
    job = dock.session.job
    assert job is not None
    viewer.window.remove_dock_widget(dock)
    settle(lambda: job.token.cancelled and not job.running, 10)
    assert not [thread for thread in set(threading.enumerate()) - threads if "napari-impa" in thread.name]
    run = Run(tmp_path / "run")
    assert run.model_path.is_file()
    assert run.checkpoint_path.is_file()
    assert 1 <= IMPA.load(run.model_path).history["steps"] < 900
    qtbot.wait(50)
