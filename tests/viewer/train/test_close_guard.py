"""Closing the window or the dock while a training runs: the question and its answers; no script is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

from napari_impa.engine.model import tensor_file
from napari_impa.engine.training.run_folder.lock import is_locked
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.viewer.train.close_guard import CLOSE, CLOSE_BUTTON, KEEP
from napari_impa.viewer.train.dock import TrainDock
from napari_impa.viewer.train.session import Advance
from napari_impa.work.training_plan import Plan

Settle = Callable[..., None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers to questions, from the first; every question must have one."""
    given: list[str] = []

    def answer(box: QMessageBox) -> int:
        name = given.pop(0)
        (button,) = [button for button in box.buttons() if button.text() == name]
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)
    return given


@pytest.fixture
def training(
    make_napari_viewer: Callable[..., Any], cells_path: Path, tmp_path: Path, settle: Settle
) -> Iterator[tuple[Any, TrainDock]]:
    """A shown window in which a training has made some steps."""
    viewer = make_napari_viewer(show=True)
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train on a folder")
    settings = TrainingSettings(size=48, steps=900, batch_size=2, device="cpu")
    reports: list[Any] = []
    dock.session.reported.connect(reports.append)
    dock.session.start(Plan(cells_path, ("compound",), "DMSO", settings, tmp_path / "run"))
    settle(lambda: any(isinstance(report, Advance) for report in reports))
    yield viewer, dock
    dock.session.abandon()
    settle(lambda: not dock.session.busy)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "napari-impa" in thread.name]


def ends_within_a_second(settle: Settle) -> None:
    """Here with patience for a machine that others use too; `python -m benchmarks train-dock` measures it."""
    began = time.monotonic()
    settle(lambda: not threads(), 10)
    assert time.monotonic() - began < 5


def check_run(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    assert tensor_file.read_header(run.checkpoint_path)["step"] < 900
    assert not is_locked(run.folder)


def user_closes(viewer: Any) -> None:
    """Close a window as napari's command does, whose own question was answered already."""
    window = viewer.window._qt_window
    window.close(quit_app=False, confirm_need=False)
    if not window.isVisible():
        del viewer.window._qt_window  # as `viewer.close()` does, which is called after the test otherwise


def test_the_window_stays_if_the_user_keeps_training(
    training: tuple[Any, TrainDock], answers: list[str], settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, dock = training
    window = viewer.window._qt_window
    answers.append(KEEP)
    user_closes(viewer)
    assert not answers
    assert window.isVisible()
    assert dock.session.state == "training"
    at = dock.session.step
    settle(lambda: dock.session.step > at)
    answers.append(KEEP)
    QApplication.sendEvent(window, QCloseEvent())
    assert not answers
    assert dock.session.busy


def test_the_window_closes_and_the_run_can_be_resumed(
    training: tuple[Any, TrainDock], answers: list[str], settle: Settle, tmp_path: Path
) -> None:
    viewer, _ = training
    answers.append(CLOSE)
    user_closes(viewer)
    ends_within_a_second(settle)
    assert not answers
    check_run(tmp_path)


def test_naparis_own_question_comes_second_and_may_keep_the_window(
    training: tuple[Any, TrainDock], answers: list[str], settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, dock = training
    window = viewer.window._qt_window
    monkeypatch.setattr(type(window), "closeEvent", lambda self, event: event.ignore())
    answers.append(CLOSE)
    window.close(quit_app=False, confirm_need=False)
    assert not answers
    assert window.isVisible()
    assert dock.session.state == "training"
    settle(lambda: not dock._guard._agreed)
    answers.append(KEEP)  # it asks again
    window.close(quit_app=False, confirm_need=False)
    assert not answers
    monkeypatch.undo()


def test_a_script_is_not_asked(training: tuple[Any, TrainDock], settle: Settle, tmp_path: Path) -> None:
    viewer, _ = training
    viewer.close()  # a question would fail in `answers`, or wait for ever
    ends_within_a_second(settle)
    check_run(tmp_path)


def close_button(viewer: Any, dock: TrainDock) -> QPushButton:
    (button,) = dock.parent().findChildren(QPushButton, CLOSE_BUTTON)
    return button


@pytest.mark.parametrize("floating", [False, True])
def test_the_close_button_of_the_dock_asks(
    training: tuple[Any, TrainDock], answers: list[str], settle: Settle, tmp_path: Path, qtbot: Any, floating: bool
) -> None:
    viewer, dock = training
    if floating:
        dock.parent().setFloating(True)
        qtbot.wait(50)
    answers.append(KEEP)
    QTest.mouseClick(close_button(viewer, dock), Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    settle(lambda: not answers)
    assert dock.session.busy
    assert dock.parent() is not None
    answers.append(CLOSE)
    QTest.mouseClick(close_button(viewer, dock), Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    settle(lambda: not answers and not threads())
    assert not any(isinstance(widget, TrainDock) for widget in viewer.window.dock_widgets.values())
    check_run(tmp_path)


def test_hiding_the_dock_goes_on(training: tuple[Any, TrainDock], settle: Settle) -> None:
    _, dock = training
    dock.parent().hide()
    at = dock.session.step
    settle(lambda: dock.session.step > at)
    dock.session.stop()
    settle(lambda: not dock.session.busy)


def test_nothing_is_asked_without_a_training(training: tuple[Any, TrainDock], settle: Settle) -> None:
    viewer, dock = training
    dock.session.stop()
    settle(lambda: not dock.session.busy)
    user_closes(viewer)
