"""Measurements with names: CellProfiler's, of nucleus and body of each cell, computed for many crops at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.families.correlation import correlation, shared_stain
from napari_impa.analysis.features.families.granularity import Granules, granularity
from napari_impa.analysis.features.families.haralick import haralick
from napari_impa.analysis.features.families.intensity import edge_intensity, intensity, median_distance
from napari_impa.analysis.features.families.radial import radial_distribution, way_from_middle
from napari_impa.analysis.features.families.shape import shape
from napari_impa.analysis.features.families.texture import Patterns, pattern_strength
from napari_impa.analysis.features.families.under_mask import CELLS, NUCLEI, Columns, UnderMask
from napari_impa.analysis.features.masks import find_masks, scaled_crops
from napari_impa.analysis.features.processes import in_blocks
from napari_impa.analysis.features.space import FeatureSpace, Measurement, checked_crops
from napari_impa.watch import UNWATCHED, Watch


def cell_profiler_measurements(
    pixels: NDArray[Any], limits: NDArray[np.float64], /, *, nuclei: int = 0, watch: Watch = UNWATCHED
) -> NDArray[np.float64]:
    """Measure nucleus and body of cells as CellProfiler does, in five families from intensity to shape.

    Names and definitions are those of CellProfiler 4 (Stirling et al., BMC Bioinformatics 22, 2021) as cp-measure has
    them (Muñoz et al., arXiv:2507.01163), computed here for many crops at once, which is many times as fast, and tested
    against its numbers. Differences, all for the sake of crops of 64 px or so:

    - Intensities are scaled by the limits to 0…1 and not clipped above.
    - Haralick's textures have 32 grey levels counted in the stain's own mean, and are averaged over the four
      directions. So they say nothing of brightness. The strength of the pattern in three bands, and of the edges, is
      our own (`families/texture.py`).
    - Granularity is measured on every second pixel, up to four steps.
    - Convex hulls are looked at from 64 directions: solidity is within 2 %, Feret diameters are within 1 %.

    Left out is what is constant or means nothing on crops (places, boxes, orientation, Euler numbers), what says the
    same again (equivalent diameter, compactness, convex area), what no title could make plain (Zernike and other
    moments), and what costs much and says little here (Costes' thresholds, rank-weighted colocalization).

    Where cells are many, they are measured in as many processes as there are cores.

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
    (N, D), the columns as `cell_profiler_columns` names them; NaN for the nucleus where none is near the centre of
    the crop, and for a body where nothing lies under it.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    """
    pixels, limits = checked_crops(pixels, limits, nuclei)
    width = len(cell_profiler_columns([str(number) for number in range(pixels.shape[1])]))
    return in_blocks(_describe_block, pixels, limits, nuclei, width, watch)


def cell_profiler_columns(channels: Sequence[str]) -> tuple[Measurement, ...]:
    """What `cell_profiler_measurements` measures in channels of these names."""
    return _columns(tuple(channels))


@lru_cache(32)
def _columns(channels: tuple[str, ...]) -> tuple[Measurement, ...]:
    nothing = np.zeros((0, len(channels), 8, 8))
    return tuple(measurement for measurement, _ in _measured(nothing, channels, 0))


def _describe_block(pixels: NDArray[Any], limits: NDArray[np.float64], nuclei: int) -> NDArray[np.float64]:
    names = tuple(str(number) for number in range(pixels.shape[1]))
    return np.stack([numbers for _, numbers in _measured(scaled_crops(pixels, limits), names, nuclei)], 1)


def _measured(scaled: NDArray[np.float64], channels: tuple[str, ...], nuclei: int) -> Columns:
    masks = find_masks(scaled, nuclei)
    patterns, granules = Patterns.of(scaled), Granules(scaled)
    found: Columns = []
    for name, mask in ((NUCLEI, masks.nucleus), (CELLS, masks.cell)):
        under = UnderMask(name, mask, scaled, channels)
        found += intensity(under) + median_distance(under) + edge_intensity(under)
        found += haralick(under) + pattern_strength(under, patterns)
        if name is CELLS:
            found += granularity(under, granules) + shared_stain(under)
        found += radial_distribution(under, way_from_middle(under)) + correlation(under) + shape(under)
    occupied = Measurement("Image_AreaOccupied_AreaOccupied_Cells", "share of the crop that cells cover", "shape")
    return [*found, (occupied, masks.covered.mean((1, 2)))]


def _missing() -> str:
    lacking = find_spec("centrosome") is None  # whose distances within a mask these are
    return "CellProfiler's measurements need centrosome: pip install centrosome." if lacking else ""


MEASUREMENTS = FeatureSpace(
    "measurements",
    "CellProfiler's measurements of nucleus and cell",
    cell_profiler_measurements,
    cell_profiler_columns,
    _missing,
)
