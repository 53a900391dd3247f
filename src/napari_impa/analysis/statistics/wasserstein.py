"""Wasserstein distance of two samples, corrected for the fewness of cells, and as other draws would have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

ROOT_2PI = np.sqrt(2 * np.pi)
SCALES = np.array([*np.linspace(0, 1, 9), 1.25, 1.5, 2, 4, 100])
"""Factors of a difference at which the distance to be expected is computed; between them it is interpolated."""


@dataclass(frozen=True, eq=False)
class MeasuredSample:
    """Values of one measurement in some of the cells of a kind.

    Parameters
    ----------
    cells
        (n,) numbers of the cells in which it was taken.
    values
        (n,) in those cells.
    numbers
        (n,) number of the well of each, or of the cell itself: what a draw takes or leaves as a whole.
    count
        How many of these there are of the kind.
    """

    cells: NDArray[np.intp]
    values: NDArray[np.float64]
    numbers: NDArray[np.intp]
    count: int

    @classmethod
    def of(cls, values: NDArray[np.float64], units: NDArray[np.intp]) -> MeasuredSample:
        """Leave out what is not finite of the (cells,) values, of which `units` are the numbers."""
        cells = np.flatnonzero(np.isfinite(values))
        return cls(cells, values[cells], units[cells], int(units.max()) + 1)

    def influence(self, sign: NDArray[np.float64], widths: NDArray[np.float64], places: NDArray[np.intp]) -> Any:
        """(units in all,) what each adds to the area between its cumulative distribution and a lower one.

        `sign` says, between all points of a common axis, whether it is really the lower one (1) or not (−1).
        """
        above = np.append(np.cumsum((sign * widths)[::-1])[::-1], 0)[places]
        return np.bincount(self.numbers, (above - above.mean()) / len(above), minlength=self.count)

    def variance(self, below: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sampling variance of the cumulative distribution `below` at all points of a common, sorted axis.

        `places` are those of the sample's own cells on that axis.
        """
        if len(np.unique(self.numbers)) == len(self.numbers):
            return below * (1 - below) / (len(self.numbers) - 1)
        _, numbers = np.unique(self.numbers, return_inverse=True)
        sizes = np.bincount(numbers)[:, None]
        count = len(sizes)
        steps = np.zeros((count, len(below)))
        steps[numbers, places] = 1
        # A share of cells is a ratio of two sums over wells: the variance is that of the residuals (Cochran 1977, 6.3).
        residuals = np.cumsum(steps, 1) - sizes * below
        return np.asarray((residuals**2).sum(0) * count / max(1, count - 1) / sizes.sum() ** 2)


@dataclass(frozen=True, eq=False)
class SampledDistance:
    """First Wasserstein distance of two samples, in the measurement's unit.

    Parameters
    ----------
    plain
        As it stands: the area between the cumulative distributions.
    corrected
        Less what sampling error adds to it; below 0 where that alone would make more.
    drawn
        (draws,) what `corrected` would be in other samples.
    influences
        How much the distance grows with each well or cell of the one and of the other sample.
    """

    plain: float
    corrected: float
    drawn: NDArray[np.float64]
    influences: tuple[NDArray[np.float64], NDArray[np.float64]]


def sampled_distance(
    one: MeasuredSample, other: MeasuredSample, one_draws: NDArray[np.float32], other_draws: NDArray[np.float32]
) -> SampledDistance:
    """Distance of two samples, of whose wells or cells `one_draws` and `other_draws` hold other draws.

    The difference of the two cumulative distributions is shrunk by the one factor with which, once the sampling error
    of either (normal at each point, of variance `MeasuredSample.variance`) is laid over it, the area to be expected is
    the one seen. The deviations of drawn distributions from the sample's are laid over the shrunk difference, and the
    result is corrected as the sample was.

    Parameters
    ----------
    one, other
        The samples.
    one_draws, other_draws
        (cells of the kind, draws) how often each cell was drawn.
    """
    order = np.argsort(np.concatenate([one.values, other.values]), kind="stable")
    values = np.concatenate([one.values, other.values])[order]
    widths = np.diff(values)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    own = np.where(order < len(one.values), 1 / len(one.values), 0.0)
    others = np.where(order < len(one.values), 0.0, 1 / len(other.values))
    below_one, below_other = np.cumsum(own), np.cumsum(others)
    difference = (below_one - below_other)[:-1]
    variance = one.variance(below_one, places[: len(one.values)])
    variance = variance + other.variance(below_other, places[len(one.values) :])
    error = np.sqrt(np.clip(variance[:-1], 0, None))
    plain = float(np.abs(difference) @ widths)
    sign = np.sign(difference)
    influences = (
        one.influence(sign, widths, places[: len(one.values)]),
        other.influence(-sign, widths, places[len(one.values) :]),
    )
    direction = difference if plain > 0 else error
    length = float(np.abs(direction) @ widths)
    if length == 0:
        return SampledDistance(plain, plain, np.full(one_draws.shape[1], plain), influences)
    expected = _folded_mean(SCALES[:, None] * direction, error) @ widths

    def scale_of(seen: Any) -> Any:
        """Factor of the true difference; mirrored below what sampling error alone makes, so that it errs both ways."""
        excess = seen - expected[0]
        return np.sign(excess) * np.interp(expected[0] + np.abs(excess), expected, SCALES)

    scale = float(scale_of(plain)) if plain > 0 else 0.0
    drawn = _drawn_differences(one.cells, other.cells, order, one_draws, other_draws)
    drawn -= ((1 - max(0.0, scale)) * difference).astype(np.float32)[:, None]
    np.abs(drawn, out=drawn)
    seen = (widths / widths.max()).astype(np.float32) @ drawn * widths.max()
    return SampledDistance(plain, scale * plain, scale_of(seen) * length, influences)


def _drawn_differences(
    one: NDArray[np.intp],
    other: NDArray[np.intp],
    order: NDArray[np.intp],
    one_draws: NDArray[np.float32],
    other_draws: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(n + m − 1, draws) differences of the cumulative distributions of drawn cells, between the sorted values."""
    first, second = one_draws[one], other_draws[other]
    # A draw may hold no cell at all in which the measurement was taken: it then says nothing of its distribution.
    first /= np.maximum(first.sum(0), 1)
    second /= -np.maximum(second.sum(0), 1)
    steps = np.concatenate([first, second])[order[:-1]]
    return np.cumsum(steps, axis=0, out=steps)


def _folded_mean(mean: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of |x|, x being normal: Leone, Nelson & Nottingham (Technometrics 1961)."""
    ratio = np.abs(mean) / np.maximum(sd, 1e-12)
    return np.asarray(2 * sd / ROOT_2PI * np.exp(-(ratio**2) / 2) + np.abs(mean) * (2 * ndtr(ratio) - 1))
