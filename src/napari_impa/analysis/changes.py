"""What changed from control to predicted cells: their measurements before and after, cell by cell and of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from napari_impa.analysis.measurements import NUCLEUS, Yardstick
from napari_impa.analysis.ratio import ratio_or_nan
from napari_impa.cells.store import Cells
from napari_impa.errors import CellsError

LEAST_STAINED = 0.25
"""Share of the area of a channel that must be left above the control's threshold to speak of an area."""

UNDER_THRESHOLD = "The channel has fallen under the threshold, which is the control's: too dim to have an area."

_OF_STAINED = ("area", "mean intensity", "texture")


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

        Its columns are `cell` (counted from 1), `label` where known, `channel`, `feature`, `unit`, `control`,
        `predicted` and `change` (predicted − control).
        """
        count, measures = self.control.shape
        table = pd.DataFrame({"cell": np.repeat(np.arange(1, count + 1), measures)})
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

    def too_dim(self, before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
        """(M,) or (N, M) where a measure after says nothing: its channel has fallen under the control's threshold.

        What is stained is what lies above one threshold, taken from the control cells. Where less than `LEAST_STAINED`
        of a channel's area is left, that is of its brightness, not of a cell that has shrunk, and mean and texture are
        of the few pixels left.
        """
        before, after = np.asarray(before, float), np.asarray(after, float)
        dim = np.zeros(before.shape, bool)
        channels, features = self.columns["channel"].to_numpy(), self.columns["feature"].to_numpy()
        for at in np.flatnonzero((features == "area") & (channels != NUCLEUS)):
            fallen = (before[..., at] > 0) & (after[..., at] < LEAST_STAINED * before[..., at])
            of_channel = (channels == channels[at]) & np.isin(features, _OF_STAINED)
            dim[..., of_channel] |= fallen[..., None]
        return dim

    def percent(self, before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
        """Change of measures (M,) or (N, M) in % of the first; NaN where it says nothing (`percent`, `too_dim`)."""
        return np.where(self.too_dim(before, after), np.nan, percent(before, after))

    def summary(self) -> pd.DataFrame:
        """Return one row a measure, of the population.

        Its columns are `channel`, `feature`, `unit`; the medians `control` and `predicted`; `change_percent` from one
        to the other, NaN where the channel is `too_dim` for it; `effect`, Cliff's delta of predicted against control
        cells; and the same of real treated cells as `treated` and `effect_treated` where there are any. See
        `cliffs_delta`.
        """
        table = self.columns.assign(control=medians(self.control), predicted=medians(self.predicted))
        table["change_percent"] = self.percent(table["control"].to_numpy(), table["predicted"].to_numpy())
        table["too_dim"] = self.too_dim(table["control"].to_numpy(), table["predicted"].to_numpy())
        table["effect"] = cliffs_delta(self.control, self.predicted)
        if self.treated is not None and len(self.treated):
            table["treated"] = medians(self.treated)
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
    shares = found.percent(found.control, found.predicted)
    for number, (channel, feature, unit) in enumerate(found.columns.itertuples(index=False)):
        name = f"{channel} {feature}" + (f" {unit}" if unit.endswith("²") else "")
        before, after = found.control[:, number], found.predicted[:, number]
        columns |= {f"{name} (control)": before, f"{name} (predicted)": after}
        columns[f"{channel} {feature} (change %)"] = shares[:, number]
    return pd.DataFrame(columns)


def percent(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """Change from one value to the other in % of the first; NaN where that is 0 or either is missing."""
    before, after = np.asarray(before, float), np.asarray(after, float)
    return 100 * ratio_or_nan(after - before, np.abs(before))


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


def medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M,) medians of the values there are."""
    out = np.full(values.shape[1], np.nan)
    some = np.isfinite(values).any(axis=0)
    out[some] = np.nanmedian(values[:, some], axis=0)
    return out
