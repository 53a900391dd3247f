"""Haralick's measures of a stain's texture under a mask (CellProfiler's MeasureTexture), of many crops at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask

SCALE, LEVELS = 3, 32
"""Pixels between the two of a pair, and grey levels: a nucleus of a crop holds too few pairs for CellProfiler's 256."""

BRIGHTEST = 3.0
"""Times the mean of the stain under the mask that is the brightest grey level."""

DARKEST = 9 / 255
"""Of the brightest: the darkest grey level that is not nought, which MeasureTexture passes over."""

WAYS = ((0, 1), (1, 1), (1, 0), (1, -1))

TITLES = {
    "AngularSecondMoment": "uniformity",
    "Contrast": "contrast",
    "Correlation": "evenness (correlation)",
    "Variance": "variance",
    "InverseDifferenceMoment": "homogeneity",
    "SumVariance": "variance of pairs",
    "SumEntropy": "disorder of pairs",
    "Entropy": "disorder (entropy)",
    "DifferenceEntropy": "disorder of differences",
    "InfoMeas1": "information (first measure)",
    "InfoMeas2": "information (second measure)",
}

LEVEL = np.arange(LEVELS)
SUM, DIFFERENCE = (
    (of.ravel()[:, None] == np.arange(of.max() + 1)).astype(np.float64)
    for of in (np.add.outer(LEVEL, LEVEL), np.abs(np.subtract.outer(LEVEL, LEVEL)))
)
"""(levels², …) which sum, and which difference, a pair of levels has."""


def haralick(under: UnderMask) -> Columns:
    """Eleven measures of each channel, each the mean over four directions; NaN where one holds no pair of pixels.

    Grey levels are counted in each stain's own mean under the mask, so that texture is told apart from brightness: a
    stain that is twice as bright all over has the same texture. Of CellProfiler's thirteen, the mean of pairs is left
    out, which then says nothing, and the variance of differences, which is that of a histogram's heights
    (Haralick, Shanmugam & Dinstein, IEEE Transactions on Systems, Man, and Cybernetics 3, 1973).
    """
    found: Columns = []
    pairs = list(_pairs(under))
    for values, mean, name in zip(under.values, under.means, under.channels, strict=True):
        whole = np.where(mean > 0, BRIGHTEST * mean, 1.0)[under.crop]
        levels = (np.rint(np.clip(values / whole, DARKEST, 1) * 255) / 255 * (LEVELS - 1)).astype(np.intp)
        measured = [_of_pairs(_matrices(levels, first, second, under)) for first, second in pairs]
        for key, title in TITLES.items():
            numbers = np.mean([way[key] for way in measured], axis=0)
            words = f"{name}: {title} of the texture in the"
            found.append(under.named("texture", f"Texture_{key}_{SCALE}_{name}", words, numbers, name))
    return found


def _pairs(under: UnderMask) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """For each direction, numbers of the first and the second pixel of each pair, both under the mask."""
    height, width = under.masks.shape[1:]
    number = np.full(under.masks.size, -1, np.intp)
    number[under.where] = np.arange(len(under.where))
    for down, across in WAYS:
        rows, columns = under.rows + SCALE * down, under.columns + SCALE * across
        inside = (rows < height) & (columns < width) & (columns >= 0)
        second = number[under.where[inside] + SCALE * (down * width + across)]
        first = np.flatnonzero(inside)[second >= 0]
        yield first, second[second >= 0]


def _matrices(
    levels: NDArray[np.intp], first: NDArray[np.intp], second: NDArray[np.intp], under: UnderMask
) -> NDArray[np.float64]:
    """(n, levels, levels) share of the pairs of each crop that have these levels, in either order."""
    count = len(under.masks)
    which = (under.crop[first] * LEVELS + levels[first]) * LEVELS + levels[second]
    counts = np.bincount(which, minlength=count * LEVELS**2).reshape(count, LEVELS, LEVELS).astype(np.float64)
    counts += counts.transpose(0, 2, 1).copy()
    total = counts.sum((1, 2), keepdims=True)
    return counts / np.where(total > 0, total, np.nan)


def _of_pairs(matrices: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Each measure (n,) of co-occurrence matrices (n, levels, levels)."""
    flat = matrices.reshape(len(matrices), LEVELS**2)
    sums, differences, single = flat @ SUM, flat @ DIFFERENCE, matrices.sum(1)
    mean = single @ LEVEL
    variance = single @ LEVEL**2 - mean**2
    squares = differences @ LEVEL**2
    product = (sums @ np.arange(2 * LEVELS - 1) ** 2 - squares) / 4
    flatness = variance < 1e-12
    entropy, own = _entropy(flat), _entropy(single)
    shared = entropy - 2 * own  # both orders of a pair are counted, so that rows and columns have one distribution
    return {
        "AngularSecondMoment": (flat**2).sum(1),
        "Contrast": squares,
        "Correlation": np.where(flatness, 1.0, (product - mean**2) / np.where(flatness, 1.0, variance)),
        "Variance": variance,
        "InverseDifferenceMoment": differences @ (1 / (1 + LEVEL**2)),
        "SumVariance": sums @ np.arange(2 * LEVELS - 1) ** 2 - (2 * mean) ** 2,
        "SumEntropy": _entropy(sums),
        "Entropy": entropy,
        "DifferenceEntropy": _entropy(differences),
        "InfoMeas1": np.where(own > 0, shared / np.where(own > 0, own, 1.0), shared),
        "InfoMeas2": np.sqrt(np.maximum(1 - np.exp(2 * shared), 0)),
    }


def _entropy(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) in bits, of shares (n, k)."""
    return -np.asarray((shares * np.log2(np.where(shares > 0, shares, 1.0))).sum(1))
