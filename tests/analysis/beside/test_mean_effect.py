"""The mean effect, which no network is needed for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from napari_impa.analysis.beside.mean_effect import QUANTILES, apply_effect, mean_effect


def cells(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 4000, (count, 2, 32, 32)).astype(np.uint16)


def test_a_shift_of_one_channel_is_that_shift_at_every_quantile() -> None:
    one = cells(20, 0)
    other = one.copy()
    other[:, 1] += 250
    effect = mean_effect(one, other)
    assert effect.shape == (len(QUANTILES), 2)
    np.testing.assert_allclose(effect[:, 0], 0)
    np.testing.assert_allclose(effect[:, 1], 250)
    np.testing.assert_array_equal(apply_effect(one, effect), other)


def test_it_is_the_mean_of_many_cells() -> None:
    one, other = cells(30, 1), cells(40, 2) // 2
    expected = np.quantile(other, QUANTILES, axis=(2, 3)).mean(1) - np.quantile(one, QUANTILES, axis=(2, 3)).mean(1)
    np.testing.assert_allclose(mean_effect(one, other), expected)
    assert not np.allclose(mean_effect(other, one), expected)  # from the first to the second


def test_moved_cells_have_the_mean_quantiles_of_the_treated() -> None:
    one, other = cells(60, 3), (cells(60, 4) ** 0.9).astype(np.uint16)
    moved = apply_effect(one, mean_effect(one, other))
    np.testing.assert_allclose(
        np.quantile(moved, QUANTILES, axis=(2, 3)).mean(1), np.quantile(other, QUANTILES, axis=(2, 3)).mean(1), atol=5
    )
    # pixels keep their ranks: what a cell looks like is not changed
    assert spearmanr(one[0, 0].ravel(), moved[0, 0].ravel()).statistic > 0.999


@pytest.mark.parametrize(("by", "limit"), [(-5000, 0), (70000, 65535)])
def test_what_a_type_cannot_hold_is_cut_not_wrapped(by: int, limit: int) -> None:
    assert (apply_effect(cells(2, 5), np.full((len(QUANTILES), 2), float(by))) == limit).all()


def test_floats_stay_floats() -> None:
    some = cells(2, 6).astype(np.float32)
    moved = apply_effect(some, np.full((len(QUANTILES), 2), -1e5))
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, some - 1e5, rtol=1e-4)
