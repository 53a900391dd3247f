"""What mattered in an evaluation: of the cells that are shown, by classifiers that can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_impa.analysis.attribution import fair_pixel_classifier
from napari_impa.analysis.attribution.attributions import attributions
from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier, groupings_of
from napari_impa.analysis.attribution.mattered_cells import EXPLAINED, MatteredCells, mattered_cells
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCells, EvaluatedCondition
from napari_impa.analysis.evaluation import evaluation, feature_spaces
from napari_impa.analysis.selection import select_cells
from napari_impa.cells.store import Cells
from napari_impa.errors import ConditionError
from napari_impa.watch import CancelledError, Token

SHOWN = np.array([7, 3, 7, 20])


@pytest.fixture(scope="module")
def condition(cells: Cells, double: Any) -> EvaluatedCondition:
    model = double(double.oracle)
    chosen = select_cells(model, cells, {"plate": ["P1", "P2"]})
    evaluated = EvaluatedCells(chosen, model.limits, 0, 0, feature_spaces(["fast"]))
    return EvaluatedCondition(model, "swell", evaluated, strength=1, variability=0)


@pytest.fixture(scope="module")
def mattered(condition: EvaluatedCondition) -> MatteredCells:
    return mattered_cells(condition, SHOWN)


def test_shown_cells_come_first_each_once(mattered: MatteredCells, condition: EvaluatedCondition) -> None:
    assert list(mattered.positions[:3]) == [7, 3, 20]
    assert len(set(mattered.positions)) == len(mattered.positions) == min(EXPLAINED, len(condition.control))
    assert len(mattered.found.masks) == len(mattered.positions)


def test_classifiers_are_judged_on_other_plates(mattered: MatteredCells) -> None:
    assert mattered.found.how == "on cells of other plates"
    assert mattered.found.accuracy > 0.8
    assert mattered.found.flipped.mean() > 0.5


def test_pairs_are_of_one_cell(condition: EvaluatedCondition, mattered: MatteredCells) -> None:
    which = mattered.positions
    control, real = condition.control.subset(which), condition.real
    tables = [condition.evaluated.chosen.take(some.positions).table for some in (control, real)]
    limits = condition.evaluated.limits
    judge = FairPixelClassifier.fit(control.pixels, real.pixels, limits, groupings=groupings_of(*tables))
    direct = attributions(judge, control.pixels, condition.predicted.subset(which).pixels)
    np.testing.assert_array_equal(direct.maps, mattered.found.maps)


def test_it_stops(condition: EvaluatedCondition) -> None:
    token = Token()
    token.cancel()
    condition.evaluated.watch, before = token, condition.evaluated.watch
    try:
        with pytest.raises(CancelledError):
            mattered_cells(condition, SHOWN)
    finally:
        condition.evaluated.watch = before


def test_where_conditions_are_not_told_apart_a_sentence_says_so(
    condition: EvaluatedCondition, cells: Cells, double: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_pixel_classifier, "TELLS_APART", 1.1)
    with pytest.raises(ConditionError, match="does not tell treated from control"):
        mattered_cells(condition, SHOWN)
    result = evaluation(double(double.oracle), cells, features=("fast",), mattered=True)
    assert set(result.mattered) == {"dim", "swell"}
    assert all("does not tell treated from control" in str(said) for said in result.mattered.values())
