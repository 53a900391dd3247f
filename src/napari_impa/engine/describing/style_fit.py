"""From the numbers that describe conditions to their styles: a ridge regression that keeps the known styles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Watch

Floats = NDArray[np.float64]

KEPT = 0.05
"""How far, in units of the spread between conditions, known styles may move for the sake of unknown ones."""

RIDGES = tuple(10.0**power for power in np.arange(-4, 1.5, 0.5))
"""Strengths of the ridge that are tried, in units of the variance of the descriptions."""

CONSTANT = 100.0
"""Prior variance of what all conditions share, in the same units, where that is fitted: hardly held back."""

LEAST = 3
"""Different descriptions that a fit needs at least: one to leave out, and two that it is told from."""

FOLDS = 50
"""Parts in which descriptions are left out, at most; each is alone in its part where there are no more of them."""


@dataclass(frozen=True, eq=False)
class StyleFit:
    """A linear map from descriptions (f,) to styles (d,), and how good it is.

    Parameters
    ----------
    weight
        (f, d); the style of a description x is `constant + x @ weight`.
    constant
        (d,).
    ridge
        Strength that was chosen, in units of the variance of the descriptions.
    moved
        (K,) how far the style of each known condition is from what it was, in units of the spread between conditions
        (root mean square distance from their mean).
    left_out
        (K,) how far the style of each condition is from what is predicted for it by a fit that was told neither it nor
        the others of its description, in units of such a prediction by the mean of the conditions that it was told.
    groups
        (K,) numbers of the different descriptions; conditions that share one cannot be told apart.
    """

    weight: Floats
    constant: Floats
    ridge: float
    moved: Floats
    left_out: Floats
    groups: NDArray[np.intp]

    @property
    def error(self) -> float:
        """Root mean square of `left_out`: 0 is perfect, 1 no better than the mean of the other conditions."""
        return float(np.sqrt(np.mean(self.left_out**2)))

    @property
    def alike(self) -> list[NDArray[np.intp]]:
        """Numbers of the conditions that share a description, a set each."""
        sizes = np.bincount(self.groups)
        return [np.flatnonzero(self.groups == number) for number in np.flatnonzero(sizes > 1)]


def fit_styles(
    vectors: NDArray[Any], styles: NDArray[Any], *, nothing: NDArray[Any] | None = None, watch: Watch = UNWATCHED
) -> StyleFit:
    """Fit the map from descriptions to styles, in its dual form, as there are fewer conditions than numbers.

    How strong the ridge is, is chosen by the error of conditions left out (Allen, Technometrics 16:125, 1974), among
    those that keep known styles (`KEPT`) or come nearly as close to that as any can. The error that is reported is that
    of a choice made anew without each condition left out (Varma & Simon, BMC Bioinformatics 7:91, 2006).

    Parameters
    ----------
    vectors
        (K, f) descriptions of the conditions, as the mapping network takes them.
    styles
        (K, d) their styles.
    nothing
        (d,) style of a condition that has nothing in common with those; where None, what all share is fitted too.
    watch
        Told how many parts are left out already.

    Raises
    ------
    ConditionError
        If fewer than three conditions have different descriptions, or all have one style.
    """
    x, target = np.asarray(vectors, float), np.asarray(styles, float)
    start = np.zeros(target.shape[1]) if nothing is None else np.asarray(nothing, float)
    y = target - start
    groups = np.unique(x, axis=0, return_inverse=True)[1].reshape(-1)
    different = int(groups.max()) + 1 if len(groups) else 0
    if different < LEAST:
        raise ConditionError(
            f"The conditions have {different} different descriptions, and at least {LEAST} are needed to learn from "
            "them how cells look."
        )
    spread = _length(target - target.mean(0))
    if not spread > 1e-9 * _length(target):
        raise ConditionError("All conditions of the model have one and the same style, so there is nothing to learn.")
    gram, constant = x @ x.T, CONSTANT * (nothing is None)
    residuals, plain = np.empty_like(y), np.empty_like(y)
    parts = groups % min(different, FOLDS)
    for number in range(int(parts.max()) + 1):
        watch.check()
        out, told = np.flatnonzero(parts == number), np.flatnonzero(parts != number)
        best = _best(gram[np.ix_(told, told)], y[told], groups[told], constant)
        residuals[out] = y[out] - (gram[np.ix_(out, told)] + best.constant) @ best.dual
        plain[out] = y[out] - y[told].mean(0)
        watch.report(number + 1, int(parts.max()) + 1, "conditions left out")
    best = _best(gram, y, groups, constant)
    return StyleFit(
        x.T @ best.dual,
        start + best.constant * best.dual.sum(0),
        best.ridge,
        np.linalg.norm(best.residual, axis=1) / spread,
        np.linalg.norm(residuals, axis=1) / _length(plain),
        groups,
    )


@dataclass(frozen=True, eq=False)
class _Choice:
    """One fit: the dual coefficients (K, d), what it leaves of the known (K, d), and its error on what is left out."""

    constant: float
    ridge: float
    dual: Floats
    residual: Floats
    error: float


def _best(gram: Floats, y: Floats, groups: NDArray[np.intp], constant: float) -> _Choice:
    """Choose the fit with the least error on what is left out, of those that keep known styles as well as they can."""
    tried = list(_fits(gram, y, groups, constant))
    spread = _length(y - y.mean(0))
    moved = [_length(one.residual) for one in tried]
    allowed = max(KEPT * spread, 1.1 * min(moved))
    return min((one for one, far in zip(tried, moved, strict=True) if far <= allowed), key=lambda one: one.error)


def _fits(gram: Floats, y: Floats, groups: NDArray[np.intp], constant: float) -> Iterator[_Choice]:
    """Every fit that is tried, by one decomposition of the Gram matrix (K, K)."""
    count = len(gram)
    variance = (np.trace(gram) - gram.sum() / count) / count or 1.0
    together = [np.flatnonzero(groups == number) for number in np.unique(groups)]
    constant *= variance
    values, axes = np.linalg.eigh(gram + constant)
    for ridge in RIDGES:
        shrunk = axes / (values.clip(min=0) + ridge * variance)
        dual = shrunk @ (axes.T @ y)
        # what is left out is predicted without fitting anew: by its own block of the inverse
        left = [np.linalg.solve(shrunk[rows] @ axes[rows].T, dual[rows]) for rows in together]
        yield _Choice(constant, ridge, dual, ridge * variance * dual, _length(np.concatenate(left)))


def _length(rows: Floats) -> float:
    """Root mean square length of the rows."""
    return float(np.sqrt(np.mean(np.sum(rows**2, axis=1))))
