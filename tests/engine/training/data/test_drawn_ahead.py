"""Batches drawn while the step before is made are those that would be drawn at their turn."""

from __future__ import annotations

import pytest
import torch

from napari_impa.engine.training.data.drawn_ahead import DrawnAhead
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.errors import CellsError

CPU = torch.device("cpu")


class Drawing:
    """Draws batches that hold the number of their step, and says which it drew."""

    def __init__(self) -> None:
        self.drawn: list[int] = []
        self.broken = False

    def __call__(self, step: int) -> Batch:
        self.drawn.append(step)
        if self.broken:
            raise CellsError("the file is gone")
        number = torch.full((1,), step)
        return Batch(number, number, number, number)


def test_a_batch_drawn_ahead_is_not_drawn_again() -> None:
    draw = Drawing()
    batches = DrawnAhead(draw, CPU, ahead=True)
    for step in range(3):
        assert batches.take(step).control.item() == step
        batches.prepare(step + 1)
    assert draw.drawn == [0, 1, 2, 3]
    assert batches.seconds > 0


def test_after_going_back_the_step_gets_its_own_batch() -> None:
    draw = Drawing()
    batches = DrawnAhead(draw, CPU, ahead=True)
    batches.prepare(7)
    assert batches.take(4).control.item() == 4
    assert batches.take(7).control.item() == 7
    assert draw.drawn == [7, 4, 7]


def test_what_fails_ahead_fails_when_it_is_asked_for() -> None:
    draw = Drawing()
    batches = DrawnAhead(draw, CPU, ahead=True)
    draw.broken = True
    batches.prepare(1)
    with pytest.raises(CellsError, match="the file is gone"):
        batches.take(1)
    draw.broken = False
    assert batches.take(1).control.item() == 1


def test_a_cpu_draws_nothing_ahead() -> None:
    draw = Drawing()
    batches = DrawnAhead(draw, CPU)
    batches.prepare(1)
    assert draw.drawn == []
