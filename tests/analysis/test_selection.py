"""Which cells are scored: how few are too few, how many are enough, and which of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis.selection import MOST, select_cells
from napari_impa.cells.store import Cells
from napari_impa.errors import ConditionError


def counted(column: str = "compound", control: str | None = "DMSO", **counts: int) -> Cells:
    """So many cells of each condition; each shows its own number."""
    names = np.repeat(list(counts), list(counts.values()))
    pixels = np.arange(len(names), dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 1, 1), np.float32)
    table = pd.DataFrame({column: names})
    return Cells(pixels, table, ("DNA", "actin"), label=(column,), control=control)


def test_a_condition_needs_twenty_real_cells(double: Any) -> None:
    model = double(double.unchanged)
    assert select_cells(model, counted(DMSO=20, dim=20, swell=20)).conditions == ("dim", "swell")
    assert select_cells(model, counted(DMSO=20, dim=19, swell=20)).conditions == ("swell",)
    with pytest.raises(ConditionError, match="20 are needed"):
        select_cells(model, counted(DMSO=20, dim=19, swell=19))


def test_twenty_controls_are_needed(double: Any) -> None:
    with pytest.raises(ConditionError, match=r"are 19 controls \(DMSO\), where 20 or more"):
        select_cells(double(double.unchanged), counted(DMSO=19, dim=50))


def test_a_batch_needs_twenty_cells_of_other_batches(double: Any) -> None:
    model = double(double.unchanged, task="batch", label=("batch",), control=None, names=("one", "two"))
    assert select_cells(model, counted("batch", None, one=20, two=20)).conditions == ("one", "two")
    with pytest.raises(ConditionError, match="too few real cells of two batches"):
        select_cells(model, counted("batch", None, one=30, two=19))


def test_of_many_cells_so_many_are_drawn_without_repeats(double: Any) -> None:
    cells = counted(DMSO=2005, dim=4010)
    held = np.arange(len(cells)) % 2 == 0
    cells = replace(cells, table=cells.table.assign(held=held.astype(int)))
    model = double(double.unchanged, hold_out={"held": (1,)}, names=("dim",))
    chosen = select_cells(model, cells, {"held": 1})
    assert len(chosen.real("dim")) == len(chosen.real("dim", scored=False)) == len(chosen.sources("dim")) == MOST
    more = select_cells(model, cells, {"held": 1}, most=2000)
    assert len(more.real("dim")) == len(more.real("dim", scored=False)) == 2000
    assert len(more.sources("dim")) == 1003  # all there are
    assert len(set(chosen.rows)) == len(chosen.rows)
    np.testing.assert_array_equal(chosen.scored, held[chosen.rows])
    np.testing.assert_array_equal(chosen.names, cells.conditions[chosen.rows])
    again, other = (select_cells(model, cells, {"held": 1}, seed=seed).rows for seed in (0, 1))
    np.testing.assert_array_equal(chosen.rows, again)
    assert len(np.setdiff1d(other, again)) > 0


def test_so_many_cells_of_other_batches_are_turned_evenly_spread(double: Any) -> None:
    model = double(double.unchanged, task="batch", label=("batch",), control=None, names=("a", "b", "c"))
    chosen = select_cells(model, counted("batch", None, a=1500, b=1500, c=30), most=2000)
    sources = chosen.sources("c")
    assert len(sources) == 2000
    assert (sources[0], sources[-1]) == (0, 2999)
    assert set(np.diff(sources)) == {1, 2}
    assert (chosen.names[sources] != "c").all()
    np.testing.assert_array_equal(chosen.take(sources[:3]).pixels[:, 0, 0, 0], sources[:3])


@pytest.mark.parametrize(("where", "held_out"), [(None, True), ({"plate": "P2"}, True), ({"plate": "P1"}, False)])
def test_held_out_is_what_no_training_saw(cells: Cells, double: Any, where: Any, held_out: bool) -> None:
    chosen = select_cells(double(double.unchanged, hold_out={"plate": ("P2",)}), cells, where)
    assert chosen.held_out == held_out
    assert not select_cells(double(double.unchanged), cells, where).held_out
