from __future__ import annotations

from dataclasses import replace

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.analysis.counterfactual import (
    Phenotype,
    compare,
    format_counterfactuals,
    score_counterfactuals,
)
from napari_impa.cells.crops import cut
from napari_impa.cells.simulated.screen import CHANNELS, simulated_field, true_counterfactual
from napari_impa.cells.store import Cells, concatenate
from napari_impa.engine.describing.new_condition import NewCondition, name_of
from napari_impa.errors import CellsError

LIMITS = np.array([[0.0, 255.0], [0.0, 510.0]])
pixels = hnp.arrays(np.uint16, (3, 2, 8, 8), elements=st.integers(0, 500))


@pytest.fixture(scope="module")
def cells():
    fields = [simulated_field(seed=8 + batch, batch=batch, size=128) for batch in (0, 1)]
    found = [(cut(field.pixels, field.labels, 32), field) for field in fields]
    return concatenate([Cells(f.pixels, f.table.assign(**field.table), CHANNELS) for f, field in found])


class Double:
    """A model whose answers are known; `answer` is (cells, target) -> pixels."""

    limits, channels, unseen = np.tile([100.0, 4000.0], (3, 1)), CHANNELS, ()

    def __init__(self, answer, *, task="perturbation", conditions=("shrinkage", "mitotic arrest")):
        self.answer, self.task, self.conditions = answer, task, conditions

    def fit(self, cells):
        return cells

    def predict(self, cells, target, *, strength, variability, seed):
        return replace(cells, pixels=self.answer(cells, target))


@given(before=pixels, true=pixels)
def test_the_truth_is_perfect_and_the_cell_itself_no_better_than_itself(before, true):
    perfect = compare(before, true, true, LIMITS)
    changed = np.array([np.any(a != b) for a, b in zip(before, true, strict=True)])
    np.testing.assert_allclose(perfect.error[changed], 0, atol=1e-9)
    assert np.isnan(perfect.error[~changed]).all()
    found = perfect.correlation[np.isfinite(perfect.correlation)]
    np.testing.assert_allclose(found, 1, atol=1e-6)
    np.testing.assert_allclose(compare(before, before, true, LIMITS).error[changed], 1)
    assert np.isnan(compare(before, before, true, LIMITS).correlation).all()


@given(before=pixels, true=pixels, share=st.floats(0.1, 1.9))
def test_half_of_the_change_is_half_of_the_error_in_full_correlation(before, true, share):
    before, true = before.astype(float), true.astype(float)
    near = compare(before, before + share * (true - before), true, LIMITS)
    known = np.isfinite(near.error) & np.isfinite(near.correlation)
    np.testing.assert_allclose(near.error[known], abs(1 - share), atol=1e-6)
    np.testing.assert_allclose(near.absolute_error[known], abs(1 - share), atol=1e-6)
    np.testing.assert_allclose(near.correlation[known], 1, atol=1e-4)


def test_channels_weigh_by_their_range_and_pixels_after_a_blur():
    before, wrong = np.zeros((2, 1, 2, 16, 16))
    true = wrong.copy()
    true[:, 0], wrong[:, 1] = 100, 100  # the second channel's range is twice that of the first
    assert compare(before, wrong, true, LIMITS).absolute_error == pytest.approx(1.5)
    assert compare(before, true, wrong, LIMITS).absolute_error == pytest.approx(3)
    assert compare(before, wrong, true, LIMITS).error == pytest.approx(np.sqrt(1.25))
    spot, beside = np.zeros((2, 1, 2, 16, 16))
    spot[..., 8, 8] = beside[..., 8, 9] = 100
    sharp, soft = (compare(before, beside, spot, LIMITS, blur=blur) for blur in (0, 1))
    assert sharp.absolute_error == pytest.approx(2)
    assert sharp.error == pytest.approx(np.sqrt(2))
    assert soft.error < 1
    assert compare(before, beside, spot, LIMITS).error == soft.error  # smoothed unless said otherwise
    assert soft.correlation > 0.7 > sharp.correlation


def test_shapes_that_differ_are_refused():
    with pytest.raises(CellsError, match="one shape"):
        compare(np.zeros((1, 2, 8, 8)), np.zeros((1, 2, 8, 8)), np.zeros((1, 2, 8, 9)), LIMITS)


def test_models_that_know_and_that_do_nothing(cells):
    table = score_counterfactuals(Double(lambda c, target: true_counterfactual(c, target).pixels), cells)
    assert list(table["condition"]) == ["shrinkage", "mitotic arrest"]
    assert list(table["cells"]) == [len(cells)] * 2
    assert (table["error"] == 0).all()
    assert table["correlation"].to_numpy() == pytest.approx(1)
    lazy = score_counterfactuals(Double(lambda c, target: c.pixels + 1), cells)
    assert lazy["error"].to_numpy() == pytest.approx(1, abs=0.02)
    assert "median" in format_counterfactuals(lazy)
    swapped = {"shrinkage": "mitotic arrest", "mitotic arrest": "shrinkage"}
    wrong = score_counterfactuals(Double(lambda c, target: true_counterfactual(c, swapped[target]).pixels), cells)
    assert (wrong["error"] > 0.2).all()


def test_targets_may_have_other_names_and_strengths(cells):
    new, weak = NewCondition("drug", smiles="CCO"), Phenotype("shrinkage", 0.5)
    model = Double(lambda c, target: true_counterfactual(c, "shrinkage", strength=0.5).pixels)
    table = score_counterfactuals(model, cells, {new: weak, "full": Phenotype("shrinkage")})
    assert list(table["condition"]) == [name_of(new), "full"]
    assert table["error"][0] == 0 < table["error"][1]


def test_batches_are_turned_into_each_other(cells):
    names = ("batch 1", "batch 2")
    model = Double(
        lambda c, target: true_counterfactual(c, batch=names.index(target)).pixels, task="batch", conditions=names
    )
    table = score_counterfactuals(model, cells)
    assert table["cells"].sum() == len(cells)
    assert (table["error"] == 0).all()
    with pytest.raises(CellsError, match="no cells to turn into batch 1"):
        score_counterfactuals(model, cells.take((cells.table["batch"] == "batch 1").to_numpy()))
