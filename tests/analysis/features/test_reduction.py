"""Measurements made ready for a distance."""

from __future__ import annotations

import numpy as np
import pytest

from napari_impa.analysis.features.reduction import FURTHEST, MOST_COMPONENTS, Reduction
from napari_impa.errors import CellsError


def features(count: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (count, 6))


def test_the_unit_of_a_measurement_does_not_matter() -> None:
    some = features()
    other = some * [1, 1000, 0.01, 1, 5, 1] + [0, 7, -3, 0, 1e4, 0]
    np.testing.assert_allclose(Reduction.fit(some)(some), Reduction.fit(other)(other), atol=1e-9)


def test_distances_are_those_of_standardised_measurements() -> None:
    some = features()
    low, middle, high = np.percentile(some, [25, 50, 75], axis=0)
    expected = np.clip((some - middle) * 1.349 / (high - low), -FURTHEST, FURTHEST)
    reduced = Reduction.fit(some)(some)
    assert reduced.shape == some.shape
    for one, other in ((0, 1), (5, 9)):
        assert np.linalg.norm(reduced[one] - reduced[other]) == pytest.approx(
            np.linalg.norm(expected[one] - expected[other])
        )


def test_gaps_are_filled_and_constants_left_out() -> None:
    some = features()
    some[:, 1] = 3.0
    some[:150, 2] = np.nan
    some[0, 3] = np.nan
    reduction = Reduction.fit(some)
    assert list(reduction.kept) == [True, False, False, True, True, True]
    reduced = reduction(some)
    assert np.isfinite(reduced).all()
    middle = some.copy()
    middle[0, 3] = np.nanmedian(some[:, 3])
    np.testing.assert_allclose(reduction(middle)[0], reduced[0])


def test_one_odd_cell_does_not_make_a_direction() -> None:
    some = features()
    odd = some.copy()
    odd[0, 0] = 1e9
    assert abs(Reduction.fit(odd)(odd)).max() < 2 * FURTHEST


def test_there_are_fewer_components_than_cells_could_tell() -> None:
    many = np.random.default_rng(1).normal(0, 1, (400, 90))
    assert Reduction.fit(many)(many).shape[1] == MOST_COMPONENTS
    assert Reduction.fit(many[:20])(many).shape[1] == 10


@pytest.mark.parametrize("some", [np.ones((30, 4)), np.full((30, 4), np.nan), np.empty((0, 4))])
def test_nothing_that_differs_is_refused(some: np.ndarray) -> None:
    with pytest.raises(CellsError, match="No measurement differs"):
        Reduction.fit(some)
