"""Whether a model tells conditions apart."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.metrics.told_apart import told_apart


def sets(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (300, 4)), rng.normal(0, 1, (300, 4)) + np.array([4, 0, 0, 0])


def test_predictions_as_far_apart_as_real_cells_show_all_of_it() -> None:
    one, other = sets()
    assert told_apart(one, other, one, other) == pytest.approx(1)
    assert told_apart(other, one, one, other) == pytest.approx(-1)  # the wrong way round
    assert told_apart(one, one, one, other) == 0
    assert told_apart(one, one + (other.mean(0) - one.mean(0)) / 2, one, other) == pytest.approx(0.5)


def test_a_difference_of_another_kind_does_not_count() -> None:
    one, other = sets()
    aside = one + np.array([0, 3, 0, 0])
    apart = one.mean(0) - other.mean(0)
    expected = float((one.mean(0) - aside.mean(0)) @ apart / (apart @ apart))
    assert told_apart(one, aside, one, other) == pytest.approx(expected)
    assert abs(expected) < 0.1


def test_conditions_that_are_the_same_cannot_be_told_apart() -> None:
    one, _ = sets()
    assert np.isnan(told_apart(one, one + 1, one, one))
