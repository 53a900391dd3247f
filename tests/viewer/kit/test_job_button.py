"""A button with a job behind it: what it says, what can be pressed, and how the job ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from napari_impa.errors import CellsError
from napari_impa.viewer.kit.job_button import JobButton
from napari_impa.watch import Token

Settle = Callable[..., None]


@pytest.fixture
def button(qtbot: Any) -> JobButton:
    button = JobButton("Report", stop="Stop the report")
    qtbot.addWidget(button)
    button.show()
    return button


def heard(button: JobButton) -> list[object]:
    """What it emits, in order."""
    told: list[object] = []
    button.asked.connect(lambda: told.append("asked"))
    button.stopped.connect(lambda: told.append("stopped"))
    button.succeeded.connect(told.append)
    button.failed.connect(lambda failure: told.append(failure.message))
    return told


def test_it_asks_runs_and_gives_the_result(button: JobButton, settle: Settle) -> None:
    told, go = heard(button), threading.Event()

    def work(token: Token, factor: int) -> int:
        token.report(3, 4, "5 %value of µM")
        go.wait(10)
        return 6 * factor

    button.button.click()
    assert told == ["asked"]
    assert not button.bar.isVisible()
    button.start(work, 7)
    settle(lambda: button.bar.value() == 3)
    assert button.bar.text().replace("\u200b", "") == "5 %value of µM"
    assert (button.bar.maximum(), button.button.text()) == (4, "Stop the report")
    button.allow(False)  # what is chosen meanwhile does not keep it from being stopped
    assert button.button.isEnabled()
    go.set()
    settle(lambda: not button.running)
    assert told == ["asked", 42]
    assert not button.bar.isVisible()
    assert button.button.text() == "Report"
    assert not button.button.isEnabled()


def test_pressing_again_stops_it(button: JobButton, settle: Settle) -> None:
    told, begun, checked = heard(button), threading.Event(), threading.Event()

    def work(token: Token) -> None:
        begun.set()
        checked.wait(10)
        token.check()

    button.start(work)
    assert begun.wait(10)
    button.button.click()
    assert button.button.text() == "Stopping …"
    assert not button.button.isEnabled()
    checked.set()
    settle(lambda: not button.running)
    assert told == ["stopped"]
    assert button.button.isEnabled()


def test_a_failure_is_told_once(button: JobButton, settle: Settle) -> None:
    told = heard(button)

    def work(token: Token) -> None:
        raise CellsError("No room.")

    button.start(work)
    settle(lambda: not button.running)
    assert told == ["No room."]
    assert button.button.text() == "Report"
