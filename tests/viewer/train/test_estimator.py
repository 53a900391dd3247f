from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import napari_impa.engine.training.cost.measure as measuring
import napari_impa.viewer.train.estimator as estimating
from napari_impa.engine.training.cost.budget import Measured
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import OutOfMemoryError
from napari_impa.viewer.train.estimator import Estimator
from napari_impa.watch import Watch

Settle = Callable[..., None]


class Device:
    """Pretends to measure."""

    def __init__(self) -> None:
        self.asked: list[TrainingSettings] = []
        self.largest = "tiny"
        self.go_on = threading.Event()
        self.go_on.set()

    def measure(self, of: Any, settings: TrainingSettings, *, watch: Watch) -> Measured:
        self.asked.append(settings)
        while not self.go_on.wait(0.01):
            watch.check()
        if settings.cells_a_step == 512:
            raise OutOfMemoryError("The memory does not suffice.")
        return Measured(0.5 * settings.cells_a_step / 16, None, "CPU, 4 threads: no GPU", 13_000_000)

    def suggest(self, of: Any, settings: TrainingSettings, *, watch: Watch) -> tuple[str, Measured]:
        return self.largest, self.measure(of, settings, watch=watch)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device()
    monkeypatch.setattr(measuring, "measure", made.measure)
    monkeypatch.setattr(measuring, "suggest_preset", made.suggest)
    monkeypatch.setattr(estimating, "WAIT", 10)
    return made


@pytest.fixture
def estimator(device: Device, qtbot: Any) -> Estimator:
    return Estimator()


@pytest.fixture
def said(estimator: Estimator) -> list[str]:
    texts: list[str] = []
    estimator.said.connect(lambda text, tip: texts.append(text))
    return texts


def test_a_budget_is_said_after_a_measurement(
    estimator: Estimator, said: list[str], device: Device, settle: Settle
) -> None:
    estimator.ask(3, 5, TrainingSettings(minutes=30))
    assert said == ["Measuring how long a step takes …"]
    settle(lambda: not estimator.busy)
    assert said[-1].startswith("30 min ≈ 3,600 steps on the CPU, 4 threads · measured 0.5 s a step\n")
    estimator.ask(3, 5, TrainingSettings(steps=3000))  # another budget costs no measurement
    assert said[-1].startswith("3,000 steps ≈ 25 min on the CPU")
    estimator.ask(3, 5, TrainingSettings(steps=3000, seed=4))
    assert len(device.asked) == 1
    estimator.ask(3, 5, TrainingSettings(steps=3000, batch_size=32))
    settle(lambda: not estimator.busy)
    assert said[-1].startswith("3,000 steps ≈ 50 min on the CPU")
    assert [settings.cells_a_step for settings in device.asked] == [16, 32]


def test_of_quick_changes_only_the_last_is_measured(
    estimator: Estimator, said: list[str], device: Device, settle: Settle
) -> None:
    for count in (2, 4, 8):
        estimator.ask(3, 5, TrainingSettings(minutes=1, batch_size=count))
    settle(lambda: not estimator.busy)
    assert [settings.batch_size for settings in device.asked] == [8]
    assert said.count("Measuring how long a step takes …") == 3


def test_asking_again_does_not_begin_anew(estimator: Estimator, device: Device, settle: Settle) -> None:
    device.go_on.clear()
    estimator.ask(3, 5, TrainingSettings(minutes=1))
    settle(lambda: device.asked)
    estimator.ask(3, 5, TrainingSettings(minutes=2))
    device.go_on.set()
    settle(lambda: estimator.measured is not None)
    assert len(device.asked) == 1


def test_a_change_drops_the_measurement_under_way(
    estimator: Estimator, said: list[str], device: Device, settle: Settle
) -> None:
    device.go_on.clear()
    estimator.ask(3, 5, TrainingSettings(minutes=1))
    settle(lambda: device.asked)
    estimator.ask(3, 5, TrainingSettings(minutes=1, size=48))
    settle(lambda: len(device.asked) == 2)
    device.go_on.set()
    settle(lambda: estimator.measured is not None)
    assert len([text for text in said if "≈" in text]) == 1


def test_stop_ends_the_job(estimator: Estimator, said: list[str], device: Device, settle: Settle) -> None:
    device.go_on.clear()
    estimator.ask(3, 5, TrainingSettings(minutes=1))
    settle(lambda: device.asked)
    estimator.stop()
    settle(lambda: not estimator.busy)
    assert said[-1] == ""
    assert not [thread for thread in threading.enumerate() if "napari-impa estimate" in thread.name]


def test_the_preset_that_fits_is_suggested_once(
    estimator: Estimator, said: list[str], device: Device, settle: Settle
) -> None:
    suggested: list[str] = []
    device.largest = "small"

    def follow(preset: str) -> None:
        suggested.append(preset)
        estimator.ask(3, 5, TrainingSettings(minutes=1, preset=preset), choose_preset=True)

    estimator.suggested.connect(follow)
    estimator.ask(3, 5, TrainingSettings(minutes=1), choose_preset=True)
    settle(lambda: said and "≈" in said[-1])
    assert suggested == ["small"]
    assert len(device.asked) == 1


def test_too_little_memory_and_contradictions_are_said(
    estimator: Estimator, said: list[str], device: Device, settle: Settle
) -> None:
    estimator.ask(3, 5, TrainingSettings(minutes=1, batch_size=512))
    settle(lambda: said[-1].startswith("⚠"))
    assert "does not suffice" in said[-1]
    estimator.complain("dose needs a description.")
    assert said[-1] == "⚠ dose needs a description."
    assert estimator.measured is None


def test_real_steps_in_the_background(estimator: Estimator, monkeypatch: pytest.MonkeyPatch, settle: Settle) -> None:
    monkeypatch.undo()
    estimator.ask(2, 3, TrainingSettings(minutes=1, size=24, batch_size=1, threads=1))
    settle(lambda: estimator.measured is not None)
    assert estimator.measured is not None
    assert estimator.measured.seconds_per_step > 0
