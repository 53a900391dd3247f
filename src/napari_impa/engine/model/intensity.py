"""From the camera's units to what the networks see, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.reading import read_pixels
from napari_impa.errors import CellsError

LEVELS = 255.0
"""The published data are uint8 crops; other depths are mapped to 0…255 first."""


SAMPLE_CELLS, SAMPLE_BYTES, SAMPLE_RUN = 2000, 128 << 20, 8
"""Cells and bytes that limits are taken from, at most, and neighbours among them, which are read together."""


def intensity_limits(
    pixels: NDArray[Any], rows: NDArray[np.intp] | None = None, *, size: int | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """Lower and upper intensity of each channel, (C, 2), in the camera's units.

    8-bit images that use their range keep 0…255, as published; otherwise the 0.05 and 99.95 % quantiles of a
    sample of cells.

    Parameters
    ----------
    pixels
        (N, C, S, S), an array or a memory map.
    rows
        Rows of the cells to take the limits from; None for all.
    size
        Take only the middle of the crops, of this side in pixels.
    seed
        Of the sample.

    Raises
    ------
    CellsError
        If a channel is empty (all its pixels are the same) or holds NaN only.
    """
    rows = np.arange(len(pixels)) if rows is None else np.sort(rows)
    count = max(1, min(SAMPLE_CELLS, SAMPLE_BYTES // max(1, pixels[:1].nbytes)))
    if len(rows) > count:
        runs, wanted = -(-len(rows) // SAMPLE_RUN), -(-count // SAMPLE_RUN)
        firsts = SAMPLE_RUN * np.sort(np.random.default_rng(seed).choice(runs, wanted, replace=False))
        places = (firsts[:, None] + np.arange(SAMPLE_RUN)).ravel()
        rows = rows[places[places < len(rows)]]
    sample = read_pixels(pixels, rows, size)
    values = np.moveaxis(sample, 1, 0).reshape(pixels.shape[1], -1)
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


def as_tensor(pixels: NDArray[Any]) -> Tensor:
    """Camera pixels as torch keeps them: uint8, int8, uint16, int16, float16 as they are, the rest as float32."""
    kept = pixels.dtype.newbyteorder("=") if pixels.dtype.name in KEPT else np.dtype(np.float32)
    return torch.from_numpy(np.require(pixels, kept, ("C", "W")))


KEPT = ("uint8", "int8", "uint16", "int16", "float16")


def movable(pixels: Tensor) -> Tensor:
    """The same memory in a type that torch can index, assign and flip: uint16 as int16, the others as they are."""
    return pixels.view(torch.int16) if pixels.dtype == torch.uint16 else pixels


def to_levels(pixels: NDArray[Any] | Tensor, limits: NDArray[np.float64]) -> Tensor:
    """Camera pixels (N, C, S, S) → levels 0…255, float32, clipped at the limits; NaN becomes the lower limit."""
    if not isinstance(pixels, Tensor):
        pixels = as_tensor(pixels)
    lower = limits[:, 0, None, None].astype(np.float32)
    scale = np.float32(LEVELS) / (limits[:, 1, None, None] - limits[:, 0, None, None]).astype(np.float32)
    if pixels.dtype == torch.uint16:  # not every device converts it
        pixels = movable(pixels).to(torch.int32) & 0xFFFF
    levels = pixels.to(torch.float32, copy=True)
    levels.sub_(torch.from_numpy(lower).to(levels.device)).mul_(torch.from_numpy(scale).to(levels.device))
    return levels.nan_to_num_(nan=0.0).clamp_(0.0, LEVELS)


def normalize(levels: Tensor, dither: Tensor | float = 0.5) -> Tensor:
    """Levels 0…255 → [-1, 1]: ((p + U[0, 1)) / 255) · 2 − 1; `dither` is U, its mean at prediction."""
    return (levels + dither) * (2 / LEVELS) - 1


def from_normalized(images: Tensor, limits: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """[-1, 1] images (N, C, S, S) → the camera's units and type; integers are rounded and clipped to their range."""
    levels = (images.float() + 1) * (LEVELS / 2) - 0.5
    span = torch.as_tensor((limits[:, 1] - limits[:, 0]) / LEVELS, dtype=torch.float32)[:, None, None]
    lower = torch.as_tensor(limits[:, 0], dtype=torch.float32)[:, None, None]
    return in_type((levels.cpu() * span + lower).numpy(), dtype)


def in_type(pixels: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Float pixels in the camera's type; integers are rounded and clipped to their range."""
    if np.dtype(dtype).kind in "ui":
        info = np.iinfo(dtype)
        made: NDArray[Any] = np.clip(np.rint(pixels), info.min, info.max).astype(dtype)
        return made
    return pixels.astype(dtype)
