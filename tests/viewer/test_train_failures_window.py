"""Everything that can go wrong in a training, in the real window: one sentence, details, and the dock ready again."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from napari.utils import progress
from napari.utils.notifications import notification_manager

import napari_impa.engine.steps as steps
from napari_impa.cells.simulated import write_simulated_screen
from napari_impa.viewer.jobs import Failure
from napari_impa.viewer.problem import DetailsDialog, Problem
from napari_impa.viewer.train import READY, TrainDock
from napari_impa.viewer.training_job import Progress
from napari_impa.viewer.training_session import TrainingSession

Settle = Callable[..., None]
Open = Callable[..., TrainDock]


@pytest.fixture
def open_train(make_napari_viewer: Callable[..., Any], tmp_path: Path, settle: Settle) -> Open:
    def opened(source: Path, *, count: int = 5, folder: str = "run") -> TrainDock:
        viewer = make_napari_viewer()
        dock = TrainDock(viewer)
        viewer.window.add_dock_widget(dock, name="Train on a folder")
        dock.set_source(source)
        settle(lambda: dock.cells.looked is not None)
        dock.folder.setText(str(tmp_path / folder))
        dock.settings.size.choose(48)
        dock.settings.unit.setCurrentIndex(1)
        dock.settings.amount.setValue(count)
        dock.settings.batch_size.setValue(2)
        return dock

    return opened


def said(words: str) -> bool:
    return any(words in str(record.message) for record in notification_manager.records)


def check_ready(dock: TrainDock, *words: str) -> None:
    """The dock shows one sentence with these words, and everything can be pressed again."""
    (text,) = dock.status.text().splitlines()
    assert all(word in text for word in words), text
    assert said(words[0])
    assert dock.session.state == "ready"
    assert TrainingSession.current is None
    assert not progress._all_instances
    assert dock.start.isEnabled()
    assert dock.source.isEnabled()


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch, at: int = 2) -> None:
    """Let a step raise an error."""
    make = steps.Step.__call__

    def failing(step: Any, batch: Any, number: int, *args: Any, **more: Any) -> Any:
        if number >= at:
            raise error
        return make(step, batch, number, *args, **more)

    monkeypatch.setattr(steps.Step, "__call__", failing)


def test_out_of_memory_says_what_fits(
    open_train: Open, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = steps.Step.__call__

    def crowded(step: Any, batch: Any, *args: Any, **more: Any) -> Any:
        losses = make(step, batch, *args, **more)
        if len(batch.control) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return losses

    monkeypatch.setattr(steps.Step, "__call__", crowded)
    dock = open_train(cells_path)
    dock.start.click()
    settle(lambda: dock.state == READY)
    check_ready(dock, "ran out of memory", "batch size of 1, which fits")


def test_nan_goes_back_to_the_checkpoint(
    open_train: Open, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make = steps.Step.__call__

    def bad(step: Any, batch: Any, number: int, *args: Any, **more: Any) -> Any:
        losses = make(step, batch, number, *args, **more)
        return {**losses, "cycle": float("nan")} if number == 2 else losses

    monkeypatch.setattr(steps.Step, "__call__", bad)
    dock = open_train(cells_path)
    dock.start.click()
    settle(lambda: dock.state == READY)
    check_ready(dock, "ran to NaN at step 3", "train anew with another seed")
    assert dock.start.text() == "Resume"


def test_an_error_that_nobody_thought_of_keeps_its_traceback(
    open_train: Open, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Any] = []
    dock = open_train(cells_path)
    dock.session.ended.connect(ended.append)
    fail_with(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), monkeypatch)
    dock.start.click()
    settle(lambda: dock.state == READY)
    check_ready(dock, "mat1 and mat2")
    assert "Traceback" in ended[0].details


@pytest.mark.parametrize("where", ["checkpoint", "history"])
def test_a_full_disk(
    open_train: Open, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "checkpoint":
        monkeypatch.setattr("napari_impa.engine.checkpoint.save_file", full)
    else:
        monkeypatch.setattr("napari_impa.engine.run.csv.DictWriter", full)
    dock = open_train(cells_path)
    dock.start.click()
    settle(lambda: dock.state == READY)
    check_ready(dock, "free some space")


def test_a_full_disk_while_cells_are_cut(
    open_train: Open, tmp_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    dock = open_train(screen)
    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    dock.start.click()
    settle(lambda: dock.state == READY)
    check_ready(dock, "No space left on device", "mend that and try again")
    assert not (tmp_path / "run.cells").exists()


def test_the_run_folder_is_removed_in_the_middle(
    open_train: Open, cells_path: Path, settle: Settle, tmp_path: Path
) -> None:
    dock = open_train(cells_path, count=900)
    reports: list[Any] = []
    dock.session.reported.connect(reports.append)
    dock.start.click()
    settle(lambda: any(isinstance(report, Progress) for report in reports))
    shutil.rmtree(tmp_path / "run")
    dock.session.pause()  # which saves
    settle(lambda: dock.state == READY)
    check_ready(dock, "is gone", "start anew in another folder")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["truncated", "removed"])
def test_a_bad_image_in_the_folder(open_train: Open, tmp_path: Path, settle: Settle, damage: str) -> None:
    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    dock = open_train(screen)
    image = next(path for path in sorted(screen.rglob("*.tif")) if "mask" not in path.name)
    image.unlink() if damage == "removed" else image.write_bytes(image.read_bytes()[:2000])
    dock.start.click()
    settle(lambda: dock.state == READY)
    check_ready(dock, image.name)
    assert not (tmp_path / "run").exists()


def test_two_trainings_at_once_are_refused(open_train: Open, cells_path: Path, settle: Settle) -> None:
    first = open_train(cells_path, count=900)
    first.start.click()
    second = open_train(cells_path, folder="other")
    second.start.click()
    assert "one at a time" in second.status.text()
    assert said("one at a time")
    assert second.state == READY
    assert second.start.isEnabled()
    assert not second.session.busy
    first.session.stop()
    settle(lambda: first.state == READY)
    second.start.click()
    settle(lambda: second.state == READY)
    assert "finished after 5 steps" in second.status.text()


def test_the_details_of_a_problem_can_be_copied(qtbot: Any) -> None:
    from qtpy.QtWidgets import QApplication

    problem = Problem()
    qtbot.addWidget(problem)
    assert problem.isHidden()
    problem.show_failure(Failure("The disk is full; free some space.", "Traceback (most recent call last): …"))
    assert "The disk is full" in problem.message.text()
    problem.details.click()
    (dialog,) = problem.window().findChildren(DetailsDialog)
    assert dialog.text.toPlainText().startswith("Traceback")
    dialog.copy.click()
    assert QApplication.clipboard().text().endswith("Traceback (most recent call last): …")
    dialog.close()
    problem.show_failure(Failure("No control.", ""))
    assert problem.details.isHidden()
    problem.clear()
    assert problem.isHidden()
