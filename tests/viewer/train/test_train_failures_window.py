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
from qtpy.QtWidgets import QLabel

import napari_impa.engine.training.steps.step as steps
from napari_impa.cells.simulated.screen import write_simulated_screen
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import TrainingError
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.kit.problem import DetailsDialog, Problem
from napari_impa.viewer.train.dock import TrainDock
from napari_impa.viewer.train.session import Advance, TrainingSession
from napari_impa.work.training_plan import Plan

Settle = Callable[..., None]
Start = Callable[..., TrainDock]


@pytest.fixture
def start(make_napari_viewer: Callable[..., Any], tmp_path: Path) -> Start:
    """Open the dock in a window of its own and start a training."""

    def started(source: Path, *, steps: int = 5, folder: str = "run") -> TrainDock:
        viewer = make_napari_viewer()
        dock = TrainDock(viewer)
        viewer.window.add_dock_widget(dock, name="Train on a folder")
        dock.session.start(plan(source, tmp_path / folder, steps))
        return dock

    return started


def plan(source: Path, folder: Path, steps: int = 5) -> Plan:
    settings = TrainingSettings(size=48, steps=steps, batch_size=2, device="cpu")
    return Plan(source, ("compound",), "DMSO", settings, folder)


def said(words: str) -> bool:
    return any(words in str(record.message) for record in notification_manager.records)


def check_ready(dock: TrainDock, *words: str) -> None:
    """The window says one sentence with these words, nothing is under way any more, and a training can be started."""
    text = str(notification_manager.records[-1].message)
    assert all(word in text for word in words), text
    assert len(text.splitlines()) == 1
    shown = "".join(label.text() for label in dock.findChildren(QLabel))
    assert words[0] in shown.replace("\u200b", "")  # where long paths may be broken
    assert dock.session.state == "ready"
    assert TrainingSession.current is None
    assert not progress._all_instances


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch, at: int = 2) -> None:
    """Let a step raise an error."""
    make = steps.Step.__call__

    def failing(step: Any, batch: Any, number: int, *args: Any, **more: Any) -> Any:
        if number >= at:
            raise error
        return make(step, batch, number, *args, **more)

    monkeypatch.setattr(steps.Step, "__call__", failing)


def test_out_of_memory_says_what_fits(
    start: Start, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = steps.Step.__call__

    def crowded(step: Any, batch: Any, *args: Any, **more: Any) -> Any:
        losses = make(step, batch, *args, **more)
        if len(batch.control) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return losses

    monkeypatch.setattr(steps.Step, "__call__", crowded)
    dock = start(cells_path)
    settle(lambda: not dock.session.busy)
    check_ready(dock, "ran out of memory", "batch size of 1, which fits")


def test_nan_goes_back_to_the_checkpoint(
    start: Start, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make = steps.Step.__call__

    def bad(step: Any, batch: Any, number: int, *args: Any, **more: Any) -> Any:
        losses = make(step, batch, number, *args, **more)
        return {**losses, "cycle": float("nan")} if number == 2 else losses

    monkeypatch.setattr(steps.Step, "__call__", bad)
    dock = start(cells_path)
    settle(lambda: not dock.session.busy)
    check_ready(
        dock, "ran to NaN again, with lower learning rates since step 0, at step 3", "train anew with another seed"
    )
    assert "⚠ The training ran to NaN at step 3 (loss cycle); it went back to its start" in dock.watch.about.text()
    assert dock.watch.curves._series["reconstruction"].points()[0].tolist() == [1, 2]  # and not twice


def test_an_error_that_nobody_thought_of_keeps_its_traceback(
    start: Start, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Any] = []
    fail_with(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), monkeypatch)
    dock = start(cells_path)
    dock.session.ended.connect(ended.append)
    settle(lambda: not dock.session.busy)
    check_ready(dock, "mat1 and mat2")
    assert "Traceback" in ended[0].details


@pytest.mark.parametrize("where", ["checkpoint", "history"])
def test_a_full_disk(
    start: Start, cells_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "checkpoint":
        monkeypatch.setattr("napari_impa.engine.model.tensor_file.save_file", full)
    else:
        monkeypatch.setattr("napari_impa.engine.training.run_folder.run.csv.DictWriter", full)
    dock = start(cells_path)
    settle(lambda: not dock.session.busy)
    check_ready(dock, "free some space")


def test_a_full_disk_while_cells_are_cut(
    start: Start, tmp_path: Path, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    monkeypatch.setattr("pandas.DataFrame.to_csv", full)
    dock = start(screen)
    settle(lambda: not dock.session.busy)
    check_ready(dock, "No space left on device", "mend that and try again")
    assert not (tmp_path / "run.cells").exists()


def test_the_run_folder_is_removed_in_the_middle(
    start: Start, cells_path: Path, settle: Settle, tmp_path: Path
) -> None:
    dock = start(cells_path, steps=900)
    reports: list[Any] = []
    dock.session.reported.connect(reports.append)
    settle(lambda: any(isinstance(report, Advance) for report in reports))
    shutil.rmtree(tmp_path / "run")
    dock.session.pause()  # which saves
    settle(lambda: not dock.session.busy)
    check_ready(dock, "is gone", "start anew in another folder")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["truncated", "removed"])
def test_a_bad_image_in_the_folder(start: Start, tmp_path: Path, settle: Settle, damage: str) -> None:
    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    image = next(path for path in sorted(screen.rglob("*.tif")) if "mask" not in path.name)
    image.unlink() if damage == "removed" else image.write_bytes(image.read_bytes()[:2000])
    dock = start(screen)
    settle(lambda: not dock.session.busy)
    check_ready(dock, image.name)
    assert not (tmp_path / "run").exists()


def test_two_trainings_at_once_are_refused(
    start: Start, cells_path: Path, settle: Settle, make_napari_viewer: Callable[..., Any], tmp_path: Path
) -> None:
    first = start(cells_path, steps=900)
    second = TrainDock(make_napari_viewer())
    second.viewer.window.add_dock_widget(second, name="Train on a folder")
    with pytest.raises(TrainingError, match="one at a time"):
        second.session.start(plan(cells_path, tmp_path / "other"))
    assert second.session.state == "ready"
    first.session.stop()
    settle(lambda: not first.session.busy)
    second.session.start(plan(cells_path, tmp_path / "other"))
    settle(lambda: not second.session.busy)
    assert said("finished after 5 steps")


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
