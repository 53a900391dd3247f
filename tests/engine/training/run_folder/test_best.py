from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.best import BestModel
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.trainer import Trainer
from napari_impa.work.catalog import load_model

Make = Callable[..., Trainer]


def scores(*values: float) -> Callable[[IMPA], Mapping[str, float]]:
    """A score that gives these means in turn."""
    turn: Iterator[float] = iter(values)

    def score(model: IMPA) -> dict[str, float]:
        value = next(turn)
        return {"high": value - 0.1, "low": value + 0.1}

    return score


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scores take any time."""
    monkeypatch.setattr("napari_impa.engine.training.run_folder.best.MOST_TIME", float("inf"))


@pytest.mark.usefixtures("endless")
def test_best_and_last_model_are_kept(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="paper", steps=6)
    trainer.keep_best(scores(0.9, 0.4, 0.6), every=2)
    hashes, seen = {}, {}
    for event in trainer:
        hashes[event.step] = trainer.model.hash
        if event.scores:
            seen[event.step] = sum(event.scores.values()) / 2
    assert seen == pytest.approx({2: 0.9, 4: 0.4, 6: 0.6})
    assert event.message is not None
    assert "best model, of step 4 (held-out score 0.400)" in event.message
    best, last = load_model(trainer.run.folder), IMPA.load(trainer.run.last_path)
    assert (best.hash, best.history["steps"], best.history["score"]) == (hashes[4], 4, pytest.approx(0.4))
    assert (last.hash, last.history["steps"]) == (hashes[6], 6)
    table = trainer.run.scores
    assert table["step"].tolist() == [2, 4, 6]
    assert table["mean"].tolist() == pytest.approx([0.9, 0.4, 0.6])
    assert table["low"].tolist() == pytest.approx([1.0, 0.5, 0.7])


@pytest.mark.usefixtures("endless")
def test_best_survives_a_stop_and_is_only_beaten_by_a_better_one(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="paper", steps=8)
    trainer.keep_best(scores(0.5), every=2)
    for event in trainer:
        if event.step == 3:
            trainer.stop()
    assert not event.scores  # a stopped training is not kept waiting
    best = load_model(trainer.run.folder).hash
    again = make_trainer(recipe="paper", steps=8, resume=True)
    assert again.best.kept == (2, 0.5)
    again.keep_best(scores(0.7, 0.6, 0.51), every=2)
    list(again)
    assert load_model(again.run.folder).hash == best
    assert again.run.scores["step"].tolist() == [2, 4, 6, 8]


@pytest.mark.usefixtures("endless")
def test_the_first_stage_does_not_count(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="default", steps=8)  # two steps as an autoencoder
    trainer.keep_best(scores(*[0.5] * 8), every=1)
    stages = {event.step: (event.stage, bool(event.scores)) for event in trainer}
    assert {stage for stage, _ in stages.values()} == {"autoencoder", "adversarial"}
    assert all(scored == (stage == "adversarial") for stage, scored in stages.values())


@pytest.mark.usefixtures("endless")
def test_a_training_that_ends_in_the_first_stage_keeps_its_last(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="default", steps=100)
    trainer.keep_best(scores(), every=1)
    for event in trainer:
        if event.step == 2:
            trainer.stop()
    assert load_model(trainer.run.folder).hash == IMPA.load(trainer.run.last_path).hash


def test_scores_take_little_of_the_time(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(recipe="paper", steps=6)
    trainer.keep_best(scores(*[0.5] * 6), every=1)
    clock = iter(range(1000))
    slow = SimpleNamespace(monotonic=lambda: 100.0 * next(clock))  # for scores alone
    monkeypatch.setattr("napari_impa.engine.training.run_folder.best.time", slow)
    list(trainer)
    assert trainer.run.scores["step"].tolist() == [1, 6]  # one score took 100 s of a training of less; the end counts


def test_without_a_score_the_last_model_is_the_model(make_trainer: Make) -> None:
    trainer = make_trainer()
    events = list(trainer)
    assert events[-1].message == f"Training finished after 4 steps; the model is {trainer.run.model_path}."
    assert load_model(trainer.run.folder).hash == IMPA.load(trainer.run.last_path).hash
    assert trainer.run.scores.empty


def test_scores_are_left_out_where_they_would_take_too_long(tmp_path: Path) -> None:
    best = BestModel(Run(tmp_path), scores(), every=5)
    assert best.is_due(10, seconds=0.0)
    assert not best.is_due(11, seconds=0.0)
    best.seconds = 3.0  # what scoring has taken so far
    assert best.is_due(10, seconds=60.0)
    assert not best.is_due(10, seconds=59.0)
    assert not BestModel(Run(tmp_path)).is_due(10, seconds=60.0)
