"""The map from descriptions to styles: against scikit-learn, on conditions left out, and where it must say no."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from napari_impa.engine.describing import style_fit
from napari_impa.engine.describing.style_fit import FOLDS, KEPT, RIDGES, StyleFit, fit_styles
from napari_impa.errors import ConditionError


def told(count: int, features: int, *, noise: float = 0.0, seed: int = 0) -> tuple[Any, Any]:
    """Bits of conditions, and styles of 5 dimensions that follow from them but for some noise."""
    rng = np.random.default_rng(seed)
    bits = (rng.random((count, features)) < 0.3).astype(float)
    return bits, bits @ rng.normal(size=(features, 5)) + noise * rng.normal(size=(count, 5))


def predicted(fit: StyleFit, vectors: Any) -> Any:
    return fit.constant + vectors @ fit.weight


def test_known_styles_stay_and_unknown_ones_follow() -> None:
    bits, styles = told(40, 12)
    fit = fit_styles(bits[:30], styles[:30], nothing=np.zeros(5))
    assert fit.moved.max() < KEPT
    assert fit.error < 0.1
    np.testing.assert_allclose(predicted(fit, bits[30:]), styles[30:], atol=0.1)


def test_what_has_nothing_in_common_leaves_cells_as_they_are() -> None:
    bits, styles = told(20, 60)
    control = np.full(5, 3.0)
    fit = fit_styles(bits, styles + control, nothing=control)
    np.testing.assert_allclose(predicted(fit, np.zeros(60)), control, atol=1e-9)


def test_what_all_conditions_share_is_a_constant() -> None:
    bits, styles = told(20, 60)
    fit = fit_styles(bits, 0.1 * styles + 50)
    assert np.linalg.norm(predicted(fit, np.zeros(60)) - 50) < 2
    np.testing.assert_allclose(predicted(fit, bits), 0.1 * styles + 50, atol=0.1)


@pytest.mark.parametrize("constant", [0.0, 2.0])
def test_the_error_of_one_left_out_is_that_of_a_fit_without_it(constant: float) -> None:
    """The short cut by blocks of the inverse, against scikit-learn fitted without each group of conditions."""
    bits, styles = told(9, 30, noise=1.0)
    bits[3], groups = bits[2], np.array([0, 1, 2, 2, 3, 4, 5, 6, 7])
    gram = bits @ bits.T
    for one in style_fit._fits(gram, styles, groups, constant):
        variance = (np.trace(gram) - gram.sum() / 9) / 9
        widened = np.column_stack([bits, np.full(9, np.sqrt(one.constant))])
        left = np.empty_like(styles)
        for group in np.unique(groups):
            out = groups == group
            ridge = Ridge(one.ridge * variance, fit_intercept=False, solver="cholesky")
            left[out] = styles[out] - ridge.fit(widened[~out], styles[~out]).predict(widened[out])
        assert one.error == pytest.approx(np.sqrt(np.mean(np.sum(left**2, 1))), rel=1e-4)


def test_descriptions_that_say_nothing_are_no_better_than_the_mean() -> None:
    """Shuffled descriptions come out at 1 or above, true ones far below; what is known stays all the same."""
    bits, styles = told(25, 200, noise=0.1)
    shuffled = np.random.default_rng(1).permutation(25)
    true, wrong = (fit_styles(rows, styles, nothing=styles.mean(0)) for rows in (bits, bits[shuffled]))
    assert true.error < 0.95 < wrong.error
    assert wrong.moved.max() < 2 * KEPT


def test_the_error_is_honest_with_few_conditions() -> None:
    """Of styles that have nothing to do with the descriptions, the mean error over many draws is not below 1."""
    rng = np.random.default_rng(0)
    errors = [fit_styles(told(5, 100, seed=n)[0], rng.normal(size=(5, 4))).error for n in range(20)]
    assert np.mean(errors) > 1


def test_conditions_of_one_description_are_named_and_left_out_together() -> None:
    bits, styles = told(12, 40, noise=1.0)
    bits[7] = bits[2]
    fit = fit_styles(bits, styles)
    (same,) = fit.alike
    assert same.tolist() == [2, 7]
    np.testing.assert_allclose(predicted(fit, bits[2]), styles[[2, 7]].mean(0), atol=0.6)
    assert fit.moved[[2, 7]].min() > 2 * np.delete(fit.moved, [2, 7]).max()
    apart = fit_styles(np.delete(bits, 7, 0), np.delete(styles, 7, 0))
    assert fit.left_out[2] * np.sqrt(12) > 0.5 * apart.left_out[2]  # its twin did not give it away


def test_few_numbers_move_what_they_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    assert fit_styles(rng.normal(size=(30, 3)), rng.normal(size=(30, 8))).moved.mean() > 0.5


def test_many_conditions_are_left_out_in_parts() -> None:
    bits, styles = told(2 * FOLDS + 3, 20)
    seen: list[tuple[int, int]] = []

    class Counted:
        def check(self) -> None: ...

        def report(self, done: int, of: int, what: str = "") -> None:
            seen.append((done, of))

    assert fit_styles(bits, styles, watch=Counted()).error < 0.2
    assert seen == [(number + 1, FOLDS) for number in range(FOLDS)]


@pytest.mark.parametrize(
    ("vectors", "styles", "message"),
    [
        (np.eye(2), np.eye(2), "2 different descriptions, and at least 3"),
        (np.ones((5, 4)), np.eye(5), "1 different descriptions"),
        (np.eye(4), np.ones((4, 3)), "one and the same style"),
    ],
)
def test_what_cannot_be_fitted_is_said(vectors: Any, styles: Any, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        fit_styles(vectors, styles)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 9), st.integers(1, 20), st.integers(0, 10_000), st.booleans(), st.sampled_from([0.125, 1024.0]))
def test_any_descriptions_give_finite_numbers(count: int, features: int, seed: int, known: bool, scale: float) -> None:
    """Also bits of which many are alike, of fewer features than conditions, in any unit."""
    bits, styles = told(count, features, noise=1.0, seed=seed)
    if len(np.unique(bits, axis=0)) < 3:
        return
    nothing = np.zeros(5) if known else None
    fit = fit_styles(bits, scale * styles, nothing=nothing)
    for numbers in (fit.weight, fit.constant, fit.moved, fit.left_out):
        assert np.isfinite(numbers).all()
    assert fit.ridge in RIDGES
    again = fit_styles(bits, styles, nothing=nothing)
    np.testing.assert_allclose(fit.left_out, again.left_out, rtol=1e-4, atol=1e-6)
