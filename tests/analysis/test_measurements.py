"""What cells are measured by: the values that are taken from the controls, and texture by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu

from napari_impa.analysis.measurements import MEASURES, Yardstick
from napari_impa.cells.store import Cells


def noisy(count: int, seed: int = 0) -> Cells:
    """Bright squares of 10 px in crops of 20 px, in noise, each cell brighter than the one before."""
    pixels = np.random.default_rng(seed).normal(100, 5, (count, 1, 20, 20))
    pixels[:, :, 5:15, 5:15] += 200 + np.arange(count)[:, None, None, None]
    return Cells(pixels.astype(np.float32), pd.DataFrame({"n": range(count)}), ("DNA",))


def test_background_and_threshold_are_those_of_256_controls_evenly_spread() -> None:
    cells = noisy(766)
    some = cells.pixels[::3]
    assert len(some) == 256
    yardstick = Yardstick.of(cells)
    assert yardstick.background == pytest.approx([np.quantile(some, 0.01)], rel=1e-6)
    smooth = gaussian_filter(some, (0, 0, 1, 1), truncate=3)
    assert yardstick.threshold == pytest.approx([threshold_otsu(smooth[:, 0])], rel=1e-6)


def test_texture_is_the_variation_in_windows_of_five_pixels() -> None:
    cells = noisy(1)
    yardstick = Yardstick.of(cells)
    above = np.pad(cells.pixels[0, 0].astype(float) - yardstick.background[0], 2, mode="symmetric")
    windows = sliding_window_view(above, (5, 5))
    variation = windows.std((2, 3)) / windows.mean((2, 3))
    stained = gaussian_filter(cells.pixels[0, 0], 1, truncate=3) > yardstick.threshold[0]
    found = yardstick.measure(cells.pixels)[0, 1 + MEASURES.index("texture")]
    assert found == pytest.approx(variation[stained].mean(), rel=1e-3)
