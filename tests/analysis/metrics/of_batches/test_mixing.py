import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from napari_impa.analysis.metrics.of_batches.mixing import batch_mixing
from napari_impa.errors import CellsError


def cells(apart, count=60, seed=0):
    features = np.random.default_rng(seed).standard_normal((3 * count, 4))
    batches = np.repeat(["one", "two", "three"], count)
    return features + apart * (np.repeat([0, 1, 2], count)[:, None] * [1, 0, 0, 0]), batches


def test_mixed_and_parted():
    mixed, parted = batch_mixing(*cells(0)), batch_mixing(*cells(50))
    assert mixed.neighbours == pytest.approx(1, abs=0.05)
    assert mixed.silhouette > 0.95
    assert parted.neighbours == 0
    assert parted.silhouette < 0.1
    between = batch_mixing(*cells(2))
    assert 0.2 < between.neighbours < 0.8
    assert 0.1 < between.silhouette < 0.95


def test_by_hand():
    features = np.array([[0.0], [1], [10], [11]])
    found = batch_mixing(features, ["a", "b", "a", "b"], neighbours=3)
    assert found.neighbours == pytest.approx(1)  # all other cells are neighbours, whosever they are
    apart = batch_mixing(features, ["a", "a", "b", "b"], neighbours=1)
    assert apart.silhouette == pytest.approx(1 - silhouette_score(features, [0, 0, 1, 1]))


def test_equally_many_cells_of_each_batch_by_seed():
    features, batches = cells(1)
    some = np.r_[0:60, 60:80, 120:180]
    found = batch_mixing(features[some], batches[some])
    assert found.cells == 20
    assert found == batch_mixing(features[some], batches[some])
    assert found != batch_mixing(features[some], batches[some], seed=1)


@pytest.mark.parametrize(
    ("batches", "factor", "message"),
    [
        (["a"] * 6, 1, "two batches"),
        (["a"] * 5 + ["b"], 1, "two cells or more each"),
        (["a"] * 5, 1, "its batch"),
        (["a", "b"] * 3, np.nan, "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(batches, factor, message):
    with pytest.raises(CellsError, match=message):
        batch_mixing(np.ones((6, 2)) * factor, batches)
