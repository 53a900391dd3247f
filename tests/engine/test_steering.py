"""Pause, go on, stop and leave, from another thread while a training runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from napari_impa.engine.model import tensor_file
from napari_impa.engine.steering import Abandoned, Steering
from napari_impa.engine.training import stopwatch
from napari_impa.engine.training.run_folder.lock import RunLock, is_locked
from napari_impa.engine.training.steps import step
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import TrainingError

Make = Callable[..., Trainer]


def in_thread(trainer: Trainer, seen: list[Any]) -> threading.Thread:
    thread = threading.Thread(target=lambda: seen.extend(trainer))
    thread.start()
    return thread


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_paused_training_waits_saved_and_its_time_does_not_count(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = 0.0
    monkeypatch.setattr(stopwatch, "monotonic", lambda: time.monotonic() + away)
    trainer, seen = make_trainer(steps=4), []
    events = iter(trainer)
    next(events)
    trainer.pause()
    paused = next(events)
    assert (paused.paused, paused.step, paused.finished) == (True, 1, False)
    assert tensor_file.read_header(trainer.run.checkpoint_path)["step"] == 1
    thread = threading.Thread(target=lambda: seen.extend(events))
    thread.start()
    time.sleep(0.3)
    assert not seen
    away = 1000.0
    trainer.go_on()
    thread.join(20)
    assert [event.step for event in seen] == [2, 3, 4, 4]
    assert paused.seconds <= seen[-1].seconds < 1000
    assert trainer.run.history["step"].tolist() == [1, 2, 3, 4]


def test_a_pause_changes_no_weight(make_trainer: Make) -> None:
    whole, broken = make_trainer("whole"), make_trainer("broken")
    list(whole)
    for event in broken:
        if event.step == 2 and not event.paused:
            broken.pause()
        elif event.paused:
            broken.go_on()
    assert broken.model.hash == whole.model.hash


@pytest.mark.parametrize("end", ["stop", "abandon"])
def test_a_pause_ends_when_the_training_is_stopped(make_trainer: Make, end: str) -> None:
    trainer, seen = make_trainer(steps=50), []
    trainer.pause()
    thread = in_thread(trainer, seen)
    wait_for(lambda: seen or trainer.run.model_path.is_file())
    getattr(trainer, end)()
    thread.join(5)
    assert not thread.is_alive()
    assert make_trainer(steps=50, resume=True).step == 0


def test_leaving_ends_a_short_step_and_saves_it(make_trainer: Make) -> None:
    trainer = make_trainer(steps=50)
    events = iter(trainer)
    next(events), next(events)
    trainer.steering.abandon(grace=60)
    (last,) = events
    assert last.finished
    assert "left at step 2; the run goes on from step 2" in last.message
    assert make_trainer(steps=50, resume=True).step == 2


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_leaving_does_not_wait_for_a_long_step(make_trainer: Make, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A step of which every convolution (or the gradient of every one) takes half a second is left at once."""
    trainer, seen = make_trainer(steps=50, checkpoint_seconds=0), []
    events = iter(trainer)
    next(events), next(events)  # the checkpoint is of step 1
    before = trainer.run.checkpoint_path.read_bytes()
    trainer.settings = type(trainer.settings)(**{**trainer.settings.to_json(), "checkpoint_seconds": 1000.0})
    began = threading.Event()

    def slowly(*_: Any) -> None:
        began.set()
        time.sleep(0.25)

    for module in trainer._step.networks.generator.modules():
        if isinstance(module, torch.nn.Conv2d):
            if where == "forward":
                module.register_forward_hook(slowly)
            else:
                module.weight.register_hook(slowly)
    thread = threading.Thread(target=lambda: seen.extend(events))
    thread.start()
    assert began.wait(20)
    asked = time.monotonic()
    trainer.abandon()
    thread.join(20)
    assert time.monotonic() - asked < 1.0
    assert [event.finished for event in seen] == [True]
    assert "the run goes on from step 1 when resumed" in seen[0].message
    assert trainer.run.checkpoint_path.read_bytes() == before
    monkeypatch.undo()
    resumed, whole = make_trainer(steps=4, resume=True), make_trainer("whole")
    list(resumed), list(whole)
    assert resumed.model.hash == whole.model.hash


def test_abandoned_is_no_runtime_error() -> None:
    """Which a training takes for a device out of memory, or napari's workers swallow."""
    assert not issubclass(Abandoned, RuntimeError)
    steering = Steering()
    steering.check()
    steering.abandon(grace=0)
    assert (steering.stopped, steering.abandoned) == (True, True)
    with pytest.raises(Abandoned):
        steering.check()


def test_watching_changes_no_number(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = make_trainer("watched")
    list(watched)
    monkeypatch.setattr(step, "interruptible", lambda *_: None)
    plain = make_trainer("plain")
    list(plain)
    assert watched.model.hash == plain.model.hash


# ---- one training at a time -----------------------------------------------------------------------------------------


def test_a_run_folder_that_is_being_trained_in_is_refused(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_impa.engine.training.run_folder.lock.PATIENCE", 0.05)
    trainer = make_trainer(steps=50)
    assert not is_locked(trainer.run.folder)
    events: Iterator[Any] = iter(trainer)
    next(events)
    assert is_locked(trainer.run.folder)
    history = trainer.run.history
    with pytest.raises(TrainingError, match=r"Another training \(process \d+\) is writing to"):
        make_trainer(steps=50, resume=True)
    assert trainer.run.history.equals(history)
    trainer.stop()
    list(events)
    assert not is_locked(trainer.run.folder)
    assert make_trainer(steps=50, resume=True).step == 1


def test_a_lock_of_a_process_that_was_killed_counts_no_more(make_trainer: Make) -> None:
    trainer = make_trainer()
    (trainer.run.folder / "training.lock").write_text("4194304")
    assert not is_locked(trainer.run.folder)
    RunLock(trainer.run.folder).acquire()


def test_a_training_that_fails_gives_its_lock_back(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no")

    trainer = make_trainer()
    monkeypatch.setattr(step.Step, "__call__", fail)
    with pytest.raises(ValueError, match="no"):
        list(trainer)
    assert not is_locked(trainer.run.folder)
