from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.best import BestModel
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.run_folder.summaries import summary
from napari_impa.engine.training.trainer import Trainer
from napari_impa.work.catalog import load_model

Make = Callable[..., Trainer]


def gaps(*values: float) -> Callable[[IMPA], Mapping[str, float]]:
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
    trainer.keep_best(gaps(0.1, 0.6, -0.4), every=2, floor=0.8)
    hashes, seen = {}, {}
    for event in trainer:
        hashes[event.step] = trainer.model.hash
        if event.gaps:
            seen[event.step] = sum(event.gaps.values()) / 2
    assert seen == pytest.approx({2: 0.1, 4: 0.6, 6: -0.4})
    assert event.message is not None
    assert "best model, of step 4 (gap closed 0.60: 0 is the control, 1 real cells)" in event.message
    best, last = load_model(trainer.run.folder), IMPA.load(trainer.run.last_path)
    assert (best.hash, best.history["steps"], best.history["gap_closed"]) == (hashes[4], 4, pytest.approx(0.6))
    assert best.history["gaps_closed"] == pytest.approx({"high": 0.5, "low": 0.7})
    assert best.history["gap_floor"] == 0.8
    assert (last.hash, last.history["steps"]) == (hashes[6], 6)
    table = trainer.run.gaps
    assert table["step"].tolist() == [2, 4, 6]
    assert table["mean"].tolist() == pytest.approx([0.1, 0.6, -0.4])
    assert table["low"].tolist() == pytest.approx([0.2, 0.7, -0.3])


@pytest.mark.usefixtures("endless")
def test_best_survives_a_stop_and_is_only_beaten_by_a_better_one(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="paper", steps=8)
    trainer.keep_best(gaps(0.5), every=2)
    for event in trainer:
        if event.step == 3:
            trainer.stop()
    assert not event.gaps  # a stopped training is not kept waiting
    best = load_model(trainer.run.folder).hash
    again = make_trainer(recipe="paper", steps=8, resume=True)
    assert again.best.kept == (2, 0.5)
    again.keep_best(gaps(0.3, -2.0, 0.49), every=2)
    list(again)
    assert load_model(again.run.folder).hash == best
    assert again.run.gaps["step"].tolist() == [2, 4, 6, 8]


def scored_earlier(trainer: Trainer) -> None:
    """Let a run be one of a version that kept the model of the smallest distance, with a score that is no gap."""
    trainer.keep_best(gaps(0.5), every=2)
    for event in trainer:
        if event.step == 3:
            trainer.stop()
    model = IMPA.load(trainer.run.model_path)
    for name in ("gap_closed", "gaps_closed"):
        del model.history[name]
    model.history |= {"score": 0.17, "scores": {"high": 0.16, "low": 0.18}}
    model.save(trainer.run.model_path)
    (trainer.run.folder / "gaps.csv").rename(trainer.run.folder / "scores.csv")


@pytest.mark.usefixtures("endless")
def test_after_an_earlier_measure_the_next_score_is_the_best(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="paper", steps=8)
    scored_earlier(trainer)
    run, earlier = trainer.run, load_model(trainer.run.folder).hash
    assert run.best is None
    assert run.gaps.empty
    found = summary(run.folder)
    assert (found.gap_closed, found.of_earlier_measure) == (None, True)
    again = make_trainer(recipe="paper", steps=8, resume=True)
    again.keep_best(gaps(-3.0, -4.0, -5.0), every=2)
    steps = iter(again)
    assert next(steps).step == 4
    again.save()
    assert run.best == (4, -3.0)  # far worse than 0.17 would be, were that a gap
    list(steps)
    assert load_model(run.folder).history["steps"] == 4
    assert load_model(run.folder).hash != earlier
    assert run.gaps["step"].tolist() == [4, 6, 8]
    assert not summary(run.folder).of_earlier_measure


@pytest.mark.usefixtures("endless")
def test_until_then_the_best_of_an_earlier_measure_stays(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="paper", steps=8)
    scored_earlier(trainer)
    earlier = load_model(trainer.run.folder).hash
    again = make_trainer(recipe="paper", steps=8, resume=True)
    again.keep_best(gaps(), every=100)
    steps = iter(again)
    next(steps)
    again.stop()
    (end,) = steps
    assert end.message is not None
    assert f"the best model, by an earlier measure, is {again.run.model_path}" in end.message
    assert load_model(trainer.run.folder).hash == earlier
    assert IMPA.load(trainer.run.last_path).hash != earlier


@pytest.mark.usefixtures("endless")
def test_a_condition_that_cannot_be_scored_does_not_count(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="paper", steps=6)
    found = iter([{"high": math.nan, "low": math.nan}, {"high": math.nan, "low": 0.2}, {"high": 0.1, "low": math.nan}])
    trainer.keep_best(lambda model: next(found), every=2)
    hashes = {event.step: load_model(trainer.run.folder).hash for event in trainer if event.gaps and event.step > 2}
    assert trainer.run.gaps["mean"].tolist() == pytest.approx([math.nan, 0.2, 0.1], nan_ok=True)
    best = load_model(trainer.run.folder)
    assert (best.hash, best.history["steps"], best.history["gaps_closed"]) == (hashes[4], 4, {"low": 0.2})


@pytest.mark.usefixtures("endless")
def test_weights_are_the_same_to_the_bit_whatever_is_kept(make_trainer: Make) -> None:
    trainers = [make_trainer(name, recipe="paper", steps=6) for name in ("never", "rising", "falling")]
    trainers[1].keep_best(gaps(0.1, 0.2, 0.3), every=2)
    trainers[2].keep_best(gaps(0.3, 0.2, 0.1), every=2)
    for trainer in trainers:
        list(trainer)
    assert len({IMPA.load(trainer.run.last_path).hash for trainer in trainers}) == 1
    assert [load_model(trainer.run.folder).history["steps"] for trainer in trainers] == [6, 6, 2]


@pytest.mark.usefixtures("endless")
def test_the_first_stage_does_not_count(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="default", steps=8)  # two steps as an autoencoder
    trainer.keep_best(gaps(*[0.5] * 8), every=1)
    stages = {event.step: (event.stage, bool(event.gaps)) for event in trainer}
    assert {stage for stage, _ in stages.values()} == {"autoencoder", "adversarial"}
    assert all(scored == (stage == "adversarial") for stage, scored in stages.values())


@pytest.mark.usefixtures("endless")
def test_a_training_that_ends_in_the_first_stage_keeps_its_last(make_trainer: Make) -> None:
    trainer = make_trainer(recipe="default", steps=100)
    trainer.keep_best(gaps(), every=1)
    for event in trainer:
        if event.step == 2:
            trainer.stop()
    assert load_model(trainer.run.folder).hash == IMPA.load(trainer.run.last_path).hash


def test_scores_take_little_of_the_time(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(recipe="paper", steps=6)
    trainer.keep_best(gaps(*[0.5] * 6), every=1)
    clock = iter(range(1000))
    slow = SimpleNamespace(monotonic=lambda: 100.0 * next(clock))  # for scores alone
    monkeypatch.setattr("napari_impa.engine.training.run_folder.best.time", slow)
    list(trainer)
    assert trainer.run.gaps["step"].tolist() == [1, 6]  # one score took 100 s of a training of less; the end counts


@given(step=st.floats(0.001, 10), cost=st.floats(0.01, 200))
def test_after_the_first_all_scores_take_at_most_5_percent_of_the_time(step: float, cost: float) -> None:
    seconds, clock, scores = 0.0, 0.0, 0

    def make() -> IMPA:
        nonlocal clock
        clock += cost
        return cast(IMPA, SimpleNamespace(history={}))

    run = cast(Run, SimpleNamespace(append_gaps=lambda *row: None))
    best = BestModel(run, lambda model: {"low": math.nan}, every=83)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari_impa.engine.training.run_folder.best.time", SimpleNamespace(monotonic=lambda: clock))
        for number in range(1, 8300):
            seconds += step
            if best.is_due(number, seconds):
                best.consider(make, number, seconds)
                seconds, scores = seconds + cost, scores + 1
                assert scores == 1 or best.seconds <= 0.05 * seconds + 1e-6
    assert scores >= 1


def test_without_a_score_the_last_model_is_the_model(make_trainer: Make) -> None:
    trainer = make_trainer()
    events = list(trainer)
    assert events[-1].message == f"Training finished after 4 steps; the model is {trainer.run.model_path}."
    assert load_model(trainer.run.folder).hash == IMPA.load(trainer.run.last_path).hash
    assert trainer.run.gaps.empty


def test_scores_are_left_out_where_they_would_take_too_long(tmp_path: Path) -> None:
    best = BestModel(Run(tmp_path), gaps(), every=5)
    assert best.is_due(10, seconds=0.0)
    assert not best.is_due(11, seconds=0.0)
    best.seconds = 3.0  # what scoring has taken so far
    assert best.is_due(10, seconds=60.0)
    assert not best.is_due(10, seconds=59.0)
    best.seconds, best._latest = 2.0, 1.0  # one more would take as long as the last
    assert best.is_due(10, seconds=60.0)
    assert not best.is_due(10, seconds=59.0)
    assert not BestModel(Run(tmp_path)).is_due(10, seconds=60.0)
