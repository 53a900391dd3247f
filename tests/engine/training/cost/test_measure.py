from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import napari_impa.engine.training.cost.measure as measuring
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.engine.training.cost.budget import (
    Measured,
    advise,
    describe_budget,
    minutes_in_words,
    rounded,
    seconds_in_words,
    steps_of,
)
from napari_impa.engine.training.cost.measure import Outline, dry_run, measure, suggest_preset
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import RECIPES, recipe_named
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.step import Step
from napari_impa.errors import OutOfMemoryError
from napari_impa.watch import Watch

SMALL = TrainingSettings(size=24, batch_size=2, device="cpu", threads=1, minutes=1)

TAKEN = {"autoencoder": 0.01, "autoencoder with r1": 0.03, "plain": 0.04, "plain with r1": 0.08}
"""Seconds that steps of each kind pretend to take."""


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


class Clock:
    """Seconds that steps of each kind pretend to take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
        self.now, self.steps = 0.0, []
        monkeypatch.setattr(measuring.time, "perf_counter", lambda: self.now)

        def step(_: Any, batch: Any, number: int, stage: str, *, progress: float) -> dict[str, float]:
            kind = ("autoencoder" if stage == "autoencoder" else "plain") + (" with r1" if number == 0 else "")
            self.steps.append((kind, progress))
            self.now += seconds[kind] * (10 if len(self.steps) == 1 else 1)
            return {}

        monkeypatch.setattr(Step, "__call__", step)


@pytest.mark.parametrize("recipe", [entry.name for entry in RECIPES])
def test_shares_of_the_kinds_of_steps_add_up(recipe: str) -> None:
    kinds = recipe_named(recipe).kinds_of_steps()
    assert sum(kind.share for kind in kinds) == pytest.approx(1)
    by_number = {kind.number: kind.share for kind in kinds if kind.stage == "adversarial"}
    if recipe == "default":  # penalties every eighth step
        rest = 1 - DefaultRecipe().autoencoder
        assert by_number == {0: pytest.approx(rest / 8), 1: pytest.approx(rest * 7 / 8)}
    else:
        assert by_number == {0: 1.0}


def test_a_step_is_weighed_as_the_recipe_does(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, TAKEN)
    measured = measure(Outline(3, 5), SMALL)
    assert measured.seconds_per_step == pytest.approx(0.35 * (0.01 * 7 + 0.03) / 8 + 0.65 * (0.04 * 7 + 0.08) / 8)
    assert not measured.rough
    assert {progress for kind, progress in clock.steps if not kind.startswith("autoencoder")} == {
        0.35 + 0.05
    }  # past the ramp
    assert measured.memory_bytes is None


def test_another_recipe_than_the_settings_name_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, TAKEN)
    paper = replace(SMALL, recipe="paper")
    measured = measure(Outline(3, 5), paper, recipe=DefaultRecipe(autoencoder=0.5, ramp=0.25, relative_style=False))
    assert measured.seconds_per_step == pytest.approx(0.5 * (0.01 * 7 + 0.03) / 8 + 0.5 * (0.04 * 7 + 0.08) / 8)
    assert {progress for kind, progress in clock.steps if not kind.startswith("autoencoder")} == {0.75}
    assert "good cells" in advise(measured, paper, "default")


def test_slow_steps_are_measured_roughly_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, dict.fromkeys(TAKEN, 1.0))
    measured = measure(Outline(3, 5), SMALL, seconds=11.5)
    assert measured.rough
    assert measured.seconds_per_step == pytest.approx(1.0)
    assert clock.now <= 12.5


def test_kinds_of_steps_that_there_was_no_time_for_count_as_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, dict.fromkeys(TAKEN, 1.0) | {"autoencoder": 3.0})
    measured = measure(Outline(3, 5), SMALL, seconds=13.5)  # 10 for the first of all, then 1 and 3
    assert measured.rough
    assert measured.seconds_per_step == pytest.approx((0.65 * 7 * 1.0 + 0.35 * 7 * 3.0 + 3.0) / 8)


@pytest.mark.parametrize("task", ["perturbation", "batch"])
def test_every_recipe_can_be_measured(task: Any) -> None:
    for recipe in RECIPES:
        settings = TrainingSettings(size=24, batch_size=2, recipe=recipe.name, task=task, device="cpu")
        assert measure(Outline(1, 3), settings, seconds=0.01).seconds_per_step > 0


def test_real_steps_are_made_and_can_be_cancelled() -> None:
    measured = measure(Outline(2, 3), SMALL, seconds=0.3)
    assert 0 < measured.seconds_per_step < 5
    assert measured.model_bytes > 100_000
    made: list[int] = []  # blocks of layers

    class Leaving(Watch):
        def check(self) -> None:
            made.append(1)
            if len(made) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(Outline(2, 3), SMALL, watch=Leaving())
    assert len(made) == 3


def test_too_little_memory_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Step, "__call__", fail)
    with pytest.raises(OutOfMemoryError, match="preset tiny at 24 px with 2 cells a step; take a smaller"):
        measure(Outline(2, 3), SMALL)
    with pytest.raises(OutOfMemoryError):
        suggest_preset(Outline(2, 3), SMALL)


def test_the_largest_preset_that_fits_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pretend(of: Any, settings: TrainingSettings, **_: Any) -> Measured:
        asked.append(settings.preset)
        if settings.preset == "paper":
            raise OutOfMemoryError("too much")
        return Measured(0.1, {"tiny": 1, "small": 4}[settings.preset] * 2**30, "GPU", 0)

    monkeypatch.setattr(measuring, "measure", pretend)
    for free, wanted in ((8, "small"), (4, "tiny"), (None, "tiny")):
        memory = None if free is None else (free * 2**30, 16 * 2**30)
        monkeypatch.setattr(measuring, "free_memory", lambda _, memory=memory: memory)
        asked.clear()
        assert suggest_preset(Outline(3, 5), SMALL)[0] == wanted
        assert asked[-1] == wanted
    assert asked == ["tiny"]  # on a CPU nothing else is tried


def test_a_dry_run_says_everything() -> None:
    cells = simulated_cells(4, size=24, conditions=("DMSO", "shrinkage"))
    lines = dry_run(cells, SMALL)
    assert lines[0].startswith("Conditions (compound): shrinkage")
    assert "CPU, 1 thread" in lines[1]
    assert lines[2].startswith("60 s ≈")
    assert "a step" in lines[2]


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"minutes": 30}, "30 min ≈ 1,900 steps on the CPU, 4 threads · measured 0.94 s a step"),
        ({"steps": 3000}, "3,000 steps ≈ 47 min on the CPU, 4 threads · measured 0.94 s a step"),
        ({"steps": 100, "minutes": 30}, "100 steps ≈ 2 min on the CPU"),
        ({"steps": 3000, "minutes": 30}, "30 min ≈ 1,900 steps"),
    ],
)
def test_a_budget_in_words(budget: dict[str, Any], words: str) -> None:
    measured = Measured(0.94, None, "CPU, 4 threads: no GPU was found", 0)
    text = describe_budget(measured, TrainingSettings(**budget))
    assert text.startswith(words)


def test_memory_and_roughness_are_said() -> None:
    text = describe_budget(Measured(0.02, 3 * 2**30, "GPU Big, 10 of 16 GB of memory free", 0, True), SMALL)
    assert text.endswith("measured 20 ms a step, roughly · 3.0 GB of the GPU's memory")


@pytest.mark.parametrize(
    ("steps", "recipe", "words"),
    [
        (999, "default", "stay blurred"),
        (1000, "default", "first look"),
        (2000, "default", "watch the gap closed"),
        (2000, "paper", "did not suffice"),
    ],
)
def test_advice_is_what_was_measured(steps: int, recipe: Any, words: str) -> None:
    assert words in advise(Measured(1.0, None, "CPU", 0), TrainingSettings(steps=steps, recipe=recipe))


@given(st.integers(1, 10**9), st.floats(1e-4, 1e4), st.floats(0.01, 1e5))
def test_steps_and_minutes_agree(steps: int, seconds: float, minutes: float) -> None:
    measured = Measured(seconds, None, "CPU", 0)
    assert measured.minutes_for(measured.steps_in(minutes)) <= max(minutes, seconds / 60) * (1 + 1e-9)
    assert steps_of(measured, TrainingSettings(steps=steps, minutes=minutes)) <= steps
    assert abs(rounded(steps) - steps) <= 0.05 * steps + 1e-9
    for text in (minutes_in_words(minutes), seconds_in_words(seconds)):
        assert text[0].isdigit()
        assert "e+" not in text
