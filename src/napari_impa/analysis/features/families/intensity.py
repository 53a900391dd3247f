"""How bright a stain is under a mask (CellProfiler's MeasureObjectIntensity)."""

from __future__ import annotations

import numpy as np

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask
from napari_impa.analysis.ratio import ratio_or_nan

QUARTILES = {
    "MinIntensity": ("least", 0.0),
    "LowerQuartileIntensity": ("lower quartile", 0.25),
    "MedianIntensity": ("median", 0.5),
    "UpperQuartileIntensity": ("upper quartile", 0.75),
    "MaxIntensity": ("greatest", 1.0),
}


def intensity(under: UnderMask) -> Columns:
    """Mean, sum, spread, quartiles of each channel, and how far its centre is from that of the mask."""
    found: Columns = []
    places = under.rows.astype(np.float64), under.columns.astype(np.float64)
    for name, values, mean in zip(under.channels, under.values, under.means, strict=True):
        ordered = under.in_order(values)
        spread = np.sqrt(under.mean((values - mean[under.crop]) ** 2))
        total = under.sums(values)
        down, across = (ratio_or_nan(under.sums(at * values), total) - under.mean(at) for at in places)
        numbers = {
            "MeanIntensity": ("mean", mean),
            "IntegratedIntensity": ("sum", total),
            "StdIntensity": ("standard deviation", spread),
            **{key: (title, under.quantile(ordered, share)) for key, (title, share) in QUARTILES.items()},
            "MassDisplacement": ("distance of its centre from that", np.hypot(down, across)),
        }
        for key, (title, value) in numbers.items():
            words = f"{name}: {title} {'of' if key == 'MassDisplacement' else 'in'} the"
            found.append(under.named("intensity", f"Intensity_{key}_{name}", words, value, name))
    return found


def median_distance(under: UnderMask) -> Columns:
    """Median distance of each channel from its median."""
    found: Columns = []
    for name, values in zip(under.channels, under.values, strict=True):
        median = under.quantile(under.in_order(values), 0.5)
        distance = under.quantile(under.in_order(np.abs(values - median[under.crop])), 0.5)
        words = f"{name}: median distance from the median in the"
        found.append(under.named("intensity", f"Intensity_MADIntensity_{name}", words, distance, name))
    return found


def edge_intensity(under: UnderMask) -> Columns:
    """The same at the edge of the mask: pixels that share a side with one outside; NaN where a cell fills its crop."""
    found: Columns = []
    inner = under.masks.copy()
    inner[:, 1:] &= under.masks[:, :-1]
    inner[:, :-1] &= under.masks[:, 1:]
    inner[:, :, 1:] &= under.masks[:, :, :-1]
    inner[:, :, :-1] &= under.masks[:, :, 1:]
    edge = UnderMask(under.mask, under.masks & ~inner, under.scaled, under.channels)
    for name, values, mean in zip(edge.channels, edge.values, edge.means, strict=True):
        ordered = edge.in_order(values)
        numbers = {
            "MeanIntensityEdge": ("mean", mean),
            "IntegratedIntensityEdge": ("sum", mean * edge.count),
            "StdIntensityEdge": ("standard deviation", np.sqrt(edge.mean((values - mean[edge.crop]) ** 2))),
            "MinIntensityEdge": ("least", edge.quantile(ordered, 0)),
            "MaxIntensityEdge": ("greatest", edge.quantile(ordered, 1)),
        }
        for key, (title, value) in numbers.items():
            words = f"{name}: {title} at the edge of the"
            found.append(under.named("intensity", f"Intensity_{key}_{name}", words, value, name))
    return found
