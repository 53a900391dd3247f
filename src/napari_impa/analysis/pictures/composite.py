"""Cells as colour pictures: a colour for each channel, the intensities between which it is shown, and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.words import guess_nuclei_channel

COLOURS = {
    "blue": (0.15, 0.35, 1.0),
    "orange": (1.0, 0.6, 0.0),
    "mint": (0.45, 1.0, 0.75),
    "magenta": (0.85, 0.2, 0.6),
    "yellow": (1.0, 1.0, 0.3),
    "cyan": (0.35, 0.75, 1.0),
    "grey": (1.0, 1.0, 1.0),
}
"""Colours of channels, (red, green, blue) at full intensity; the first stay apart best, for colour-blind eyes too."""

_OTHERS = tuple(name for name in COLOURS if name != "blue")

_BRIGHTEST = 1.0
"""What all channels at full intensity add up to, of red, green or blue, where they are added up by a viewer.

As much as it can show: any more of it would be cut off, and nuclei, which are bright in most channels, be white.
"""


def channel_colours(channels: Sequence[str]) -> list[str]:
    """Name a colour for each channel: that of nuclei blue, the others orange, mint, magenta …; one channel alone grey.

    Where no name is that of a nuclear stain (`guess_nuclei_channel`), the first channel is blue.
    """
    if len(channels) == 1:
        return ["grey"]
    nuclei = guess_nuclei_channel(channels) or 0
    others = iter(_OTHERS * (1 + len(channels) // len(_OTHERS)))
    return ["blue" if number == nuclei else next(others) for number in range(len(channels))]


def colours_to_add(colours: Sequence[str]) -> NDArray[np.float64]:
    """(C, 3) colours for what simply adds channels up, as a viewer's layers do: darker, where many would make white."""
    rgb = np.array([COLOURS[name] for name in colours])
    return np.asarray(rgb * min(1.0, _BRIGHTEST / rgb.sum(axis=0).max()))


def display_limits(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """(C, 2) intensities shown as black and as full colour: the 1 % and 99.7 % quantiles of each channel."""
    values = np.moveaxis(np.asarray(pixels, np.float64), 1, 0).reshape(pixels.shape[1], -1)
    limits = np.nanquantile(values, (0.01, 0.997), axis=1).T
    limits[:, 1] = np.maximum(limits[:, 1], limits[:, 0] + np.finfo(np.float32).eps)
    return limits


def shown_between(pixels: NDArray[Any], limits: NDArray[np.float64]) -> NDArray[np.float32]:
    """How bright pixels (..., C, S, S) are shown between limits (C, 2): 0 to 1, what is missing 0."""
    lower, upper = np.asarray(limits, np.float32).T[:, :, None, None]
    shown = (np.nan_to_num(np.asarray(pixels, np.float32)) - lower) / (upper - lower)
    return np.asarray(np.clip(shown, 0, 1), np.float32)


def composite(pixels: NDArray[Any], limits: NDArray[np.float64], colours: Sequence[str]) -> NDArray[np.uint8]:
    """Mix the channels of cells (n, C, S, S) in their colours: (n, S, S, 3) uint8.

    Each channel colours a pixel by its share of the sum of all, and the pixel is as bright as its brightest channel:
    where many channels are bright at once, the pixel takes their mean colour instead of burning out to white.
    """
    return mixed(shown_between(pixels, limits), np.array([COLOURS[name] for name in colours]))


def mixed(shown: NDArray[np.float32], colours: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Mix channels (n, C, h, w) from 0 to 1 in colours (C, 3), as `composite` says."""
    sums = np.einsum("ncyx,cr->nyxr", shown, colours.astype(np.float32))
    total, brightest = shown.sum(axis=1), shown.max(axis=1)
    sums *= np.divide(brightest, total, out=np.zeros_like(total), where=total > 0)[..., None]
    return np.asarray(np.rint(sums * 255), np.uint8)
