"""How a measure is spread over cells as they are, as predicted and as really treated, and a sentence that says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.changes import UNDER_THRESHOLD, Changes, cliffs_delta, medians
from napari_impa.cells.words import guess_nuclei_channel

RATIO = "nuclear to ring"
"""The measure that says where a channel is: above 1 there is more of it in the nucleus than around it."""


@dataclass(frozen=True, eq=False)
class MeasureSpread:
    """One measure of all cells.

    Parameters
    ----------
    channel, feature, unit
        What is measured, as `Changes.columns` says it.
    control, predicted
        (N,) of the same cells, as they are and as predicted; NaN where a cell has no value.
    treated
        (T,) of real treated cells, which are other cells; None where there are none.
    where
        Whether it says where a channel is: its share in the nucleus, of a channel that does not show nuclei.
    too_dim
        Whether the predicted cells are too dim for it, see `Changes.too_dim`.
    """

    channel: str
    feature: str
    unit: str
    control: NDArray[np.float64]
    predicted: NDArray[np.float64]
    treated: NDArray[np.float64] | None = None
    where: bool = False
    too_dim: bool = False

    @property
    def name(self) -> str:
        """Channel and measure."""
        return f"{self.channel} {self.feature}"

    def sentence(self, as_it_is: str = "control") -> str:
        """Say in words how many cells change, and how; cells without a value do not count.

        Of where a channel is: in how many cells it is nuclear, before and after. Of other measures: in how many it
        rises or falls. Real treated cells have no cell to be compared with, and stand beside the median of `as_it_is`.
        """
        if self.too_dim:
            return UNDER_THRESHOLD
        if self.where:
            after = _share(self.predicted > 1, self.predicted)
            if after is None:
                return f"Where {self.channel} is could not be measured."
            before = _share(self.control > 1, self.control)
            real = None if self.treated is None else _share(self.treated > 1, self.treated)
            others = [f"{as_it_is} {before}"] if before is not None else []
            others += [f"real {real}"] if real is not None else []
            return f"In {after} of predicted cells {self.channel} is nuclear ({', '.join(others)})."
        known = np.isfinite(self.control) & np.isfinite(self.predicted)
        if not known.any():
            return f"{self.name} could not be measured."
        rises = int(np.count_nonzero(self.predicted[known] > self.control[known]))
        falls = int(np.count_nonzero(self.predicted[known] < self.control[known]))
        if not rises and not falls:
            return f"{self.name} changes in no cell."
        up = rises >= falls
        said = f"In {_percent(max(rises, falls), int(known.sum()))} of cells {self.name} {'rises' if up else 'falls'}"
        if self.treated is None:
            return f"{said}."
        middle = np.median(self.control[known])
        real = _share(self.treated > middle if up else self.treated < middle, self.treated)
        if real is None:
            return f"{said}."
        return f"{said}; {real} of real cells are {'above' if up else 'below'} the median of {as_it_is} cells."


def measure_spread(changes: Changes, number: int) -> MeasureSpread:
    """Take one of the measures, by its number in `Changes.columns`."""
    channel, feature, unit = changes.columns[["channel", "feature", "unit"]].iloc[number]
    names = list(dict.fromkeys(changes.columns["channel"].iloc[1:]))  # the first row is of the nucleus, no channel
    nuclei = guess_nuclei_channel(names)
    where = feature == RATIO and (nuclei is None or names[nuclei] != channel)
    dim = changes.too_dim(medians(changes.control), medians(changes.predicted))
    treated = changes.treated
    return MeasureSpread(
        str(channel), str(feature), str(unit), changes.control[:, number], changes.predicted[:, number],
        None if treated is None or not len(treated) else treated[:, number], where, bool(dim[number]),
    )  # fmt: skip


def most_moved(changes: Changes) -> int:
    """Number of the measure that moves most (Cliff's delta); where a channel is comes first among those that tie."""
    effect = np.abs(np.nan_to_num(cliffs_delta(changes.control, changes.predicted)))
    effect = np.round(effect, 2) + 1e-3 * np.array([feature == RATIO for feature in changes.columns["feature"]])
    return int(np.argmax(effect)) if len(effect) else 0


def _share(which: NDArray[np.bool_], values: NDArray[Any]) -> str | None:
    known = np.isfinite(values)
    return _percent(int(np.count_nonzero(which[known])), int(known.sum())) if known.any() else None


def _percent(some: int, of: int) -> str:
    """Whole percents; 100 only where it is all, 0 only where it is none."""
    share = 100 * some / of
    if 0 < some < of:
        share = min(max(share, 1), 99)
    return f"{share:.0f} %"
