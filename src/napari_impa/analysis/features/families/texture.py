"""How fine and how strong the pattern of a stain is under a mask, whatever its brightness: quick measures of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask
from napari_impa.analysis.ratio import ratio_or_nan

WIDTHS = (3, 7, 15)
"""Sides in pixels of the squares whose means part a stain into fine, middle and coarse pattern."""

BANDS = ("fine", "middle", "coarse")

PAIR = 3
"""Pixels between the two of a pair: CellProfiler's usual scale."""

FLOOR = 1e-3
"""Of the channel's range: what is fainter than this has no pattern."""


def pattern_strength(under: UnderMask, patterns: Patterns) -> Columns:
    """Strength of the pattern in three bands and of the edges, relative to the mean.

    Parameters
    ----------
    under
        What is under the mask.
    patterns
        Of the crops: the same for all their masks.
    """
    mean = np.maximum(under.means, FLOOR)
    numbers = {
        f"Band{width}": (f"{band} pattern", np.sqrt(under.mean(under.under(power))) / mean)
        for width, band, power in zip(WIDTHS, BANDS, patterns.bands, strict=True)
    }
    numbers["Edges"] = ("edges", under.mean(under.under(patterns.edges)) / mean)
    return _of_channels(under, numbers)


def pair_contrast(under: UnderMask, patterns: Patterns) -> Columns:
    """Contrast and evenness of pairs of pixels.

    The contrast is Haralick's, of pairs three pixels apart along rows and columns and without grey levels, as a
    difference (its root) relative to the mean, so that a brighter stain has no more of it. The evenness, 1 − contrast
    over twice the variance, is his correlation where a pair's pixels are as spread as all.
    """
    squares, pairs = np.zeros(under.means.shape), np.zeros(len(under.masks))
    for partner, difference in patterns.partners(under.masks):
        both = partner.ravel()[under.where]
        squares += under.sums(under.under(difference) * both)
        pairs += under.sums(both.astype(np.float64))
    contrast = ratio_or_nan(squares, np.broadcast_to(pairs, squares.shape))
    variance = under.mean((under.values - under.means[:, under.crop]) ** 2)
    even = 1 - ratio_or_nan(contrast, 2 * variance)
    numbers = {
        f"RelativeContrast_{PAIR}": ("contrast of pairs", np.sqrt(contrast) / np.maximum(under.means, FLOOR)),
        f"Evenness_{PAIR}": ("evenness of pairs", np.where(variance > 0, even, 0.0)),
    }
    return _of_channels(under, numbers)


def _of_channels(under: UnderMask, numbers: dict[str, tuple[str, NDArray[np.float64]]]) -> Columns:
    return [
        under.named("texture", f"Texture_{key}_{name}", f"{name}: {title} in the", value[number], name)
        for number, name in enumerate(under.channels)
        for key, (title, value) in numbers.items()
    ]


@dataclass(frozen=True, eq=False)
class Patterns:
    """Maps (n, C, S, S) of the pattern of crops, whatever is masked in them.

    Parameters
    ----------
    bands
        Squares of what lies between two blurs, from fine to coarse.
    edges
        Slope.
    across, down
        Squared difference to the pixel three farther to the right, and three farther down.
    """

    bands: tuple[NDArray[np.float64], ...]
    edges: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]

    @classmethod
    def of(cls, scaled: NDArray[np.float64]) -> Patterns:
        """Find them in crops (n, C, S, S)."""
        if not len(scaled):
            return cls((scaled,) * len(BANDS), scaled, scaled, scaled)
        scaled = scaled.astype(np.float32)
        fine, bands = scaled, []
        for width in WIDTHS:
            coarse = ndi.uniform_filter(scaled, (0, 0, width, width))
            bands.append((fine - coarse) ** 2)
            fine = coarse
        down, across = np.gradient(scaled, axis=(2, 3))
        right, below = np.zeros_like(scaled), np.zeros_like(scaled)
        right[..., :-PAIR] = (scaled[..., PAIR:] - scaled[..., :-PAIR]) ** 2
        below[..., :-PAIR, :] = (scaled[..., PAIR:, :] - scaled[..., :-PAIR, :]) ** 2
        return cls(tuple(bands), np.sqrt(down**2 + across**2), right, below)

    def partners(self, masks: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
        """For both directions: which pixels' partners are under masks (n, S, S), and the squared difference to them."""
        right, below = np.zeros(masks.shape, bool), np.zeros(masks.shape, bool)
        right[..., :-PAIR], below[..., :-PAIR, :] = masks[..., PAIR:], masks[..., PAIR:, :]
        yield right, self.across
        yield below, self.down
