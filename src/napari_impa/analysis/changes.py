"""What changed from control to predicted cells: area, intensity, texture and nuclear to ring ratio of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.stats import rankdata
from skimage.filters import threshold_otsu

from napari_impa.analysis.nucleus_and_ring import central_nucleus_mask, nuclei_and_rings, ratio_of_means
from napari_impa.cells.store import Cells, read_pixels
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

FEATURES = ("area", "mean intensity", "total intensity", "texture", "nuclear to ring")
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
            np.array([threshold_otsu(smooth[:, c]) for c in range(count)], float),
            guess_nuclei_channel(control.channels),
            control.pixel_size,
        )

    @property
    def columns(self) -> pd.DataFrame:
        """One row a measure: `channel` (the nucleus first), `feature` and `unit` (empty for a ratio)."""
        area = "px²" if self.pixel_size is None else "µm²"
        units = dict(zip(FEATURES, (area, "grey", "grey", "", ""), strict=True))
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
        nowhere = np.full(count.shape, np.nan)
        mean = np.divide((above * stained).sum((2, 3)), count, out=nowhere.copy(), where=count > 0)
        texture = np.divide((_local_variation(above) * stained).sum((2, 3)), count, out=nowhere, where=count > 0)
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


@dataclass(frozen=True, eq=False)
class Changes:
    """Measures of the same cells as control and as predicted.

    Parameters
    ----------
    columns
        M rows, see `Yardstick.columns`.
    control, predicted
        (N, M).
    treated
        (T, M) of real treated cells, which are other cells; None where there are none.
    labels
        (N,) label of each cell in its field, where known.
    """

    columns: pd.DataFrame
    control: NDArray[np.float64]
    predicted: NDArray[np.float64]
    treated: NDArray[np.float64] | None = None
    labels: NDArray[Any] | None = None

    def cells(self) -> pd.DataFrame:
        """Return a tidy table, one row a cell and measure.

        Its columns are `cell` (row number), `label` where known, `channel`, `feature`, `unit`, `control`, `predicted`
        and `change` (predicted − control).
        """
        count, measures = self.control.shape
        table = pd.DataFrame({"cell": np.repeat(np.arange(count), measures)})
        if self.labels is not None:
            table["label"] = np.repeat(self.labels, measures)
        for name in self.columns:
            table[name] = np.tile(self.columns[name].to_numpy(), count)
        table["control"], table["predicted"] = self.control.ravel(), self.predicted.ravel()
        return table.assign(change=table["predicted"] - table["control"])

    def wide(self, values: NDArray[np.float64]) -> pd.DataFrame:
        """Return measures (n, M) as a table, one row a cell and one column a measure: `channel feature unit`."""
        words = self.columns[["channel", "feature", "unit"]].itertuples(index=False)
        return pd.DataFrame(values, columns=[" ".join(filter(None, row)) for row in words])

    def summary(self) -> pd.DataFrame:
        """Return one row a measure, of the population.

        Its columns are `channel`, `feature`, `unit`; the medians `control` and `predicted`; `change_percent` from one
        to the other; `effect`, Cliff's delta of predicted against control cells; and the same of real treated cells
        as `treated` and `effect_treated` where there are any. See `cliffs_delta`.
        """
        table = self.columns.assign(control=_medians(self.control), predicted=_medians(self.predicted))
        table["change_percent"] = percent(table["control"].to_numpy(), table["predicted"].to_numpy())
        table["effect"] = cliffs_delta(self.control, self.predicted)
        if self.treated is not None and len(self.treated):
            table["treated"] = _medians(self.treated)
            table["effect_treated"] = cliffs_delta(self.control, self.treated)
        return table


def changes(control: Cells, predicted: Cells, treated: Cells | None = None) -> Changes:
    """Measure cells before and after.

    Parameters
    ----------
    control
        N cells as they are.
    predicted
        The same N cells turned into one condition.
    treated
        Real cells of that condition.

    Raises
    ------
    CellsError
        If there are no cells, or predicted or treated cells do not fit the controls.
    """
    if not len(control):
        raise CellsError("There are no cells to measure.")
    if predicted.pixels.shape != control.pixels.shape:
        raise CellsError(
            f"{len(control):,} cells cannot be compared with {len(predicted):,} others of shape "
            f"{predicted.pixels.shape[1:]}; predict the same cells under one condition."
        )
    if treated is not None and treated.pixels.shape[1] != control.pixels.shape[1]:
        raise CellsError("The treated cells have other channels than the controls; choose the same ones.")
    yardstick = Yardstick.of(control)
    return Changes(
        yardstick.columns,
        yardstick.measure(control.pixels),
        yardstick.measure(predicted.pixels),
        None if treated is None else yardstick.measure(treated.pixels),
        control.table["label"].to_numpy() if "label" in control.table else None,
    )


def features_table(found: Changes) -> pd.DataFrame:
    """Return one row a cell, for the features of a napari layer.

    Its columns are `index` (the label, where labels are known, by which a Labels layer finds its row), and for each
    measure `channel feature (control)`, `… (predicted)` and `… (change %)`.
    """
    columns: dict[str, Any] = {} if found.labels is None else {"index": found.labels}
    for number, (channel, feature, unit) in enumerate(found.columns.itertuples(index=False)):
        name = f"{channel} {feature}" + (f" {unit}" if unit.endswith("²") else "")
        before, after = found.control[:, number], found.predicted[:, number]
        columns |= {f"{name} (control)": before, f"{name} (predicted)": after}
        columns[f"{channel} {feature} (change %)"] = percent(before, after)
    return pd.DataFrame(columns)


def percent(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """Change from one value to the other in % of the first; NaN where that is 0 or either is missing."""
    before, after = np.asarray(before, float), np.asarray(after, float)
    return 100 * np.divide(after - before, np.abs(before), out=np.full(before.shape, np.nan), where=before != 0)


def cliffs_delta(control: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """(M,) Cliff's delta of samples (n, M) against controls (m, M), column by column; missing values are left out.

    P(other > control) − P(other < control) over all pairs: −1 all lower, 0 alike, 1 all higher (N. Cliff, Psychological
    Bulletin 114:494, 1993). It needs no normal distribution, and says the same of predicted cells, which come in
    pairs with the controls, and of real treated ones, which do not. NaN where a side has no value.
    """
    control, other = np.asarray(control, float), np.asarray(other, float)
    out = np.full(control.shape[1], np.nan)
    for column in range(len(out)):
        one, two = (side[np.isfinite(side[:, column]), column] for side in (control, other))
        if len(one) and len(two):
            wins = rankdata(np.concatenate([two, one]))[: len(two)].sum() - len(two) * (len(two) + 1) / 2
            out[column] = 2 * wins / (len(one) * len(two)) - 1
    return out


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M,) medians of the values there are."""
    out = np.full(values.shape[1], np.nan)
    some = np.isfinite(values).any(axis=0)
    out[some] = np.nanmedian(values[:, some], axis=0)
    return out


def _smoothed(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return ndi.gaussian_filter(pixels, (0, 0, 1, 1), truncate=3)


def _local_variation(above: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation over mean in the window around each pixel; 0 where the mean is not above background."""
    mean = ndi.uniform_filter(above, (1, 1, WINDOW, WINDOW))
    scale = np.maximum(np.abs(above).max(axis=(2, 3), keepdims=True), 1e-30)  # squares of counts overflow no float32
    square = ndi.uniform_filter((above / scale) ** 2, (1, 1, WINDOW, WINDOW)) * scale**2
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return np.divide(deviation, mean, out=np.zeros_like(mean), where=mean > 0)
