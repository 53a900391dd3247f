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
from napari_impa.watch import CancelledError, Token
from napari_impa.work.training_plan import Cropping, Plan, Progress, Started, train_plan


def settings(**more: object) -> TrainingSettings:
    return TrainingSettings(**{"size": 48, "steps": 2, "batch_size": 2, **more})


def plan(source: Path, folder: Path, **more: object) -> Plan:
    chosen = settings(**more)
    return Plan(source, ("compound",), "DMSO", chosen, folder)


def test_training_on_cells(cells_path: Path, tmp_path: Path) -> None:
    reports: list[object] = []
    trained = train_plan(Token(reports.append), plan(cells_path, tmp_path / "run"))
    started = next(report for report in reports if isinstance(report, Started))
    assert (started.cells, started.steps_done) == (24, 0)
    points = [step for report in reports if isinstance(report, Progress) for step, _ in report.points]
    assert points == [1, 2]
    assert reports[-1].event.finished
    assert "2 steps" in trained.message
    model = IMPA.load(trained.model_path)
    assert set(model.conditions) == {"shrinkage", "mitotic arrest"}
    assert len(trained.cells) == 24


def test_training_on_whole_fields_and_resuming(tmp_path: Path) -> None:
    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    reports: list[object] = []
    first = train_plan(Token(reports.append), plan(screen, tmp_path / "run"))
    crops = tmp_path / "run.cells"
    assert [(r.done, r.total) for r in reports if isinstance(r, Cropping)] == [(1, 2), (2, 2)]
    assert (crops / "meta.json").is_file()
    written = (crops / "pixels.npy").stat().st_mtime_ns
    again = train_plan(Token(), plan(screen, tmp_path / "run", steps=3))
    assert again.model_path == first.model_path
    assert Run(tmp_path / "run").history["step"].tolist() == [1, 2, 3]
    assert (crops / "pixels.npy").stat().st_mtime_ns == written  # not cropped anew
    with pytest.raises(TrainingError, match="other settings"):
        train_plan(Token(), plan(screen, tmp_path / "run", seed=1))


def test_stopping_while_cropping_leaves_nothing(tmp_path: Path) -> None:
    screen = write_simulated_screen(
        tmp_path / "screen", size=200, batches=1, conditions=("DMSO", "shrinkage"), masks=True
    )
    token = Token(lambda report: token.cancel())
    with pytest.raises(CancelledError):
        train_plan(token, plan(screen, tmp_path / "run"))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["screen"]


def test_stopped_training_keeps_its_model(cells_path: Path, tmp_path: Path) -> None:
    def stop(report: object) -> None:
        if isinstance(report, Progress) and report.event.step >= 3:
            token.cancel()

    token = Token(stop)
    trained = train_plan(token, plan(cells_path, tmp_path / "run", steps=500))
    assert "stopped" in trained.message
    assert 3 <= IMPA.load(trained.model_path).history["steps"] < 50
    resumed = train_plan(Token(), plan(cells_path, tmp_path / "run", steps=5))
    assert resumed.model_path == trained.model_path


def test_one_condition_is_refused_before_cropping(tmp_path: Path) -> None:
    screen = write_simulated_screen(tmp_path / "screen", size=200, batches=1, conditions=("DMSO",))
    with pytest.raises(ConditionError, match="one condition"):
        train_plan(Token(), plan(screen, tmp_path / "run"))
    assert not (tmp_path / "run.cells").exists()


def test_model_is_freed_after_training(cells_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[object]] = []

    class Watched(training.Trainer):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)  # type: ignore[arg-type]
            alive.append(weakref.ref(self._step.networks))

    monkeypatch.setattr(training, "Trainer", Watched)
    reports: list[object] = []
    trained = train_plan(Token(reports.append), plan(cells_path, tmp_path / "run"))
    gc.collect()
    assert alive[0]() is None
    assert trained.model_path.is_file()
    samples = next(r.event.samples for r in reports if isinstance(r, Progress) and r.event.samples is not None)
    assert isinstance(samples.control, np.ndarray)
