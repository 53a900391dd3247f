"""What the Train dock makes of choices that follow each other: folders, layers, runs, and windows that close."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.train.dock import TrainDock
from napari_impa.viewer.train.session import READY
from napari_impa.viewer.train.setup.source_form import LAYERS
from napari_impa.work.training import train_plan
from napari_impa.work.training_plan import Plan

Settle = Callable[..., None]


@pytest.fixture
def dock(make_napari_viewer: Callable[..., Any], cells_path: Path, settle: Settle) -> TrainDock:
    """The dock in a window, with cells found."""
    viewer = make_napari_viewer()
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on a folder")
    dock.setup.set_source(cells_path)
    settle(lambda: dock.setup.cells.looked is not None and not dock.setup.cells.busy)
    dock.setup.settings.batch_size.setValue(2)
    return dock


def trained(source: Path, folder: Path, *, task: str = "perturbation", label: str = "compound", **more: Any) -> Path:
    settings = TrainingSettings(task=task, size=48, batch_size=2, device="cpu", steps=2, **more)
    control = "DMSO" if task == "perturbation" else None
    train_plan(Plan(source, (label,), control, settings, folder))
    return folder


def test_nothing_is_left_of_the_folder_before(dock: TrainDock, tmp_path: Path, settle: Settle) -> None:
    assert dock.start.isEnabled()
    (tmp_path / "empty").mkdir()
    dock.setup.set_source(tmp_path / "empty")
    settle(lambda: "holds no images" in dock.problem.message.text())
    assert dock.setup.cells.looked is None
    assert dock.setup.cells.panel.isHidden()
    assert not dock.setup.settings.estimate.text()
    assert not dock.start.isEnabled()


def test_a_folder_found_too_late_is_not_shown_under_layers(dock: TrainDock, cells_path: Path, settle: Settle) -> None:
    dock.setup.set_source(cells_path)
    dock.setup.source.origin.setCurrentIndex(dock.setup.source.origin.values.index(LAYERS))
    settle(lambda: not dock.session._looking.busy)
    assert dock.setup.cells.looked is None
    assert not dock.start.isEnabled()


def test_train_again_shows_what_the_run_was_given(
    dock: TrainDock, cells_path: Path, tmp_path: Path, settle: Settle
) -> None:
    run = trained(cells_path, tmp_path / "run", hold_out={"compound": ("shrinkage",)})
    dock.runs.again_asked.emit(run)
    settle(lambda: dock.setup.cells.hold_out == {"compound": ("shrinkage",)})
    plan = dock.setup.plan()
    assert (plan.label, plan.control, plan.settings.steps) == (("compound",), "DMSO", 2)
    assert plan.folder != run
    assert "Settings of run" in dock.setup.run.note.text()


def test_train_again_takes_over_the_task(dock: TrainDock, cells_path: Path, tmp_path: Path, settle: Settle) -> None:
    run = trained(cells_path, tmp_path / "run", task="batch", label="plate")
    dock.runs.again_asked.emit(run)
    settle(lambda: dock.setup.cells.label.ticked == ("plate",))
    plan = dock.setup.plan()
    assert (plan.settings.task, plan.control, plan.label) == ("batch", None, ("plate",))
    assert not dock.setup.settings.description.isVisibleTo(dock.setup.body)


def test_a_complete_run_asks_for_more(dock: TrainDock, cells_path: Path, tmp_path: Path, settle: Settle) -> None:
    run = trained(cells_path, tmp_path / "run")
    dock.runs.show_folder(tmp_path)
    settle(lambda: dock.runs.is_complete(run))
    dock.runs.resume_asked.emit(run)
    assert dock.setup.settings.amount.value() == 4
    bar = dock.setup.verticalScrollBar()
    settle(lambda: not dock.setup.run.note.visibleRegion().isEmpty() or not bar.maximum())
    dock.setup.settings.amount.setValue(2)
    dock.start.click()
    assert "run has 2 steps already" in dock.problem.message.text()
    assert dock.state == READY
    dock.setup.settings.amount.setValue(3)
    dock.start.click()
    settle(lambda: dock.state == READY)
    assert "finished after 3 steps" in dock.status.text()
    assert not dock.setup.run.note.text()


def test_what_was_left_for_a_training_is_looked_at_after_it(
    dock: TrainDock, cells_path: Path, tmp_path: Path, settle: Settle
) -> None:
    dock.setup.run.folder.setText(str(tmp_path / "run"))
    dock.setup.settings.unit.setCurrentIndex(1)
    dock.setup.settings.amount.setValue(2)
    dock.setup.cells.panel.clear()
    dock.setup.cells.column.setCurrentIndex(0)  # nothing is held out; looked at anew
    dock.start.click()
    assert dock.state != READY
    assert not dock.setup.cells.panel.table._pictures
    settle(lambda: dock.state == READY)
    settle(lambda: dock.setup.cells.panel.table._pictures and dock.setup.settings.estimate.text())
    assert "finished after 2 steps" in dock.status.text()
    assert "Not measured" in dock.watch.gaps._note.toPlainText()


def test_another_kind_of_images_keeps_what_was_chosen(dock: TrainDock, cells_path: Path, settle: Settle) -> None:
    cells = dock.setup.cells
    cells.column.setCurrentIndex(cells.column.values.index("compound"))
    cells.held.item(0).setCheckState(Qt.CheckState.Checked)
    chosen = cells.hold_out
    assert chosen
    before = cells.looked
    dock.setup.look()
    settle(lambda: cells.looked is not before)
    assert cells.hold_out == chosen


def test_a_long_path_does_not_make_the_dock_wide(dock: TrainDock) -> None:
    long = "/data/screening/2026-11-23_plate_Week4_27861_cycloheximide_DAPI_actin_tubulin_export/metadata.csv"
    before = dock.minimumSizeHint().width()
    dock.problem.show_failure(Failure(f"{long} cannot be read.", ""))
    dock.status.say(f"The model is {long}.")
    assert dock.minimumSizeHint().width() <= before


@pytest.mark.parametrize("when", ["found", "looking"])
def test_nothing_of_a_closed_dock_is_held(
    make_napari_viewer: Callable[..., Any], cells_path: Path, settle: Settle, when: str
) -> None:
    viewer = make_napari_viewer()
    dock: Any = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on a folder")
    dock.setup.set_source(cells_path)
    if when == "found":
        cells = dock.setup.cells
        settle(lambda: cells.looked is not None)
        del cells
    held = [weakref.ref(one) for one in (dock, dock.setup, dock.setup.cells, dock.watch, dock.runs)]
    viewer.window.remove_dock_widget(dock)
    dock = None

    def freed() -> bool:
        gc.collect()
        return not any(one() for one in held)

    settle(freed, 20)


def test_the_theme_can_change_when_the_dock_is_gone(dock: TrainDock, qtbot: Any) -> None:
    viewer = dock.viewer
    viewer.window.remove_dock_widget(dock)
    del dock
    qtbot.wait(20)
    viewer.theme = "light"
