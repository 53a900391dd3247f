from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.engine.intensity import from_normalized, intensity_limits, normalize, to_levels
from napari_impa.errors import CellsError


@given(st.integers(0, 2**32 - 1), st.sampled_from(["uint8", "uint16", "float32"]))
def test_pixels_within_the_limits_come_back(seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    pixels = (rng.random((3, 2, 4, 4)) * 200 + 20).astype(dtype)
    limits = np.array([[0.0, 255.0], [10.0, 300.0]])
    again = from_normalized(normalize(to_levels(pixels, limits)), limits, np.dtype(dtype))
    assert again.dtype == pixels.dtype
    np.testing.assert_allclose(again.astype(float), pixels.astype(float), atol=1e-3 if dtype == "float32" else 0)


def test_published_pixels_are_mapped_as_published() -> None:
    pixels = np.array([0, 100, 255], np.uint8).reshape(3, 1, 1, 1)
    images = normalize(to_levels(pixels, np.array([[0.0, 255.0]])), 0.25)
    torch.testing.assert_close(images.flatten(), torch.tensor([(p + 0.25) / 255 * 2 - 1 for p in (0, 100, 255)]))


def test_limits_keep_eight_bits_that_use_their_range() -> None:
    rng = np.random.default_rng(0)
    bright = rng.integers(0, 256, (10, 2, 8, 8), dtype=np.uint8)
    assert intensity_limits(bright).tolist() == [[0, 255], [0, 255]]
    assert intensity_limits(bright // 8)[:, 1].max() < 32


def test_an_empty_channel_is_named() -> None:
    pixels = np.zeros((4, 2, 8, 8), np.float32)
    pixels[:, 0] = np.random.default_rng(0).random((4, 8, 8))
    with pytest.raises(CellsError, match="Channel 2 is empty"):
        intensity_limits(pixels)
    pixels[:, 1] = np.nan
    with pytest.raises(CellsError, match="Channel 2 is empty"):
        intensity_limits(pixels)
