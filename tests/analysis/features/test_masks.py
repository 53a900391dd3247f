"""Nucleus and body of the cell at the centre."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_cells import drawn_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.filters import threshold_li

from napari_impa.analysis.features.masks import _li, find_masks, scaled_crops

LIMITS = np.tile([200.0, 4200.0], (3, 1))


def test_scaling_keeps_what_is_above_the_limits_and_nothing_below() -> None:
    pixels = np.array([0, 200, 2200, 8200, np.nan, np.inf]).reshape(1, 1, 2, 3)
    np.testing.assert_allclose(scaled_crops(pixels, LIMITS[:1]).ravel(), [0, 0, 0.5, 2, 0, 0])


def test_the_body_holds_its_own_nucleus_and_ends_half_way_to_the_other() -> None:
    rows, columns = np.indices((64, 64))
    scaled = np.zeros((1, 2, 64, 64))
    for across in (20, 44):
        scaled[0, 0] += np.hypot(rows - 32, columns - across) < 6
    scaled[0, 1] = 0.5 * ((abs(rows - 32) < 12) & (columns > 6) & (columns < 58))
    masks = find_masks(scaled, 0)
    centre = (masks.nucleus[0] * columns).sum() / masks.nucleus[0].sum()
    assert round(centre) in (20, 44)
    assert (masks.cell & masks.nucleus).sum() == masks.nucleus.sum()
    width = masks.cell[0].any(0)
    assert abs(np.flatnonzero(width)[0 if centre > 32 else -1] - 32) <= 1
    assert abs(masks.covered[0].any(0).sum() - 53) <= 4


def test_a_crop_full_of_cells_is_covered_however_uneven() -> None:
    rng = np.random.default_rng(0)
    scaled = rng.uniform(0.15, 0.9, (1, 2, 64, 64))
    scaled[0, 0] = np.hypot(*(np.indices((64, 64)) - 32)) < 8
    masks = find_masks(scaled, 0)
    assert masks.covered.all()
    assert masks.cell.all()


def test_without_a_nucleus_the_body_is_what_lies_under_the_centre() -> None:
    scaled = np.zeros((2, 2, 64, 64))
    scaled[0, 1, 20:44, 20:44] = 0.5
    masks = find_masks(scaled, 0)
    assert not masks.nucleus.any()
    assert 400 < masks.cell[0].sum() < 900
    assert not masks.cell[1].any()


def test_the_threshold_is_lis(drawn: NDArray[np.uint16]) -> None:
    crops = scaled_crops(drawn, LIMITS)[:, 1]
    expected = [threshold_li(crop) for crop in crops]
    np.testing.assert_allclose(_li(crops), expected, atol=0.02 * np.ptp(crops))


@given(st.integers(0, 50), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_turned_crops_have_turned_masks(seed: int, turns: int) -> None:
    scaled = scaled_crops(drawn_cells(2, seed=seed, side=47), LIMITS)
    masks, turned = find_masks(scaled, 0), find_masks(np.rot90(scaled, turns, (2, 3)), 0)
    for name in ("nucleus", "cell", "covered"):
        before, after = np.rot90(getattr(masks, name), turns, (1, 2)), getattr(turned, name)
        # Ties of a watershed, and of what is as near to one nucleus as to another, go by the order of the pixels.
        assert (before != after).mean() < 0.01
        assert before.any()


@pytest.mark.parametrize("channels", [1, 6])
def test_any_number_of_channels_has_masks(channels: int) -> None:
    scaled = scaled_crops(drawn_cells(3, channels), np.tile([200.0, 4200.0], (channels, 1)))
    masks = find_masks(scaled, channels - 1)
    assert masks.cell.any((1, 2)).all()
    assert masks.nucleus.any((1, 2)).all()
