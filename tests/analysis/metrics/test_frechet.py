import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from napari_impa.analysis.metrics.frechet import frechet_distance, mean_distance
from napari_impa.errors import CellsError


def normal(count, dimensions, seed, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).standard_normal((count, dimensions)) * scale + shift


def test_it_is_the_formula_of_the_paper():
    mixing = np.random.default_rng(2).standard_normal((5, 5))
    a, b = normal(200, 5, 0) @ mixing, normal(300, 5, 1, shift=0.3, scale=2)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_one_dimension_has_a_closed_form():
    a, b = normal(50, 1, 0), normal(80, 1, 1, shift=3, scale=5)
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 40), st.integers(0, 99))
def test_symmetric_never_negative_and_zero_to_itself(n, m, dimensions, seed):
    a, b = normal(n, dimensions, seed), normal(m, dimensions, seed + 1, shift=1)
    there, back = frechet_distance(a, b), frechet_distance(b, a)
    assert there >= 0
    assert there == pytest.approx(back, rel=1e-6, abs=1e-6)
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-5)


def test_a_shift_adds_its_square():
    a = normal(20, 40, 0)
    assert frechet_distance(a, a + 0.5) == pytest.approx(40 * 0.25, abs=1e-5)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), "2 cells or more"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "the same features"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(CellsError, match=message):
        frechet_distance(a, b)


def test_the_mean_is_over_five_draws_of_equally_many_cells():
    a, b = normal(60, 3, 0), normal(40, 3, 1, shift=1)
    expected = []
    for draw in range(5):
        rng = np.random.default_rng([7, 4, draw])
        one, other = (rng.permutation(count)[:12] for count in (60, 40))
        expected.append(frechet_distance(a[one], b[other]))
    assert len(set(expected)) == 5
    assert mean_distance(a, b, 12, seed=7) == pytest.approx(np.mean(expected), rel=1e-12)
    assert mean_distance(a, b, 12, seed=8) != pytest.approx(np.mean(expected), rel=1e-3)
