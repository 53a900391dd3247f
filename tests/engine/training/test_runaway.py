"""When a training is known to have lost its way, and that it goes back, goes on with lower rates, and stops at last."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.cells.store import Cells
from napari_impa.engine.model import tensor_file
from napari_impa.engine.training import runaway
from napari_impa.engine.training.presets import PRESETS
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.engine.training.runaway import CHANCE, FAR, LATEST, RIGHT, USUAL, Lost, Runaway
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.rates import RateFactors
from napari_impa.engine.training.steps.step import Step
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import TrainingError


def look_at(values: Iterable[float], name: str = "real", watching: Runaway | None = None) -> list[Lost | None]:
    watching = watching or Runaway()
    return [watching.look({name: value}) for value in values]


# ---- when a training is lost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["real", "fake", "mismatch", "adversarial", "reconstruction", "r1"])
def test_a_loss_that_stays_far_above_what_is_usual_has_run_away(name: str) -> None:
    found = look_at([0.5] * 100 + [22_264.0] * LATEST, name)
    first = next(number for number, lost in enumerate(found) if lost)
    assert first == 100 + LATEST // 2  # once most of the latest values are far
    assert found[first] == Lost(
        f"loss {name} at 22,264, usually 0.5", of_discriminator=name in ("real", "fake", "mismatch", "adversarial")
    )


def test_a_spike_of_a_few_steps_mends_itself() -> None:
    watching = Runaway()
    assert look_at([0.5] * 100 + [1080.0] * (LATEST // 2) + [0.5] * 100, watching=watching) == [None] * 208
    assert not watching.suspects


def test_weights_are_suspect_for_a_while_after_a_loss_was_far_away() -> None:
    watching = Runaway()
    for value, suspect in ((0.5, False), (FAR, True), *[(0.5, True)] * (LATEST - 1), (0.5, False)):
        look_at([value], watching=watching)
        assert watching.suspects is suspect


@given(st.lists(st.floats(0, FAR * CHANCE), max_size=80))
def test_losses_that_keep_below_fifty_times_chance_never_run_away(values: list[float]) -> None:
    assert not any(look_at(values))


def test_what_is_usual_may_be_high_but_not_for_answers_that_began_so() -> None:
    assert not any(look_at([900.0] * 400, "style_match"))
    assert not any(look_at([900.0] * 100 + [9000.0] * 100, "style_match"))
    assert any(look_at([900.0] * 100 + [50_000.0] * 16, "style_match"))
    found = look_at([900.0] * LATEST)
    assert found[-1] == Lost("loss real at 900, where 0.69 is chance", of_discriminator=True)
    assert not any(found[:-1])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_said_at_once(bad: float) -> None:
    assert Runaway().look({"real": 0.5, "cycle": bad, "style": bad}) == Lost("loss cycle, style", to_nan=True)


def answers(step: int, **losses: float) -> dict[str, float]:
    """Losses of a discriminator that is right, but for a few steps in which it errs."""
    return {"real": 0.5 if step % 10 == 3 else RIGHT / 2, "fake": RIGHT / 3, "adversarial": 7.0, **losses}


def test_a_discriminator_that_is_always_right_is_said() -> None:
    found = [watching.look(answers(step)) for watching in [Runaway()] for step in range(USUAL + 20)]
    assert not any(found[: USUAL - 1])
    assert found[USUAL - 1] == Lost("the discriminator is as good as always right", of_discriminator=True)


def test_a_discriminator_errs_enough_where_it_errs_in_one_thing_or_plays_against_nothing() -> None:
    for losses in ({"mismatch": 2 * RIGHT}, {"fake": 2 * RIGHT}):
        watching = Runaway()
        assert not any(watching.look(answers(step, **losses)) for step in range(2 * USUAL))
    watching = Runaway()  # while the networks learn as an autoencoder
    assert not any(watching.look({"mismatch": 0.0, "reconstruction": 0.1}) for _ in range(2 * USUAL))


@given(st.lists(st.sampled_from([0.0, 0.4, 20.0, 1e3, 1e6]), max_size=200), st.integers(0, 200))
def test_it_goes_on_as_it_was(values: list[float], at: int) -> None:
    whole = look_at(values)
    first, second = Runaway(), Runaway()
    before = look_at(values[:at], watching=first)
    second.restore(json.loads(json.dumps(first.values())))
    assert before + look_at(values[at:], watching=second) == whole


def test_rates_are_lowered_of_what_ran_away() -> None:
    assert Lost("", of_discriminator=True).lowered(RateFactors()) == (0.2, 1.0)
    assert Lost("").lowered(RateFactors(0.5, 1.0)) == (0.1, 0.2)


# ---- what a training does then --------------------------------------------------------------------------------------

Make = Callable[..., Trainer]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four values tell whether a loss has run away, so that a test is quick."""
    monkeypatch.setattr(runaway, "LATEST", 4)


@pytest.fixture
def make(cells: Cells, tmp_path: Path, hasty: None) -> Make:
    """Make a trainer of 10 steps, from the third on in the second stage, saved after each."""

    def made(folder: str | Path = "run", *, times: float = 1.0, resume: bool = False, **changes: Any) -> Trainer:
        recipe = DefaultRecipe(autoencoder=0.2, backward_cycle=0.0, critic_rate=times * DefaultRecipe().critic_rate)
        options = {"size": 24, "batch_size": 2, "style_dim": 8, "device": "cpu", "checkpoint_seconds": 0.0, "steps": 10}
        settings = TrainingSettings(**{**options, **changes})
        return Trainer(cells, settings, tmp_path / folder, recipe=recipe, resume=resume, sample_every=10**6)

    return made


def spoil(monkeypatch: pytest.MonkeyPatch, number: int, value: float, *, always: bool = False) -> None:
    """Let the loss `pairing` be another from step `number` on, unless rates are lower by then, or then too."""
    make = Step.__call__

    def spoiled(step: Any, batch: Any, now: int, *rest: Any, **more: Any) -> Any:
        losses = make(step, batch, now, *rest, **more)
        if now >= number and "pairing" in losses and (always or step.lowered == RateFactors()):
            losses["pairing"] = value
        return losses

    monkeypatch.setattr(Step, "__call__", spoiled)


def rates(trainer: Trainer) -> dict[str, float]:
    return {name: optimizer.param_groups[0]["lr"] for name, optimizer in trainer._step.optimizers.items()}


def assert_same(one: Run, two: Run) -> None:
    assert one.history.drop(columns="seconds").equals(two.history.drop(columns="seconds"))
    a, b = (tensor_file.read_tensors(run.checkpoint_path)[0] for run in (one, two))
    assert a.keys() == b.keys()
    assert all(torch.equal(value, b[name]) for name, value in a.items())


SAID = (
    "The training ran away at step 8 (loss pairing at 10,000, where 0.69 is chance); "
    "it went back to step 5 and goes on with a fifth of the discriminator's learning rate."
)


def test_a_training_that_runs_away_goes_back_once_and_says_so(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(monkeypatch, 5, 1e4)
    trainer, seen = make(), []
    with caplog.at_level(logging.WARNING):
        for event in trainer:
            seen.append((event.step, event.message, event.finished))
    told = [*((step, None, False) for step in range(1, 8)), (5, SAID, False)]  # saved last before the first far loss
    assert seen[:-1] == told + [(step, None, False) for step in range(6, 11)]
    assert seen[-1][1].startswith("Training finished after 10 steps")
    assert caplog.messages == [SAID]
    assert list(trainer.run.history["step"]) == list(range(1, 11))
    assert (trainer.run.history["pairing"].dropna() < 100).all()
    assert trainer.run.history["seconds"].is_monotonic_increasing
    assert trainer.run.config["went_back"] == [{"at": 8, "to": 5, "message": SAID}]
    usual = make("usual")
    usual._step._set_rates(9, "adversarial", 0.9)
    assert rates(trainer) == pytest.approx(rates(usual) | {"critic": 0.2 * rates(usual)["critic"]})


def test_what_comes_after_is_the_same_however_often_it_is_killed(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoil(monkeypatch, 5, 1e4)
    whole = make("whole")
    list(whole)
    for event in (broken := make("broken")):
        if event.step == 4:
            broken.stop()
    for event in (broken := make("broken", resume=True)):
        if event.message and not event.finished:
            shutil.copytree(broken.run.folder, tmp_path / "killed")  # as a process that is killed here leaves it
            broken.stop()
    assert broken.step == 5
    for folder in ("broken", "killed"):
        resumed = make(folder, resume=True)
        assert resumed._step.lowered == RateFactors(critic=0.2)
        assert not [event for event in resumed if event.message and not event.finished]
        assert_same(resumed.run, whole.run)


def test_a_resumed_training_goes_by_the_losses_before(make: Make) -> None:
    for event in (broken := make()):
        if event.step == 4:
            broken.stop()
    losses = broken.run.history.drop(columns=["step", "seconds", "stage"]).dropna(axis=1, how="all")
    seen = {name: values.dropna().tolist() for name, values in losses.items()}
    assert make(resume=True)._runaway.values() == broken._runaway.values() == seen


def test_an_end_before_it_is_known_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, 8, 1e4)
    *_, last = make()
    assert str(last.message).endswith(
        "Losses were far above the usual in its last 4 steps, so the last model may be worth little."
    )


def test_a_training_that_runs_away_again_stops(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(monkeypatch, 5, 1e4, always=True)
    trainer = make()
    again = (
        r"^The training ran away again, with lower learning rates since step 5, at step 9 \(loss pairing at 10,000, "
        r"where 0.69 is chance\) and went back to its checkpoint of step 5, whose model is kept; train anew"
    )
    with pytest.raises(TrainingError, match=again):
        list(trainer)
    assert caplog.messages == [SAID]
    assert tensor_file.read_header(trainer.run.checkpoint_path)["step"] == trainer.step == 5
    assert list(trainer.run.history["step"]) == list(range(1, 6))
    assert trainer.run.model_path.is_file()
    with pytest.raises(TrainingError, match=again):  # it knows, and does as it did
        list(make(resume=True))


def test_fifty_times_the_rate_run_away(make: Make) -> None:
    trainer = make(times=50)
    with suppress(TrainingError):  # a fifth of fifty times may still be too much, and is then said again
        list(trainer)
    assert "with a fifth of the discriminator's learning rate." in trainer.run.config["went_back"][0]["message"]
    assert tensor_file.all_finite(tensor_file.read_tensors(trainer.run.checkpoint_path)[0])


def test_a_loss_that_is_no_number_is_gone_back_from_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, 5, math.nan)
    trainer = make(checkpoint_seconds=1e6)
    said = [event.message for event in trainer if event.message]
    assert said[0] == (
        "The training ran to NaN at step 6 (loss pairing); it went back to its start and goes on with a fifth of all "
        "learning rates."
    )
    assert trainer._step.lowered == (0.2, 0.2)
    assert list(trainer.run.history["step"]) == list(range(1, 11))


def test_weights_that_are_no_numbers_are_not_saved_and_gone_back_from(make: Make) -> None:
    trainer, steps = make(), []
    for event in trainer:
        steps.append(event.step)
        if steps == [1, 2, 3, 4, 5]:
            with torch.no_grad():
                trainer._step.networks.generator.to_rgb[-1].bias.fill_(math.nan)  # the save that is due is left out
    assert steps == [1, 2, 3, 4, 5, 4, *range(5, 11), 10]


def test_the_best_model_stays_and_gaps_are_measured_anew(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_impa.engine.training.run_folder.best.MOST_TIME", 1e9)
    spoil(monkeypatch, 5, 1e4)
    trainer = make(checkpoint_seconds=1e6)
    gaps = iter([0.1, 0.5, 0.3, 0.2, 0.2, 0.1, *[0.0] * 20])
    trainer.keep_best(lambda model: {"high": next(gaps)}, every=1)
    for event in trainer:
        if event.message and not event.finished:
            assert not len(trainer.run.gaps)
    assert trainer.run.gaps["step"].is_unique
    assert trainer.best.kept == trainer.run.best == (4, 0.5)


@pytest.mark.parametrize(("preset", "channels"), [("tiny", 2), ("small", 3), ("paper", 6)])
def test_no_preset_s_losses_rise_in_its_first_steps(preset: str, channels: int, tmp_path: Path) -> None:
    """With the rates of width 16 and batch 16, `small` comes to 24 and `paper` to 36."""
    recipe = DefaultRecipe(autoencoder=0.25, mixed_precision=False)  # the same on every CPU
    assert max(first_losses(preset, channels, tmp_path, recipe, size=24, batch_size=2, steps=4)) < 10


@pytest.mark.slow
@pytest.mark.parametrize("channels", [2, 3, 5, 6])
@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_every_preset_and_number_of_channels_keeps_to_its_losses(preset: str, channels: int, tmp_path: Path) -> None:
    recipe = DefaultRecipe(autoencoder=0.1)
    assert max(first_losses(preset, channels, tmp_path, recipe, size=48, batch_size=4, steps=20)) < FAR


def first_losses(
    preset: str, channels: int, folder: Path, recipe: DefaultRecipe, *, size: int, batch_size: int, steps: int
) -> list[float]:
    """All losses of a training on noise that nothing was said of."""
    rng = np.random.default_rng(0)
    drug = np.arange(64) % 2
    pixels = rng.integers(200, 2000, (64, channels, size, size)) + 1000 * drug[:, None, None, None]
    names = tuple(f"channel {number}" for number in range(channels))
    table = pd.DataFrame({"drug": np.where(drug, "drug", "DMSO")})
    cells = Cells(pixels.astype(np.uint16), table, names, 0.5, ("drug",), "DMSO")
    settings = TrainingSettings(
        size=size, preset=preset, batch_size=batch_size, steps=steps, device="cpu", checkpoint_seconds=1e6
    )
    trainer = Trainer(cells, settings, folder / "run", recipe=recipe, sample_every=10**6)
    found: list[float] = []
    for event in trainer:
        assert event.finished or not event.message
        found += event.losses.values()
    assert np.isfinite(found).all()
    return found
