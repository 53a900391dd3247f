"""The spaces that cells are compared in: one a file, listed here; the first is the one that scores are taken in.

Another space is one file with a `FeatureSpace`, and its line in the list.
"""

from __future__ import annotations

from napari_impa.analysis.features.cell_profiler import MEASUREMENTS
from napari_impa.analysis.features.dinov2 import DINOV2
from napari_impa.analysis.features.fast import FAST
from napari_impa.analysis.features.inception import INCEPTION
from napari_impa.analysis.features.quick import QUICK
from napari_impa.analysis.features.space import FAMILIES, Family, FeatureSpace, Measurement

FEATURE_SPACES: tuple[FeatureSpace, ...] = (MEASUREMENTS, FAST, INCEPTION, DINOV2, QUICK)

__all__ = ["FAMILIES", "FEATURE_SPACES", "Family", "FeatureSpace", "Measurement"]
