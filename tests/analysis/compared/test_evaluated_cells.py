"""What metrics are given: groups of cells, their features, and two halves of real cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_impa.analysis.compared.evaluated_cells import EvaluatedCells, EvaluatedCondition
from napari_impa.analysis.evaluation import feature_spaces
from napari_impa.analysis.selection import select_cells
from napari_impa.cells.store import Cells
from napari_impa.watch import CancelledError, Token


def condition_of(model: Any, cells: Cells, condition: str = "dim", seed: int = 0, **options: Any) -> EvaluatedCondition:
    chosen = select_cells(model, cells, seed=seed)
    evaluated = EvaluatedCells(chosen, model.limits, seed, 0, feature_spaces(("fast", "quick")), **options)
    return EvaluatedCondition(model, condition, evaluated, strength=1, variability=0)


def some_of(cells: Cells, **counts: int) -> Cells:
    """All other cells, and of `dim` so many of each plate."""
    kept = (cells.table["compound"] != "dim").to_numpy(copy=True)
    for plate, count in counts.items():
        rows = np.flatnonzero((cells.table["plate"] == plate) & (cells.table["compound"] == "dim"))
        kept[rows[:count]] = True
    return cells.take(kept)


def test_features_are_those_of_the_cells(cells: Cells, double: Any) -> None:
    of = condition_of(double(lambda some, condition: some.pixels + 50, hold_out={"plate": ("P2",)}), cells)
    chosen, quick = of.evaluated.chosen, of.evaluated.spaces[1]
    for side, name in ((of.control, "DMSO"), (of.real, "dim")):
        expected = of.evaluated.describe(quick, chosen.take(side.positions).pixels)
        np.testing.assert_allclose(side.features(quick), expected, atol=1e-6)
        assert set(chosen.names[side.positions]) == {name}
    np.testing.assert_array_equal(of.predicted.positions, of.control.positions)
    np.testing.assert_array_equal(of.predicted.pixels, of.control.pixels + 50)
    np.testing.assert_array_equal(of.predicted.features(quick), of.evaluated.describe(quick, of.predicted.pixels))
    assert np.abs(of.predicted.features(quick) - of.control.features(quick)).max() > 0.01


def test_each_cell_is_described_once(cells: Cells, double: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    of = condition_of(double(double.oracle), cells)
    described: list[int] = []
    describe = EvaluatedCells.describe

    def counted(self: EvaluatedCells, space: Any, pixels: Any) -> Any:
        described.append(len(pixels))
        return describe(self, space, pixels)

    monkeypatch.setattr(EvaluatedCells, "describe", counted)
    one = of.control.subset(np.arange(10)).features()
    all_of_them = of.control.features()
    np.testing.assert_array_equal(all_of_them[:10], one)
    of.predicted.features()
    np.testing.assert_array_equal(of.predicted.subset(np.arange(5)).features(), of.predicted.features()[:5])
    assert described == [10, len(of.control) - 10, len(of.predicted)]


def test_wells_are_told_by_plate_and_well(cells: Cells, double: Any) -> None:
    of = condition_of(double(double.unchanged), cells)
    assert of.evaluated.wells is None
    assert of.control.wells is None
    named = Cells(
        cells.pixels, cells.table.assign(Metadata_Well="A01"), cells.channels, 0.5, cells.label, cells.control
    )
    wells = condition_of(double(double.unchanged), named).control.wells
    assert wells is not None
    assert set(wells) == {"P1 A01", "P2 A01"}


def test_the_floor_is_taken_from_cells_that_are_not_scored(cells: Cells, double: Any) -> None:
    model = double(double.unchanged, hold_out={"plate": ("P2",)})
    for count, other in ((20, "P1"), (19, "P2")):  # 19 are too few
        of = condition_of(model, some_of(cells, P1=count, P2=30))
        chosen = of.evaluated.chosen
        one, two = of.halves
        assert set(chosen.plates[one.positions]) == {"P2"}
        assert set(chosen.plates[two.positions]) == {other}
        assert len(two) == (20 if other == "P1" else 15)


def test_the_floor_is_taken_between_plates_where_all_cells_are_scored(cells: Cells, double: Any) -> None:
    of = condition_of(double(double.unchanged), some_of(cells, P1=20, P2=30))
    one, two = of.halves
    plates = of.evaluated.chosen.plates
    assert (set(plates[one.positions]), set(plates[two.positions])) == ({"P2"}, {"P1"})
    assert (len(one), len(two)) == (30, 20)


def test_the_floor_is_taken_between_random_halves_of_one_plate(cells: Cells, double: Any) -> None:
    few = some_of(cells, P1=19, P2=30)
    one, two = condition_of(double(double.unchanged), few).halves
    assert len(one) == 24
    assert len(two) == 25
    assert not set(one.positions) & set(two.positions)
    other, _ = condition_of(double(double.unchanged), few, seed=1).halves
    assert set(one.positions) != set(other.positions)


def test_the_work_can_be_left(cells: Cells, double: Any) -> None:
    token = Token()
    token.cancel()
    of = condition_of(double(double.unchanged), cells, watch=token)
    with pytest.raises(CancelledError):
        of.control.features()
