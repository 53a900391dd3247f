"""What mattered, where it is known: a spot in one channel, beside changes that no real cell shows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from spotted_cells import LIMITS, SPOT, with_spots

from napari_impa.analysis.attribution.attributions import Attributions, area_under, attributions
from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier
from napari_impa.analysis.attribution.masks import SIZES
from napari_impa.analysis.attribution.pixel_classifier import scaled
from napari_impa.errors import CellsError
from napari_impa.watch import CancelledError, Reported, Token


def predicted(control: NDArray[np.float64]) -> NDArray[np.float64]:
    """The spot, and a change of the other channel's corner that treatment does not bring about."""
    out = with_spots(control)
    out[:, 1, 22:, 22:] += 150
    return out


@pytest.fixture(scope="module")
def found(classifier: FairPixelClassifier, control: NDArray[np.float64]) -> Attributions:
    return attributions(classifier, control, predicted(control))


def test_the_spot_is_what_mattered(found: Attributions) -> None:
    assert found.flipped.mean() > 0.9
    inside = found.masks[:, 0, SPOT[0].start - 2 : SPOT[0].stop + 2, SPOT[1].start - 2 : SPOT[1].stop + 2]
    assert inside.sum() / found.masks.sum() > 0.9
    assert found.masks[:, 1].sum() / found.masks.sum() < 0.1
    spot = 36 / (2 * 32 * 32)
    assert np.nanmedian(found.sizes) < 2.5 * spot


def test_the_mask_is_the_smallest_that_flips(
    found: Attributions, classifier: FairPixelClassifier, control: NDArray[np.float64]
) -> None:
    start = np.array(
        [
            classifier.classifiers[part].probability(scaled(cell[None], LIMITS))[0]
            for part, cell in zip(classifier.parts, control, strict=True)
        ]
    )
    for row in np.flatnonzero(found.flipped):
        taken = int(np.flatnonzero(found.sizes[row] == SIZES)[0])
        assert start[row] + found.curve[row, taken] > 0.5
        assert (start[row] + found.curve[row, :taken] <= 0.5).all()


def test_the_curve_begins_at_nothing_and_ends_at_the_whole_prediction(
    found: Attributions, classifier: FairPixelClassifier, control: NDArray[np.float64]
) -> None:
    assert (found.curve[:, 0] == 0).all()
    for row in (0, 7):
        judge = classifier.classifiers[classifier.parts[row]]
        ends = [judge.probability(scaled(cells[[row]], LIMITS))[0] for cells in (control, predicted(control))]
        assert found.curve[row, -1] == pytest.approx(ends[1] - ends[0], abs=1e-3)
    np.testing.assert_allclose(found.areas, area_under(found.curve))
    assert np.median(found.areas) > 0.7


def test_the_maps_sum_to_the_change_of_log_odds(
    found: Attributions, classifier: FairPixelClassifier, control: NDArray[np.float64]
) -> None:
    for row in (1, 4):
        judge = classifier.classifiers[classifier.parts[row]]
        one, other = (float(judge.log_odds(scaled(c[[row]], LIMITS))) for c in (control, predicted(control)))
        assert found.maps[row].sum() == pytest.approx(other - one, rel=0.05)


def test_a_prediction_that_changes_nothing_has_no_share(
    classifier: FairPixelClassifier, control: NDArray[np.float64]
) -> None:
    found = attributions(classifier, control[:6], control[:6], rows=np.arange(6))
    assert not found.flipped.any()
    assert (found.maps == 0).all()
    np.testing.assert_allclose(found.areas, 0, atol=1e-6)
    assert (found.masks == 0).all()


def test_a_change_that_is_no_treatment_does_not_flip(
    classifier: FairPixelClassifier, control: NDArray[np.float64]
) -> None:
    after = control[:10].copy()
    after[:, 1, 22:, 22:] += 150
    found = attributions(classifier, control[:10], after, rows=np.arange(10))
    assert found.flipped.mean() < 0.3
    assert np.median(found.areas) < 0.2


def test_swapped_it_says_the_opposite(classifier: FairPixelClassifier, control: NDArray[np.float64]) -> None:
    """The classifier takes what is given as the control for treated, so nothing flips it."""
    found = attributions(classifier, predicted(control[:6]), control[:6], rows=np.arange(6))
    assert not found.flipped.any()
    assert np.isnan(found.sizes).all()
    assert (found.masks == 0).all()
    assert np.median(found.areas) < 0.1
    assert np.median(found.curve[:, -1]) < -0.8


def test_each_cell_by_itself(
    found: Attributions, classifier: FairPixelClassifier, control: NDArray[np.float64]
) -> None:
    rows = np.array([12, 3, 40])
    some = attributions(classifier, control[rows], predicted(control)[rows], rows=rows)
    np.testing.assert_allclose(some.maps, found.maps[rows], atol=1e-3)
    np.testing.assert_allclose(some.curve, found.curve[rows], atol=1e-2)
    assert some.accuracy == found.accuracy == classifier.accuracy


@pytest.mark.parametrize(("curve", "area"), [([0, 1, 1], 0.75), ([0, 0, 1], 0.25), ([0, 0.5, 1], 0.5), ([0, 0, 0], 0)])
def test_the_area_is_that_under_the_curve(curve: list[float], area: float) -> None:
    assert area_under(np.array([curve], float), np.array([0, 0.5, 1]))[0] == area


def test_progress_and_cancel(classifier: FairPixelClassifier, control: NDArray[np.float64]) -> None:
    told: list[tuple[int, int]] = []
    hear = Reported(lambda done, of, what: told.append((done, of)))
    attributions(classifier, control[:9], control[:9], rows=np.arange(9), watch=hear)
    assert told == sorted(told)
    assert told[-1] == (9, 9)
    token = Token(lambda progress: token.cancel())
    with pytest.raises(CancelledError):
        attributions(classifier, control, predicted(control), watch=token)


def test_pairs_must_fit(classifier: FairPixelClassifier, control: NDArray[np.float64]) -> None:
    with pytest.raises(CellsError, match="each control beside its prediction"):
        attributions(classifier, control, control[:5])
    with pytest.raises(CellsError, match="with 2 rows"):
        attributions(classifier, control[:5], control[:5], rows=np.arange(2))
