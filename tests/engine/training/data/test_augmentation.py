from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_impa.engine.training.data.augmentation import augment

LIMITS = np.array([[0.0, 255.0]])


def poses(rotations: bool) -> dict[tuple[int, ...], int]:
    """How often each pose of a cell with four different corners occurs among 8,000."""
    cell = torch.tensor([[[[0, 80], [160, 240]]]], dtype=torch.uint8)
    images = augment(cell.expand(8000, -1, -1, -1), LIMITS, np.random.default_rng(1), rotations=rotations)
    levels = ((images + 1) * 127.5 / 80).floor().int().flatten(1)
    found, counts = np.unique(levels.numpy(), axis=0, return_counts=True)
    return dict(zip(map(tuple, found.tolist()), counts.tolist(), strict=True))


def test_published_flips_have_a_probability_of_three_tenths_each() -> None:
    found = poses(rotations=False)
    expected = {(0, 1, 2, 3): 0.49, (1, 0, 3, 2): 0.21, (2, 3, 0, 1): 0.21, (3, 2, 1, 0): 0.09}
    assert set(found) == set(expected)
    for pose, fraction in expected.items():
        assert abs(found[pose] / 8000 - fraction) < 0.02  # about four standard deviations


def test_with_rotations_all_eight_poses_come_evenly() -> None:
    found = poses(rotations=True)
    assert len(found) == 8
    assert all(abs(count / 8000 - 1 / 8) < 0.015 for count in found.values())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_dither_is_uniform_below_the_next_level(dtype: type) -> None:
    pixels = torch.from_numpy(np.full((50, 1, 16, 16), 100, dtype))
    images = augment(pixels, LIMITS, np.random.default_rng(0), rotations=True)
    dither = (images.double() + 1) * 127.5 - 100
    assert images.dtype == torch.float32
    assert -1e-4 < dither.min() < 0.01
    assert 0.99 < dither.max() < 1 + 1e-4
    assert abs(dither.mean() - 0.5) < 0.01
    assert abs(dither.var() - 1 / 12) < 0.005


@pytest.mark.parametrize("first", [0, 3, 7])
def test_a_part_of_a_batch_gets_the_numbers_of_its_place(first: int) -> None:
    pixels = torch.randint(0, 256, (8, 3, 8, 8), dtype=torch.uint8)
    limits = np.tile(LIMITS, (3, 1))
    whole = augment(pixels, limits, np.random.default_rng(5), rotations=True)
    part = augment(pixels[first : first + 2], limits, np.random.default_rng(5), rotations=True, first=first, count=8)
    assert torch.equal(whole[first : first + 2], part)
    assert not torch.equal(whole, augment(pixels, limits, np.random.default_rng(6), rotations=True))
