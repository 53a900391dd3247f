import numpy as np
import pytest

from napari_impa.analysis.metrics.identity import coarse_images, identity_rank
from napari_impa.errors import CellsError


def features(count=40, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 30))


def test_by_hand():
    sources = np.array([[1.0, 0, -1], [0, -1, 1], [-1, 1, 0]])
    # Cell 0 is drawn as cell 1, cell 1 as cell 0, cell 2 as itself; cells correlate by −0.5 with both others.
    assert identity_rank(sources, sources[[1, 0, 2]]) == pytest.approx((0.25 + 0.25 + 1) / 3)


def test_the_cells_themselves_and_copies_of_any():
    sources = features()
    assert identity_rank(sources, sources) == 1
    copies = [identity_rank(sources, sources[np.random.default_rng(seed).permutation(40)]) for seed in range(30)]
    assert np.mean(copies) == pytest.approx(0.5, abs=0.03)
    assert identity_rank(sources, features(seed=1)) == pytest.approx(0.5, abs=0.15)
    assert identity_rank(sources, np.zeros_like(sources)) == 0.5


def test_what_all_cells_gain_changes_nothing():
    sources = features()
    turned = 3 * sources + 100 * features(1, 2) + 5
    assert identity_rank(sources, turned) == 1


def test_swapped_arguments_rank_the_other_cells():
    sources = features()
    predicted = sources + 2 * features(seed=1)
    assert identity_rank(sources, predicted) != identity_rank(predicted, sources)
    assert 0.6 < identity_rank(sources, predicted) < 1


def test_too_few_cells_and_what_does_not_fit():
    assert np.isnan(identity_rank(features(1), features(1)))
    with pytest.raises(CellsError, match="one by one"):
        identity_rank(features(3), features(4))
    with pytest.raises(CellsError, match="not finite"):
        identity_rank(features(3), np.full((3, 30), np.nan))


def test_coarse_images_are_means_over_blocks():
    pixels = np.random.default_rng(0).integers(0, 1000, (5, 2, 9, 8)).astype(np.uint16)
    coarse = coarse_images(pixels, side=4).reshape(5, 2, 4, 4)
    blocks = np.empty((5, 2, 4, 4))
    for i in range(4):
        for j in range(4):
            blocks[:, :, i, j] = pixels[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((2, 3))
    expected = (blocks - blocks.mean((0, 2, 3), keepdims=True)) / blocks.std((0, 2, 3), keepdims=True)
    assert coarse == pytest.approx(expected)
    assert np.isfinite(coarse_images(np.full((2, 1, 8, 8), np.nan))).all()
    with pytest.raises(CellsError, match="no 8 × 8 blocks"):
        coarse_images(np.zeros((2, 1, 6, 6)))


def test_each_predicted_cell_ranks_the_sources():
    sources = features(12)
    predicted = sources + 2 * features(12, seed=1)
    ranks = []
    for i in range(12):
        alike = [np.corrcoef(predicted[i] - predicted.mean(0), sources[j] - sources.mean(0))[0, 1] for j in range(12)]
        ranks.append(np.mean([alike[j] < alike[i] for j in range(12) if j != i]))
    assert identity_rank(sources, predicted) == pytest.approx(np.mean(ranks))
