"""Steps that are recorded once a kind and replayed are those that are made operation by operation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_impa.engine.one_launch import OneLaunch, recorder_for
from napari_impa.engine.training.steps import RECIPES, recipe_named
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.step import Step

Make = Callable[..., Step[Any]]
NAMES = [entry.name for entry in RECIPES]
STEPS = 26
"""Enough for each kind of step to be replayed."""


class Replayer:
    """Records on any device: what it replays does the same again with what then lies in the tensors it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.recorded, self.replayed = error, 0, 0

    def aside(self) -> AbstractContextManager[object]:
        return nullcontext()

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], object], Tensor]:
        if self.error:
            raise self.error
        self.recorded += 1
        losses = torch.empty(0)

        def replay() -> None:
            self.replayed += 1
            made = work()
            losses.resize_(len(made)).copy_(made)

        return replay, losses


def batches(batch: Batch) -> list[Batch]:
    """As many batches as steps, no two alike."""
    found = []
    for number in range(STEPS):
        order = torch.randperm(4, generator=torch.Generator().manual_seed(number))
        found.append(replace(batch, control=batch.control[order], treated=batch.treated[order] * 0.9**number))
    return found


def require_same(one: Step[Any], other: Step[Any]) -> None:
    for key, value in one.state().items():
        assert torch.equal(value, other.state()[key]), key


def train(step: Step[Any], given: list[Batch]) -> list[dict[str, float]]:
    """A short training, a third of it in the first stage where there is one."""
    recipe = step.recipe
    return [
        step(one, number, recipe.stage(number / STEPS), progress=number / STEPS) for number, one in enumerate(given)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_replayed_steps_give_the_weights_of_steps_made_one_by_one(make_step: Make, batch: Batch, name: str) -> None:
    recipe, recorder = recipe_named(name), Replayer()
    plain, replayed = (make_step(recipe, recorder=one) for one in (Replayer(RuntimeError("cannot")), recorder))
    losses = [train(step, batches(batch)) for step in (plain, replayed)]
    kinds = len(recipe.kinds_of_steps())
    assert recorder.recorded == kinds
    assert recorder.replayed == STEPS - kinds
    assert losses[0] == losses[1]
    require_same(plain, replayed)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_lie_on_the_device_are_those_of_the_recipe(make_step: Make, batch: Batch, name: str) -> None:
    recipe = recipe_named(name)
    for kind in recipe.kinds_of_steps():
        steps = [make_step(recipe, recorder=one) for one in (None, Replayer())]
        one, other = (step(batch, kind.number, kind.stage, progress=0.8) for step in steps)
        assert one == pytest.approx(other, rel=1e-6)
        for key, value in steps[0].state().items():
            torch.testing.assert_close(steps[1].state()[key], value, rtol=1e-5, atol=1e-6, check_dtype=False, msg=key)


def test_other_cells_of_a_step_are_recorded_anew(make_step: Make, batch: Batch) -> None:
    recorder = Replayer()
    step = make_step(recipe_named("paper"), recorder=recorder)
    for number in range(3):
        step(batch, number, "adversarial", progress=0.5)
    step(batch.part(slice(0, 2)), 3, "adversarial", progress=0.5)
    assert recorder.recorded == 1
    step(replace(batch, at_target=torch.tensor([True, False, False, False])), 4, "adversarial", progress=0.5)
    assert (recorder.recorded, recorder.replayed) == (1, 2)


def test_a_restored_step_forgets_what_wrote_into_the_tensors_before(make_step: Make, batch: Batch) -> None:
    recipe = recipe_named("default")
    recorder = Replayer()
    step, plain = (make_step(recipe, recorder=one) for one in (recorder, Replayer(RuntimeError("cannot"))))
    for number in range(4):
        step(batch, 2 * number + 1, "adversarial", progress=0.6)
    before = {name: value.clone() for name, value in step.state().items()}
    recorded = recorder.recorded
    for one in (step, plain):
        one.restore({name: value.clone() for name, value in before.items()})
    for number in (11, 13, 15):
        for one in (step, plain):
            one(batch, number, "adversarial", progress=0.6)
    assert recorder.recorded == recorded + 1
    require_same(plain, step)


def test_where_steps_cannot_be_recorded_they_are_made_one_by_one_and_it_is_said(
    make_step: Make, batch: Batch, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = recipe_named("paper")
    recorder = Replayer(RuntimeError("not permitted\nat line 7"))
    step = make_step(recipe, recorder=recorder)
    before = {key: value.clone() for key, value in step.networks.state_dict().items()}
    for number in range(3):
        step(batch, number, "adversarial", progress=0.5)
    assert step.one_launch.reason == "the GPU could not record a step: not permitted"
    assert step.one_launch.reason in caplog.text
    assert len(caplog.records) == 1
    assert recorder.replayed == 0
    assert any(not torch.equal(value, before[key]) for key, value in step.networks.state_dict().items())


def test_a_recording_that_runs_out_of_memory_says_so(make_step: Make, batch: Batch) -> None:
    step = make_step(recipe_named("paper"), recorder=Replayer(torch.OutOfMemoryError("CUDA out of memory")))
    step(batch, 0, "adversarial", progress=0.5)
    with pytest.raises(torch.OutOfMemoryError):
        step(batch, 1, "adversarial", progress=0.5)


def test_the_next_cells_are_drawn_before_the_losses_are_waited_for(make_step: Make, batch: Batch) -> None:
    called: list[int] = []
    step = make_step(recipe_named("paper"))
    losses = step(batch, 0, "adversarial", progress=0.5, meanwhile=lambda: called.append(1))
    assert called == [1]
    assert set(losses) >= {"real", "fake"}


def test_a_cpu_records_nothing() -> None:
    assert recorder_for(torch.device("cpu")) is None
    assert OneLaunch[Tensor](None).reason


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_replays_steps_to_the_bit(make_step: Make, batch: Batch, name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    device, recipe = torch.device("cuda"), recipe_named(name)
    torch.backends.cudnn.deterministic = True
    plain, replayed = (make_step(recipe, device=device, recorder=recorder) for recorder in (None, recorder_for(device)))
    losses = [train(step, batches(batch)) for step in (plain, replayed)]
    assert replayed.one_launch.reason == ""
    assert losses[0] == losses[1]
    require_same(plain, replayed)
