from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

import napari_impa.work.training as training
from napari_impa.cells.simulated.screen import write_simulated_screen
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ConditionError, TrainingError
from napari_impa.watch import CancelledError, Progress, Token
from napari_impa.work.training import Training, train_plan
from napari_impa.work.training_plan import Plan


def settings(**more: object) -> TrainingSettings:
    return TrainingSettings(**{"size": 48, "steps": 2, "batch_size": 2, **more})


def plan(source: Path, folder: Path, **more: object) -> Plan:
    chosen = settings(**more)
    return Plan(source, ("compound",), "DMSO", chosen, folder)


def test_training_on_cells(cells_path: Path, tmp_path: Path) -> None:
    training = Training(plan(cells_path, tmp_path / "run"))
    assert (training.start.cells, training.start.steps_done) == (24, 0)
    assert training.start.counts == {"DMSO": 8, "mitotic arrest": 8, "shrinkage": 8}
    events = list(training)
    assert [event.step for event in events if event.losses] == [1, 2]
    assert [event.finished for event in events] == [False, False, True]
    trained = training.outcome
    assert "2 steps" in trained.message
    assert trained.complete
    model = IMPA.load(trained.model_path)
    assert set(model.conditions) == {"shrinkage", "mitotic arrest"}
    assert len(trained.cells) == 24


def test_training_on_whole_fields_and_resuming(tmp_path: Path) -> None:
    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    reports: list[object] = []
    first = train_plan(plan(screen, tmp_path / "run"), watch=Token(reports.append))
    crops = tmp_path / "run.cells"
    told = [(r.done, r.of, r.what.split()[-1]) for r in reports if isinstance(r, Progress)]
    assert told[:2] == [(1, 2, "cells"), (2, 2, "cells")]
    assert [(done, of) for done, of, _ in told[2:]] == [(1, 2), (2, 2), (2, 2)]  # steps
    assert (crops / "meta.json").is_file()
    written = (crops / "pixels.npy").stat().st_mtime_ns
    again = train_plan(plan(screen, tmp_path / "run", steps=3))
    assert again.model_path == first.model_path
    assert Run(tmp_path / "run").history["step"].tolist() == [1, 2, 3]
    assert (crops / "pixels.npy").stat().st_mtime_ns == written  # not cropped anew
    with pytest.raises(TrainingError, match="other settings"):
        train_plan(plan(screen, tmp_path / "run", seed=1))


def test_stopping_while_cropping_leaves_nothing(tmp_path: Path) -> None:
    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    token = Token(lambda report: token.cancel())
    with pytest.raises(CancelledError):
        train_plan(plan(screen, tmp_path / "run"), watch=token)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["screen"]


def test_stopped_training_keeps_its_model(cells_path: Path, tmp_path: Path) -> None:
    token = Token(lambda report: token.cancel() if report.done >= 3 else None)
    trained = train_plan(plan(cells_path, tmp_path / "run", steps=500), watch=token)
    assert "stopped" in trained.message
    assert not trained.complete
    assert 3 <= IMPA.load(trained.model_path).history["steps"] < 50
    resumed = train_plan(plan(cells_path, tmp_path / "run", steps=5))
    assert resumed.model_path == trained.model_path


def test_one_condition_is_refused_before_cropping(tmp_path: Path) -> None:
    screen = write_simulated_screen(tmp_path / "screen", size=200, batches=1, conditions=("DMSO",))
    with pytest.raises(ConditionError, match="one condition"):
        train_plan(plan(screen, tmp_path / "run"))
    assert not (tmp_path / "run.cells").exists()


def test_model_is_freed_after_training(cells_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[object]] = []

    class Watched(training.Trainer):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)  # type: ignore[arg-type]
            alive.append(weakref.ref(self._step.networks))

    monkeypatch.setattr(training, "Trainer", Watched)
    ready = Training(plan(cells_path, tmp_path / "run"))
    samples = [event.samples for event in ready if event.samples is not None]
    trained = ready.outcome
    del ready
    gc.collect()
    assert alive[0]() is None
    assert trained.model_path.is_file()
    assert isinstance(samples[0].control, np.ndarray)
