from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.engine.model import intensity
from napari_impa.engine.model.intensity import (
    as_tensor,
    from_normalized,
    intensity_limits,
    movable,
    normalize,
    to_levels,
)
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


def test_limits_of_many_cells_are_those_of_a_sample_of_the_rows_given() -> None:
    rows = np.arange(9000)
    pixels = np.broadcast_to(np.where(rows < 6000, rows, 60_000).reshape(-1, 1, 1, 1), (9000, 1, 4, 4)).astype(
        np.uint16
    )
    limits = intensity_limits(pixels, rows[:6000:2])
    assert limits[0, 0] < 100
    assert 5900 < limits[0, 1] < 6000
    assert intensity_limits(pixels)[0, 1] == 60_000


def test_the_sample_is_bounded_in_cells_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[np.ndarray] = []
    real = intensity.read_pixels
    monkeypatch.setattr(
        intensity, "read_pixels", lambda pixels, rows, size: read.append(rows) or real(pixels, rows, size)
    )
    pixels = np.random.default_rng(0).integers(0, 999, (5003, 1, 4, 4), dtype=np.uint16)
    intensity_limits(pixels)
    monkeypatch.setattr(intensity, "SAMPLE_BYTES", 32 * 400)
    intensity_limits(pixels)
    assert [len(rows) for rows in read] == [2000, 400]
    assert (np.diff(read[1]).reshape(-1)[:7] == 1).all()  # neighbours


def test_the_middle_of_the_crops_makes_the_limits() -> None:
    pixels = np.random.default_rng(0).random((4, 1, 8, 8)).astype(np.float32)
    pixels[:, :, 0] = 100
    assert intensity_limits(pixels, size=6)[0, 1] < 1.1
    assert intensity_limits(pixels)[0, 1] > 90


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", ">u2", "int16", "uint32", "float16", "float32", "float64"]
)
def test_levels_of_tensors_are_those_of_arrays(dtype: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 120, (3, 2, 4, 4)).astype(dtype)
    if np.dtype(dtype).kind == "u" and np.dtype(dtype).itemsize == 2:
        pixels += 60_000
    limits = np.array([[10.0, 99.0], [60_010.0, 60_100.0]])
    expected = np.clip(
        (pixels.astype(np.float64) - limits[:, 0, None, None]) * 255 / np.diff(limits)[:, :, None], 0, 255
    )
    for held in (pixels, as_tensor(pixels)):
        torch.testing.assert_close(to_levels(held, limits), torch.from_numpy(expected).float(), atol=2e-3, rtol=1e-5)
    assert torch.equal(
        movable(as_tensor(pixels)).flip(-1).flip(-1).view(as_tensor(pixels).dtype).float(), as_tensor(pixels).float()
    )


def test_what_lies_outside_is_clipped_and_nothing_is_the_lower_limit() -> None:
    limits = np.array([[10.0, 265.0]])
    pixels = np.array([np.nan, -5, 10, 137.5, 265, 999], np.float32).reshape(6, 1, 1, 1)
    assert to_levels(pixels, limits).flatten().tolist() == [0, 0, 0, 127.5, 255, 255]
    images = torch.tensor([-9.0, 9.0]).reshape(2, 1, 1, 1)
    for dtype, low, high in (("uint8", 0, 255), ("int16", -1010, 1284), ("uint16", 0, 1284)):
        again = from_normalized(images, limits, np.dtype(dtype))
        assert again.dtype == dtype
        np.testing.assert_allclose(again.flatten(), [low, high], atol=1)
    assert from_normalized(images, limits, np.dtype("float32")).flatten() == pytest.approx([-1010.5, 1284.5], abs=1)
