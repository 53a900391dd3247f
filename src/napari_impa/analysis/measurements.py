"""Measurements of cells: area, intensity, texture and nuclear to ring ratio of each channel, and the nucleus's area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu

from napari_impa.analysis.nucleus_and_ring import central_nucleus_mask, nuclei_and_rings, ratio_of_means
from napari_impa.analysis.ratio import ratio_or_nan
from napari_impa.cells.reading import read_pixels
from napari_impa.cells.store import Cells
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.watch import UNWATCHED, Watch

MEASURES = ("area", "mean intensity", "total intensity", "texture", "nuclear to ring")
"""What is measured in each channel, beside the area of the nucleus; `Yardstick.measure` says how."""

NUCLEUS = "nucleus"
WINDOW = 5
"""Side in pixels of the windows that texture is taken in: fine structure, larger than the grain of a camera."""

SAMPLE = 256
"""Control cells that background and threshold are taken from, evenly spread over all."""

BLOCK = 32


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What control, predicted and treated cells are measured by alike, taken from the control cells.

    Parameters
    ----------
    channels
        Names of the C channels.
    background, threshold
        (C,) the 1 % quantile of the control cells' pixels, and Otsu's threshold of their smoothed pixels.
    nuclei_channel
        Number of the channel that shows nuclei; None where no name says it: then nothing of nuclei is measured.
    pixel_size
        In µm; areas are in px² where None.
    """

    channels: tuple[str, ...]
    background: NDArray[np.float64]
    threshold: NDArray[np.float64]
    nuclei_channel: int | None
    pixel_size: float | None

    @classmethod
    def of(cls, control: Cells) -> Yardstick:
        """Take background and thresholds from control cells."""
        rows = np.unique(np.linspace(0, len(control) - 1, min(SAMPLE, len(control))).round().astype(int))
        pixels = np.nan_to_num(read_pixels(control.pixels, rows).astype(np.float32))
        count = pixels.shape[1]
        if not pixels.size:
            nothing = np.full(count, np.nan)
            return cls(control.channels, nothing, nothing, None, control.pixel_size)
        smooth = _smoothed(pixels)
        return cls(
            control.channels,
            np.array([np.quantile(pixels[:, c], 0.01) for c in range(count)]),
            np.array([threshold_otsu(smooth[:, c]) for c in range(count)], np.float64),  # type: ignore[no-untyped-call]
            guess_nuclei_channel(control.channels),
            control.pixel_size,
        )

    @property
    def columns(self) -> pd.DataFrame:
        """One row a measure: `channel` (the nucleus first), `feature` and `unit` (empty for a ratio)."""
        area = "px²" if self.pixel_size is None else "µm²"
        units = dict(zip(MEASURES, (area, "grey", "grey", "", ""), strict=True))
        rows = [(NUCLEUS, "area", area)]
        rows += [(channel, feature, unit) for channel in self.channels for feature, unit in units.items()]
        return pd.DataFrame(rows, columns=["channel", "feature", "unit"])

    def measure(self, pixels: NDArray[Any], *, watch: Watch = UNWATCHED) -> NDArray[np.float64]:
        """Measure cells (N, C, S, S) → (N, 1 + 5 C), in the order of `columns`.

        - **nucleus area**: of the nucleus at the centre, see `central_nucleus_mask`.
        - **area**: what is stained in the crop, neighbours included: pixels that, smoothed by 1 px, are above the
          threshold, which is the same for all cells.
        - **mean intensity**: of those pixels, and **total intensity** of the whole crop; both above background.
        - **texture**: local coefficient of variation: standard deviation over mean above background in windows of
          5×5 px, averaged over the stained pixels. A cell twice as bright has the same texture.
        - **nuclear to ring**: mean intensity in the nucleus over that in a ring around it, see
          `nuclear_to_ring_ratio`.

        What cannot be measured (no nucleus, nothing stained) is NaN. `watch` is asked before every few cells whether
        to go on.
        """
        out = np.full((len(pixels), len(self.columns)), np.nan)
        for start in range(0, len(pixels), BLOCK):
            watch.check()
            rows = slice(start, start + BLOCK)
            block = np.asarray(pixels[rows], np.float32)
            block = np.where(np.isfinite(block), block, self.background[:, None, None].astype(np.float32))
            out[rows] = self._measure(block)
        return out

    def _measure(self, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
        square = 1.0 if self.pixel_size is None else self.pixel_size**2
        above = pixels - self.background[:, None, None].astype(np.float32)
        stained = _smoothed(pixels) > self.threshold[:, None, None]
        count = stained.sum((2, 3)).astype(float)
        mean = ratio_or_nan((above * stained).sum((2, 3)), count)
        texture = ratio_or_nan((_local_variation(above) * stained).sum((2, 3)), count)
        ratio = np.full(count.shape, np.nan)
        nucleus = np.full(len(pixels), np.nan)
        if self.nuclei_channel is not None:
            nuclei, rings = nuclei_and_rings(central_nucleus_mask(pixels[:, self.nuclei_channel]))
            size = nuclei.sum((1, 2)) * square
            nucleus = np.where(size > 0, size, np.nan)
            for channel in range(pixels.shape[1]):
                ratio[:, channel] = ratio_of_means(above[:, channel], nuclei, rings)
        values = np.stack([count * square, mean, above.sum((2, 3), dtype=float), texture, ratio], axis=2)
        return np.column_stack([nucleus, values.reshape(len(pixels), -1)])


def _smoothed(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ndi.gaussian_filter(pixels, (0, 0, 1, 1), truncate=3))


def _local_variation(above: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation over mean in the window around each pixel; 0 where the mean is not above background."""
    mean = ndi.uniform_filter(above, (1, 1, WINDOW, WINDOW))
    scale = np.maximum(np.abs(above).max(axis=(2, 3), keepdims=True), 1e-30)  # squares of counts overflow no float32
    square = ndi.uniform_filter((above / scale) ** 2, (1, 1, WINDOW, WINDOW)) * scale**2
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return np.asarray(np.divide(deviation, mean, out=np.zeros_like(mean), where=mean > 0))
