"""Haralick's measures of a stain's texture under a mask (CellProfiler's MeasureTexture), by cp-measure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask

SCALE, LEVELS = 3, 32
"""Pixels between the two of a pair, and grey levels: a nucleus of a crop holds too few pairs for CellProfiler's 256."""

BRIGHTEST = 3.0
"""Times the mean of the stain under the mask that is the brightest grey level."""

DARKEST = 9 / 255
"""Of the brightest: the darkest grey level that is not nought, which MeasureTexture passes over."""

TITLES = {
    "AngularSecondMoment": "uniformity",
    "Contrast": "contrast",
    "Correlation": "evenness (correlation)",
    "Variance": "variance",
    "InverseDifferenceMoment": "homogeneity",
    "SumVariance": "variance of pairs",
    "SumEntropy": "disorder of pairs",
    "Entropy": "disorder (entropy)",
    "DifferenceVariance": "variance of differences",
    "DifferenceEntropy": "disorder of differences",
    "InfoMeas1": "information (first measure)",
    "InfoMeas2": "information (second measure)",
}


def haralick(under: UnderMask) -> Columns:
    """Twelve measures of each channel, each the mean over four directions.

    Grey levels are counted in each stain's own mean under the mask, so that texture is told apart from brightness: a
    stain that is twice as bright all over has the same texture (and the thirteenth, the mean of pairs, says nothing).
    """
    from cp_measure.core.measuretexture import get_texture

    found: Columns = []
    stack = np.where(under.masks, np.arange(1, len(under.masks) + 1)[:, None, None], 0)
    labels = np.zeros(len(under.masks) + 1, np.intp)
    labels[under.filled + 1] = np.arange(1, len(under.filled) + 1)
    for number, name in enumerate(under.channels):
        values = {key: np.full(len(under.masks), np.nan) for key in TITLES}
        if len(under.filled):
            mean = np.nan_to_num(under.means[number], nan=1.0)[:, None, None]
            grey = np.clip(relative(under.scaled[:, number], mean), DARKEST, 1)
            # One column of all crops: what is measured of an object depends on nothing outside its own box.
            column = labels[stack].reshape(-1, under.masks.shape[2]), grey.reshape(-1, under.masks.shape[2])
            measured = get_texture(*column, scale=SCALE, gray_levels=LEVELS)
            for key in TITLES:
                ways = [measured[f"{key}_{SCALE}_{way:02d}_{LEVELS}"] for way in range(4)]
                values[key][under.filled] = np.mean(ways, axis=0)
        for key, title in TITLES.items():
            words = f"{name}: {title} of the texture in the"
            found.append(under.named("texture", f"Texture_{key}_{SCALE}_{name}", words, values[key], name))
    return found


def relative(stain: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """A stain in parts of the brightest grey level; the darkest where there is no stain at all."""
    return np.asarray(stain / np.where(mean > 0, BRIGHTEST * mean, 1.0))
