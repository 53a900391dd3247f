"""Losses that share the cells of a batch."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.engine.training.steps.turns import Turns

NAMES = ("one", "two", "three")


@given(st.integers(1, 20), st.integers(1, 3), st.lists(st.integers(0, 20), max_size=3), st.integers(0, 9))
def test_every_cell_has_one_loss_however_many_processes_share_them(
    size: int, count: int, cuts: list[int], number: int
) -> None:
    turns = Turns(NAMES[:count], size)
    edges = [0, *sorted(min(cut, size) for cut in cuts), size]
    of: dict[int, list[str]] = {}
    for first, last in itertools.pairwise(edges):
        for name in turns.names:
            for cell in range(first, last)[turns.cells(name, first, number)]:
                of.setdefault(cell, []).append(name)
    assert {cell: len(names) for cell, names in of.items()} == dict.fromkeys(range(size), 1)
    alone = {cell: name for name in turns.names for cell in range(size)[turns.cells(name, 0, number)]}
    assert {cell: names[0] for cell, names in of.items()} == alone


def test_in_a_batch_of_one_losses_take_turns() -> None:
    turns = Turns(NAMES, 1)
    seen = [name for number in range(6) for name in NAMES if [0][turns.cells(name, 0, number)]]
    assert seen == ["one", "two", "three"] * 2
    assert [turns.kind(number) for number in range(4)] == [0, 1, 2, 0]
    assert {Turns(NAMES, 3).kind(number) for number in range(9)} == {0}


def test_parts_weigh_as_many_times_more_as_there_are_losses() -> None:
    turns = Turns(NAMES, 16)
    parts = [len(range(16)[turns.cells(name, 0, 0)]) for name in NAMES]
    assert parts == [6, 5, 5]
    weights = [turns.weighed(torch.tensor(1.0), part, 16).item() for part in parts]
    assert weights == pytest.approx([18 / 16, 15 / 16, 15 / 16])
