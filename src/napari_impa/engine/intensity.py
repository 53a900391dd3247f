"""From the camera's units to what the networks see, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.errors import CellsError

LEVELS = 255.0
"""The published data are uint8 crops; other depths are mapped to 0…255 first."""


def intensity_limits(pixels: NDArray[Any], *, sample: int = 2000, seed: int = 0) -> NDArray[np.float64]:
    """Lower and upper intensity of each channel, (C, 2), in the camera's units.

    8-bit images that use their range keep 0…255, as published; otherwise the 0.05 and 99.95 % quantiles of a
    sample of cells.

    Raises
    ------
    CellsError
        If a channel is empty (all its pixels are the same) or holds NaN only.
    """
    count = len(pixels)
    rows = np.arange(count) if count <= sample else np.sort(np.random.default_rng(seed).choice(count, sample, False))
    values = np.moveaxis(np.asarray(pixels[rows]), 1, 0).reshape(pixels.shape[1], -1)
    if pixels.dtype == np.uint8 and values.size and np.quantile(values, 0.9995, axis=1).min() >= 128:
        return np.tile([0.0, LEVELS], (len(values), 1))
    limits = np.empty((len(values), 2))
    for number, channel in enumerate(values):
        finite = channel[np.isfinite(channel)] if channel.dtype.kind == "f" else channel
        if finite.size == 0 or finite.min() == finite.max():
            raise CellsError(
                f"Channel {number + 1} is empty (all its pixels are {'NaN' if finite.size == 0 else finite.flat[0]}); "
                "leave it out or check the images."
            )
        limits[number] = np.quantile(finite, (0.0005, 0.9995))
        if limits[number, 0] >= limits[number, 1]:
            limits[number] = finite.min(), finite.max()
    return limits


def to_levels(pixels: NDArray[Any], limits: NDArray[np.float64]) -> Tensor:
    """Camera pixels (N, C, S, S) → levels 0…255, float32, clipped at the limits; NaN becomes the lower limit."""
    lower = limits[:, 0, None, None].astype(np.float32)
    scale = np.float32(LEVELS) / (limits[:, 1, None, None] - limits[:, 0, None, None]).astype(np.float32)
    levels = (np.asarray(pixels, np.float32) - lower) * scale
    return torch.from_numpy(np.clip(np.nan_to_num(levels, copy=False, nan=0.0), 0.0, LEVELS))


def normalize(levels: Tensor, dither: Tensor | float = 0.5) -> Tensor:
    """Levels 0…255 → [-1, 1]: ((p + U[0, 1)) / 255) · 2 − 1; `dither` is U, its mean at prediction."""
    return (levels + dither) * (2 / LEVELS) - 1


def from_normalized(images: Tensor, limits: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """[-1, 1] images (N, C, S, S) → the camera's units and type; integers are rounded and clipped to their range."""
    levels = (images.float() + 1) * (LEVELS / 2) - 0.5
    span = torch.as_tensor((limits[:, 1] - limits[:, 0]) / LEVELS, dtype=torch.float32)[:, None, None]
    lower = torch.as_tensor(limits[:, 0], dtype=torch.float32)[:, None, None]
    pixels = (levels.cpu() * span + lower).numpy()
    if np.dtype(dtype).kind in "ui":
        info = np.iinfo(dtype)
        return np.clip(np.rint(pixels), info.min, info.max).astype(dtype)
    return pixels.astype(dtype)
