"""Cells as colour pictures: a colour for each channel, the intensities between which it is shown, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.words import guess_nuclei_channel

COLOURS = {
    "blue": (0.25, 0.4, 1.0),
    "green": (0.1, 1.0, 0.2),
    "red": (1.0, 0.2, 0.15),
    "magenta": (1.0, 0.2, 1.0),
    "yellow": (1.0, 0.9, 0.1),
    "cyan": (0.1, 0.9, 1.0),
    "grey": (1.0, 1.0, 1.0),
}
"""Colours of channels, (red, green, blue) at full intensity."""

_OTHERS = ("red", "green", "yellow", "magenta", "cyan", "grey")


def channel_colours(channels: Sequence[str]) -> list[str]:
    """Name a colour for each channel: that of nuclei blue, the others red, green, yellow …; one channel alone grey.

    Where no name is that of a nuclear stain (`guess_nuclei_channel`), the first channel is blue.
    """
    if len(channels) == 1:
        return ["grey"]
    nuclei = guess_nuclei_channel(channels) or 0
    others = iter(_OTHERS * (1 + len(channels) // len(_OTHERS)))
    return ["blue" if number == nuclei else next(others) for number in range(len(channels))]


def display_limits(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """(C, 2) intensities shown as black and as full colour: the 1 % and 99.7 % quantiles of each channel."""
    values = np.moveaxis(np.asarray(pixels, np.float64), 1, 0).reshape(pixels.shape[1], -1)
    limits = np.nanquantile(values, (0.01, 0.997), axis=1).T
    limits[:, 1] = np.maximum(limits[:, 1], limits[:, 0] + np.finfo(np.float32).eps)
    return limits


def composite(pixels: NDArray[Any], limits: NDArray[np.float64], colours: Sequence[str]) -> NDArray[np.uint8]:
    """Add up the channels of cells (n, C, S, S) in their colours: (n, S, S, 3) uint8."""
    lower, upper = np.asarray(limits, np.float64).T[:, :, None, None]
    shown = np.clip((np.nan_to_num(np.asarray(pixels, np.float64)) - lower) / (upper - lower), 0, 1)
    mixed = np.einsum("ncyx,cr->nyxr", shown, np.array([COLOURS[name] for name in colours]))
    return np.asarray((np.clip(mixed, 0, 1) * 255).round(), np.uint8)
