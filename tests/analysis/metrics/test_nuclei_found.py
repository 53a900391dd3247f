"""Whether cells have a nucleus."""

from __future__ import annotations

import numpy as np

from napari_impa.analysis.features.fast import FAST
from napari_impa.analysis.features.space import Measurement
from napari_impa.analysis.metrics.nuclei_found import share_with_nucleus

NUCLEUS = Measurement("Nuclei_AreaShape_Area", "area", "shape")
CELL = Measurement("Cells_AreaShape_Area", "area", "shape")


def test_a_cell_counts_where_anything_is_known_of_its_nucleus() -> None:
    other = Measurement("Nuclei_Intensity_MeanIntensity_DNA", "mean", "intensity")
    values = np.array([[1.0, 2.0, 3.0], [np.nan, 2.0, 3.0], [np.nan, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    assert share_with_nucleus(values, [NUCLEUS, other, CELL]) == 0.5


def test_without_cells_or_measurements_of_nuclei_nothing_is_said() -> None:
    assert np.isnan(share_with_nucleus(np.ones((3, 1)), [CELL]))
    assert np.isnan(share_with_nucleus(np.ones((0, 1)), [NUCLEUS]))


def test_it_is_what_measurements_tell(cells) -> None:
    pixels = cells.pixels[:40].copy()
    pixels[:10, 0] = 200  # an even stain has no nucleus
    found = FAST.describe(pixels, np.array([[200.0, 1300.0]] * 2), nuclei=0)
    assert share_with_nucleus(found, FAST.columns(("DNA", "actin"))) == 0.75
