"""The states of a training in the background, in order; one at a time; nothing is left when it has ended."""

from __future__ import annotations

import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from napari.utils import progress
from napari.utils.notifications import notification_manager

import napari_impa.work.training as training
from napari_impa.cells.simulated.screen import write_simulated_screen
from napari_impa.cells.store import open_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import TrainingError
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.train.session import Advance, TrainingSession
from napari_impa.work.training import train_plan
from napari_impa.work.training_outcome import Trained
from napari_impa.work.training_plan import Plan, plan_of

Settle = Callable[..., None]


def plan(source: Path, folder: Path, **more: Any) -> Plan:
    settings = TrainingSettings(**{"size": 48, "steps": 3, "batch_size": 2, "device": "cpu", **more})
    return Plan(source, ("compound",), "DMSO", settings, folder)


@pytest.fixture
def session(qtbot: Any, settle: Settle) -> Iterator[TrainingSession]:
    session = TrainingSession()
    yield session
    session.abandon()
    settle(lambda: not session.busy)


@pytest.fixture
def states(session: TrainingSession) -> list[str]:
    found: list[str] = []
    session.state_changed.connect(found.append)
    return found


@pytest.fixture
def reports(session: TrainingSession) -> list[Any]:
    found: list[Any] = []
    session.reported.connect(found.append)
    return found


@pytest.fixture
def outcomes(session: TrainingSession) -> list[Any]:
    found: list[Any] = []
    session.ended.connect(found.append)
    return found


def going(reports: list[Any]) -> bool:
    return any(isinstance(report, Advance) for report in reports)


def said(words: str) -> bool:
    return any(words in str(record.message) for record in notification_manager.records)


def test_states_of_a_training_on_whole_fields(
    session: TrainingSession, states: list[str], outcomes: list[Any], tmp_path: Path, settle: Settle
) -> None:
    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    session.start(plan(screen, tmp_path / "run"))
    assert session.busy
    (bar,) = progress._all_instances
    assert bar.desc.startswith("Training run")
    settle(lambda: outcomes)
    assert states == ["starting", "cropping", "training", "ready"]
    assert isinstance(outcomes[0], Trained)
    assert not progress._all_instances
    assert not session.busy
    assert said("finished after 3 steps")


def test_pause_and_go_on(
    session: TrainingSession, states: list[str], reports: list[Any], outcomes: list[Any], cells_path: Path,
    tmp_path: Path, settle: Settle, qtbot: Any,
) -> None:  # fmt: skip
    session.start(plan(cells_path, tmp_path / "run", steps=900))
    settle(lambda: going(reports))
    session.pause()
    settle(lambda: session.state == "paused")
    paused = next(report.event for report in reports if isinstance(report, Advance) and report.event.paused)
    assert paused.step == session.step
    assert Run(tmp_path / "run").history["step"].max() == paused.step
    count = len(reports)
    qtbot.wait(300)
    assert len(reports) == count
    session.resume()
    assert session.state == "training"
    settle(lambda: session.step > paused.step)
    session.pause()
    settle(lambda: session.state == "paused")
    session.stop()
    assert session.state == "stopping"
    settle(lambda: outcomes)
    assert states == ["starting", "training", "paused", "training", "paused", "stopping", "ready"]
    assert "stopped after" in outcomes[0].message


def test_stop_is_obeyed_within_one_step(
    session: TrainingSession, reports: list[Any], outcomes: list[Any], cells_path: Path, tmp_path: Path,
    settle: Settle, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made: list[int] = []
    step = training.Trainer._one_step

    def counted(trainer: Any) -> Any:
        made.append(trainer.step)
        return step(trainer)

    monkeypatch.setattr(training.Trainer, "_one_step", counted)
    session.start(plan(cells_path, tmp_path / "run", steps=900))
    settle(lambda: going(reports))
    before = len(made)
    session.stop()
    settle(lambda: outcomes)
    assert len(made) <= before + 1


def test_two_trainings_at_once_are_refused(
    session: TrainingSession, reports: list[Any], cells_path: Path, tmp_path: Path, settle: Settle, qtbot: Any
) -> None:
    other = TrainingSession()
    session.start(plan(cells_path, tmp_path / "run", steps=900))
    for refused in (session, other):
        with pytest.raises(TrainingError, match="one at a time"):
            refused.start(plan(cells_path, tmp_path / "other"))
    assert other.state == "ready"
    session.stop()
    settle(lambda: not session.busy)
    other.start(plan(cells_path, tmp_path / "other", steps=1))
    settle(lambda: not other.busy)
    assert Run(tmp_path / "other").model_path.is_file()


def test_a_run_that_another_process_trains_in_is_refused(
    session: TrainingSession, outcomes: list[Any], cells_path: Path, tmp_path: Path, settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from napari_impa.engine.training.run_folder.lock import RunLock

    monkeypatch.setattr("napari_impa.engine.training.run_folder.lock.PATIENCE", 0.05)
    train_plan(plan(cells_path, tmp_path / "run", steps=1))
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    session.start(plan(cells_path, tmp_path / "run", steps=2))
    settle(lambda: outcomes)
    lock.release()
    assert isinstance(outcomes[0], Failure)
    assert "Another training" in outcomes[0].message
    assert said("Another training")


@pytest.mark.parametrize("end", ["end", "stop", "abandon", "failure"])
def test_nothing_is_left_of_a_training(
    session: TrainingSession, reports: list[Any], outcomes: list[Any], cells_path: Path, tmp_path: Path,
    settle: Settle, monkeypatch: pytest.MonkeyPatch, end: str,
) -> None:  # fmt: skip
    alive: list[weakref.ref[Any]] = []

    class Watched(training.Trainer):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            alive.extend(weakref.ref(one) for one in (self, self._step.networks, self._step.optimizers["maker"]))

        def _one_step(self) -> Any:
            if end == "failure" and self.step == 1:
                raise RuntimeError("shape")
            return super()._one_step()

    monkeypatch.setattr(training, "Trainer", Watched)
    threads = set(threading.enumerate())
    session.start(plan(cells_path, tmp_path / "run", steps=2 if end == "end" else 900))
    if end in ("stop", "abandon"):
        settle(lambda: going(reports))
        getattr(session, end)()
    settle(lambda: outcomes)
    reports.clear()
    assert len(alive) == 3
    assert [one() for one in alive] == [None] * 3
    assert set(threading.enumerate()) <= threads
    assert not progress._all_instances


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gets_its_memory_back(
    session: TrainingSession, outcomes: list[Any], cells_path: Path, tmp_path: Path, settle: Settle
) -> None:
    before = torch.cuda.memory_allocated()
    session.start(plan(cells_path, tmp_path / "run", device="cuda"))
    settle(lambda: outcomes)
    assert isinstance(outcomes[0], Trained)
    assert torch.cuda.memory_allocated() <= before
    assert torch.cuda.memory_reserved() <= max(before, 32 << 20)


def test_dock_and_command_line_give_the_same_weights(cells_path: Path, tmp_path: Path) -> None:
    """The same settings with one seed, the one under the window's session, the other from a shell."""
    trained = train_plan(plan(cells_path, tmp_path / "dock", seed=3, threads=1, hold_out={"plate": ["sim-B"]}))
    command = [sys.executable, "-m", "napari_impa", "train", cells_path, "--out", tmp_path / "line", "--label"]
    command += ["compound", "--control", "DMSO", "--hold-out", "plate=sim-B", "--size", "48", "--steps", "3"]
    command += ["--batch-size", "2", "--device", "cpu", "--seed", "3", "--threads", "1"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    one, other = IMPA.load(trained.model_path), IMPA.load(tmp_path / "line" / "model.impa")
    assert one.hash == other.hash
    last = [IMPA.load(tmp_path / name / "last.impa").networks.state_dict() for name in ("dock", "line")]
    assert all(torch.equal(value, last[1][name]) for name, value in last[0].items())


def test_cells_from_layers_are_kept_beside_the_run_which_resumes_by_its_folder(
    cells_path: Path, tmp_path: Path
) -> None:
    cut = open_cells(cells_path)
    given = Plan(
        Path("layers"), ("compound",), "DMSO", plan(cells_path, tmp_path).settings, tmp_path / "run", cells=cut
    )
    train_plan(given)
    assert len(open_cells(tmp_path / "run.cells")) == len(cut)
    again = plan_of(tmp_path / "run")
    assert (again.source, again.label, again.control) == (tmp_path / "run.cells", ("compound",), "DMSO")
    train_plan(replace(again, settings=replace(again.settings, steps=5)))
    assert Run(tmp_path / "run").history["step"].tolist() == [1, 2, 3, 4, 5]


def test_a_run_whose_images_are_gone_says_so(cells_path: Path, tmp_path: Path) -> None:
    train_plan(plan(cells_path, tmp_path / "run", steps=1))
    run = Run(tmp_path / "run")
    run.keep_source(tmp_path / "elsewhere", ["compound"], "DMSO")
    with pytest.raises(TrainingError, match=r"are not at .*elsewhere any more"):
        plan_of(run.folder)
    (run.folder / "source.json").unlink()
    with pytest.raises(TrainingError, match="are not known"):
        plan_of(run.folder)


def test_going_on_from_a_model(cells_path: Path, tmp_path: Path) -> None:
    first = train_plan(plan(cells_path, tmp_path / "first", steps=1))
    second = replace(plan(cells_path, tmp_path / "second", steps=1), start_from=tmp_path / "first")
    train_plan(second)
    taken = Run(tmp_path / "second").started_from
    assert taken is not None
    assert taken["hash"] == IMPA.load(first.model_path).hash
    train_plan(replace(second, settings=replace(second.settings, steps=2)))  # resumed, from the same plan
    assert Run(tmp_path / "second").history["step"].tolist() == [1, 2]
