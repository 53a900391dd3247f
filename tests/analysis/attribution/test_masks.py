"""Masks of the pixels that matter most: their sizes, their order, their edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.analysis.attribution.masks import SIZES, growing_masks, pasted


def hill(channel: int = 1, side: int = 48) -> np.ndarray:
    """Attribution of two channels that falls from the middle of one of them; the other speaks against."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    out = np.full((2, side, side), -1.0)
    out[channel] = 1 - np.hypot(y, x) / side
    return out


def test_sizes_grow_from_nothing_to_everything() -> None:
    assert SIZES[0] == 0
    assert SIZES[-1] == 1
    assert (np.diff(SIZES) > 0).all()


def test_a_mask_takes_the_highest_pixels_of_their_channel() -> None:
    (mask,) = growing_masks(hill(), np.array([0.05]))
    assert mask.shape == (2, 48, 48)
    assert mask[1, 24, 24] == pytest.approx(1, abs=1e-3)
    assert mask[0].max() == 0
    y, x = np.nonzero(mask[1] > 0.5)
    radius = np.sqrt(0.05 * 2 * 48**2 / np.pi)
    assert np.hypot(y - 23.5, x - 23.5).max() == pytest.approx(radius, abs=1)


def test_each_mask_has_its_size_and_soft_edges() -> None:
    masks = growing_masks(hill())
    np.testing.assert_allclose(masks.mean((1, 2, 3)), SIZES, atol=0.01)
    assert (masks[0] == 0).all()
    np.testing.assert_allclose(masks[-1], 1, atol=1e-6)
    middle = masks[10]
    assert ((middle > 0.2) & (middle < 0.8)).any()


@given(st.integers(0, 2**32 - 1))
def test_larger_masks_hold_smaller_ones(seed: int) -> None:
    masks = growing_masks(np.random.default_rng(seed).normal(size=(2, 16, 16)))
    assert (np.diff(masks, axis=0) >= -1e-6).all()


def test_one_bright_pixel_counts_less_than_a_bright_patch() -> None:
    """Attributions are noisy; they are smoothed before they are ranked."""
    noisy = np.zeros((1, 48, 48))
    noisy[0, 5, 5] = 3.0
    noisy[0, 30:35, 30:35] = 1.0
    (mask,) = growing_masks(noisy, np.array([9 / 48**2]))
    assert mask[0, 32, 32] > 0.5
    assert mask[0, 5, 5] < 0.1


def test_only_what_is_under_the_mask_changes() -> None:
    before, after = np.zeros((2, 4, 4), np.float32), np.full((2, 4, 4), 8.0, np.float32)
    masks = np.zeros((2, 2, 4, 4), np.float32)
    masks[1, 0, 1, 2], masks[1, 1, 0, 0] = 1, 0.25
    one, other = pasted(before, after, masks)
    assert (one == 0).all()
    assert other[0, 1, 2] == 8
    assert other[1, 0, 0] == 2
    assert other.sum() == 10
