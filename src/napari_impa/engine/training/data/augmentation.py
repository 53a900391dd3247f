"""Flips, right-angle rotations and dither of a batch on its device; never intensity, which is the phenotype."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.engine.model.intensity import movable, normalize, to_levels

FLIP_PROBABILITY = 0.3
"""Of each of the two flips, as published; ½ where there are rotations too."""


def augment(
    pixels: Tensor,
    limits: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    rotations: bool,
    first: int = 0,
    count: int | None = None,
) -> Tensor:
    """Camera pixels (n, C, S, S) → flipped, perhaps rotated, and dithered images in [-1, 1], on the same device.

    The dither is U[0, 1) on levels 0…255: ((p + U) / 255) · 2 − 1.

    Parameters
    ----------
    pixels
        In a type that `intensity.as_tensor` gives.
    limits
        (C, 2) lower and upper intensity of each channel.
    rng
        Of the batch. A GPU draws its dither with a generator of its own, seeded from this one.
    rotations
        All eight right-angle poses, evenly; otherwise flips alone.
    first, count
        Place of the first cell in a batch of `count` cells, of which these are a part: they get the very numbers that
        they would get if the whole batch were given.
    """
    count = len(pixels) if count is None else count
    mine = slice(first, first + len(pixels))
    chosen = torch.from_numpy(rng.random((3, count)) < (0.5 if rotations else FLIP_PROBABILITY))
    columns, rows, swapped = chosen[:, mine, None, None, None].to(pixels.device)
    dtype, pixels = pixels.dtype, movable(pixels)
    pixels = torch.where(columns, pixels.flip(-1), pixels)
    pixels = torch.where(rows, pixels.flip(-2), pixels)
    if rotations:  # with both flips, a transposition gives all eight poses evenly
        pixels = torch.where(swapped, pixels.transpose(-1, -2), pixels)
    generator = torch.Generator(pixels.device).manual_seed(int(rng.integers(2**63)))
    dither = torch.rand((count, *pixels.shape[1:]), generator=generator, device=pixels.device)
    return normalize(to_levels(pixels.view(dtype), limits), dither[mine])
