"""Fast measurements: those of CellProfiler that many crops are measured by at once, for scores within a training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.families.correlation import correlation, shared_stain
from napari_impa.analysis.features.families.intensity import intensity
from napari_impa.analysis.features.families.radial import radial_distribution
from napari_impa.analysis.features.families.shape import shape
from napari_impa.analysis.features.families.texture import Patterns, pair_contrast, pattern_strength
from napari_impa.analysis.features.families.under_mask import CELLS, NUCLEI, Columns, UnderMask
from napari_impa.analysis.features.masks import find_masks, scaled_crops
from napari_impa.analysis.features.space import FeatureSpace, Measurement, checked_crops
from napari_impa.watch import UNWATCHED, Watch

BATCH = 32


def fast_measurements(
    pixels: NDArray[Any], limits: NDArray[np.float64], /, *, nuclei: int = 0, watch: Watch = UNWATCHED
) -> NDArray[np.float64]:
    """Measure nucleus and body of cells: intensity, texture, radial distribution, correlation and shape.

    They take about half of the time of `cell_profiler_measurements` in one process. What bears CellProfiler's name is
    CellProfiler's number, but for the radial distribution in masks that are not convex (`radial_distribution`), and
    textures (`families/texture.py`).

    Parameters
    ----------
    pixels
        (N, C, S, S) in the camera's units; what is not finite counts as the lower limit.
    limits
        (C, 2) lower and upper intensity of each channel.
    nuclei
        Number of the channel that shows nuclei.
    watch
        Asked before every few cells whether to go on.

    Returns
    -------
    (N, D), the columns as `fast_columns` names them; NaN for the nucleus where none is near the centre of the crop.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    """
    pixels, limits = checked_crops(pixels, limits, nuclei)
    names = tuple(str(number) for number in range(pixels.shape[1]))
    out = np.empty((len(pixels), len(fast_columns(names))))
    for start in range(0, len(pixels), BATCH):
        watch.check()
        block = scaled_crops(pixels[start : start + BATCH], limits)
        out[start : start + BATCH] = np.stack([numbers for _, numbers in _measured(block, names, nuclei)], 1)
    return out


def fast_columns(channels: Sequence[str]) -> tuple[Measurement, ...]:
    """What `fast_measurements` measures in channels of these names."""
    return _columns(tuple(channels))


@lru_cache(32)
def _columns(channels: tuple[str, ...]) -> tuple[Measurement, ...]:
    nothing = np.zeros((0, len(channels), 8, 8))
    return tuple(measurement for measurement, _ in _measured(nothing, channels, 0))


def _measured(scaled: NDArray[np.float64], channels: tuple[str, ...], nuclei: int) -> Columns:
    masks = find_masks(scaled, nuclei)
    patterns = Patterns.of(scaled)
    found: Columns = []
    for name, mask in ((NUCLEI, masks.nucleus), (CELLS, masks.cell)):
        under = UnderMask(name, mask, scaled, channels)
        found += intensity(under) + pattern_strength(under, patterns) + pair_contrast(under, patterns)
        found += radial_distribution(under) + correlation(under) + shape(under)
        # Within a nucleus, all stains are about as bright as anywhere in it, so their shares would all be 1.
        found += shared_stain(under) if name is CELLS else []
    occupied = Measurement("Image_AreaOccupied_AreaOccupied_Cells", "share of the crop that cells cover", "shape")
    return [*found, (occupied, masks.covered.mean((1, 2)))]


FAST = FeatureSpace("fast", "fast measurements of nucleus and cell", fast_measurements, fast_columns)
