"""What metrics are given: groups of cells, their features, and two halves of real cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_impa.analysis.evaluated_cells import EvaluatedCells, EvaluatedCondition
from napari_impa.analysis.selection import select_cells
from napari_impa.cells.store import Cells
from napari_impa.watch import CancelledError, Token


def condition_of(model: Any, cells: Cells, condition: str = "dim", seed: int = 0, **options: Any) -> EvaluatedCondition:
    chosen = select_cells(model, cells, seed=seed)
    predicted = model.predict(chosen.take(chosen.sources(condition)), condition, strength=1, variability=0, seed=0)
    return EvaluatedCondition(condition, EvaluatedCells(chosen, model.limits, seed, 0, **options), predicted)


def some_of(cells: Cells, **counts: int) -> Cells:
    """All other cells, and of `dim` so many of each plate."""
    kept = (cells.table["compound"] != "dim").to_numpy(copy=True)
    for plate, count in counts.items():
        rows = np.flatnonzero((cells.table["plate"] == plate) & (cells.table["compound"] == "dim"))
        kept[rows[:count]] = True
    return cells.take(kept)


def test_features_of_a_group_are_those_of_its_cells(cells: Cells, double: Any) -> None:
    of = condition_of(double(lambda some, condition: some.pixels + 50, hold_out={"plate": ("P2",)}), cells)
    chosen = of.cells.chosen
    for group in ("control", "real"):
        expected = of.cells.describe(chosen.take(of.positions(group)).pixels)
        np.testing.assert_allclose(of.features(group), expected, atol=1e-6)
        assert set(chosen.names[of.positions(group)]) == {"DMSO" if group == "control" else "dim"}
    np.testing.assert_array_equal(of.positions("predicted"), of.positions("control"))
    np.testing.assert_array_equal(of.features("predicted"), of.cells.describe(of.predicted.pixels))
    assert np.abs(of.features("predicted") - of.features("control")).max() > 0.01


def test_the_floor_is_taken_from_cells_that_are_not_scored(cells: Cells, double: Any) -> None:
    model = double(double.unchanged, hold_out={"plate": ("P2",)})
    for count, other in ((20, "P1"), (19, "P2")):  # 19 are too few
        of = condition_of(model, some_of(cells, P1=count, P2=30))
        chosen = of.cells.chosen
        one, two = of.real_halves()
        assert set(chosen.plates[one]) == {"P2"}
        assert set(chosen.plates[two]) == {other}
        assert len(two) == (20 if other == "P1" else 15)


def test_the_floor_is_taken_between_plates_where_all_cells_are_scored(cells: Cells, double: Any) -> None:
    of = condition_of(double(double.unchanged), some_of(cells, P1=20, P2=30))
    one, two = of.real_halves()
    assert (set(of.cells.chosen.plates[one]), set(of.cells.chosen.plates[two])) == ({"P2"}, {"P1"})
    assert (len(one), len(two)) == (30, 20)


def test_the_floor_is_taken_between_random_halves_of_one_plate(cells: Cells, double: Any) -> None:
    few = some_of(cells, P1=19, P2=30)
    one, two = condition_of(double(double.unchanged), few).real_halves()
    assert len(one) == 24
    assert len(two) == 25
    assert not set(one) & set(two)
    other, _ = condition_of(double(double.unchanged), few, seed=1).real_halves()
    assert set(one) != set(other)


def test_the_work_can_be_left(cells: Cells, double: Any) -> None:
    token = Token()
    token.cancel()
    of = condition_of(double(double.unchanged), cells, watch=token)
    with pytest.raises(CancelledError):
        _ = of.cells.features
