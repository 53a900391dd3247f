"""Gap closed: how much of the way from control to real treated cells a prediction goes, by measurements with names.

0 is as far from the real cells as the control, 1 is as near as the real cells themselves, below 0 is farther away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import t as student

from napari_impa.analysis.statistics.wasserstein import MeasuredSample, SampledDistance, sampled_distance
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

LEAST_SHIFT = 0.3
"""Pooled standard deviations that the median has to move by, for a measurement to count as truly moved."""

LEAST_LEFT = 0.3
"""Share of the distance from control to real cells that has to be left when the sampling error is taken off it."""

FEWEST_VALUES = 10
"""Cells of each kind in which a measurement must have been taken."""

FEWEST_WELLS = 5
"""Wells of each kind that are needed to draw wells, rather than cells, for the interval."""

WORST = -1.0
"""What a measurement counts at worst: twice as far from the real cells as the control is, however much farther."""

LEVEL = 0.9
"""Share of repeats of the experiment in which the interval holds the truth."""


class GapEstimate(NamedTuple):
    """A number, with the interval that holds the truth in 90 of 100 repeats, and how many measurements it rests on."""

    value: float
    low: float
    high: float
    measurements: int


@dataclass(frozen=True, eq=False)
class GapClosed:
    """What `gap_closed` found, arrays with an entry for each of D measurements.

    Parameters
    ----------
    overall
        Mean of the families' values: each family that moves counts alike, however many measurements it has.
    families
        Of each family of which a measurement truly moves: the median over those measurements.
    moved_unasked
        Side effects: of the measurements that do not truly move, the share that the prediction carries away from
        control and real cells alike; NaN where all move.
    moves
        Whether real treated cells truly differ from the control.
    shift, predicted_shift
        Median of the real and of the predicted cells less that of the control, in pooled standard deviations of
        control and real cells; NaN where it was taken in too few cells.
    closed, low, high
        Gap closed and the ends of its interval; NaN where the measurement does not truly move.
    plain
        1 − W(predicted, real)/W(control, real) as it stands, without the correction for few cells.
    values
        (3, D) control, predicted and real cells in which the measurement was taken.
    drawn
        Whether wells or cells were drawn for the intervals.
    """

    overall: GapEstimate
    families: Mapping[str, GapEstimate]
    moved_unasked: float
    moves: NDArray[np.bool_]
    shift: NDArray[np.float64]
    predicted_shift: NDArray[np.float64]
    closed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    plain: NDArray[np.float64]
    values: NDArray[np.intp]
    drawn: Literal["wells", "cells"]


def gap_closed(
    control: ArrayLike,
    predicted: ArrayLike,
    real: ArrayLike,
    families: Sequence[str],
    *,
    wells: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    repeat: ArrayLike | None = None,
    paired: bool = False,
    draws: int = 200,
    seed: int = 0,
    watch: Watch = UNWATCHED,
) -> GapClosed:
    """Share of the way from control to real cells that predicted cells go, for each measurement that truly moves.

    1 − W(predicted, real) / W(control, real), W being the first Wasserstein distance of the cells' distributions
    (`scipy.stats.wasserstein_distance`): the area between the two cumulative distributions. A measurement truly moves
    where the medians of real and control cells differ by over 0.3 standard deviations (root of the mean of both
    variances), and by over twice the standard error that such a difference has between normal distributions,
    1.25 √(1/n + 1/m), which is the higher bar for fewer than 140 cells on either side; and where the sampling error of
    so few cells makes less than 0.7 of their distance.

    **Few cells.** Between two samples of one distribution W is not 0: for 250 normal cells on either side it is about
    0.1 standard deviations, so that perfect predictions of a shift by 0.5 would seem to close 0.8. Therefore the
    difference of the two cumulative distributions is shrunk by the one factor with which, once the sampling error of
    either (normal at each point, of the cells' or wells' variance) is laid over it, the area to be expected is the one
    seen. Where one distribution lies wholly beside the other the factor is 1; where less is seen than two samples of
    one distribution differ by, it is below 0, so that medians over measurements are right. What is returned is at most
    1. `plain` has the numbers without.

    **Interval.** Wells, or cells where there are fewer than five wells of a kind, are drawn with replacement; the
    deviations of the drawn distributions from the sample's are laid over the shrunk difference, and the result is
    corrected as the sample was. (The usual percentiles of W between drawn samples are of no use: each draw adds the
    sampling error once more, and their intervals lie below the truth.) The ends are quantiles of the draws, those of
    Hesterberg's expanded percentile interval (Am. Stat. 2015), which makes up for the fewness of wells.

    **Ratio.** Both distances end at the same real cells, and a ratio of such is too small on average; the second-order
    term of that bias (Cochran, Sampling Techniques, 1977, 6.8) is taken off.

    **Overall.** The median over all measurements would be that of the family that happens to have most of them
    (CellProfiler has over 50 of texture a channel, a dozen of shape), and the median over families would say 0.9 where
    two of five are left as they are. It is the mean over families, each counting as the median of its measurements
    that truly move, and no less than −1.

    Parameters
    ----------
    control, predicted, real
        (n, D), (m, D) and (k, D) measurements of single cells, in any unit; what is not finite counts as not taken.
    families
        Of each measurement, the name of its family.
    wells
        Of each control, predicted and real cell, its well.
    repeat
        (r, D) other real cells of the condition, of other plates if there are any: a measurement that does not move in
        these too, the same way and at least half as far as counts, moves by chance or with the plate, and is left out.
    paired
        Whether predicted cells are the control cells, turned, in the same order: they are then drawn together.
    draws
        How often wells or cells are drawn; with 0 the ends of intervals are NaN.
    seed
        Of the draws.
    watch
        Asked before every measurement whether to go on.

    Returns
    -------
    A measurement that was taken in fewer than ten control or real cells does not count as moved. One that truly moves
    and was taken in fewer than ten predicted cells counts −1: a picture in which nothing can be measured is not that
    of a treated cell. Where nothing moves, `overall` is NaN.

    Raises
    ------
    CellsError
        If the arrays do not fit each other.
    """
    groups = _checked(control, predicted, real, families, paired)
    units, drawn = _units(groups, wells)
    taken = np.stack([np.isfinite(group).sum(0) for group in groups])
    shift, predicted_shift = _shifts(groups, taken)
    with np.errstate(divide="ignore", invalid="ignore"):
        bar = np.maximum(LEAST_SHIFT, 2 * np.sqrt(np.pi / 2 * (1 / taken[0] + 1 / taken[2])))
    moves = np.abs(shift) > bar
    if repeat is not None:
        moves &= _repeated(groups[0], np.asarray(repeat, np.float64), shift)
    weights = _draw(units, paired, draws, seed)
    plain, closed = np.full(len(families), np.nan), np.full(len(families), np.nan)
    drawn_closed = np.full((draws, len(families)), np.nan)
    for column in np.flatnonzero(moves):
        watch.check()
        one, two, three = (MeasuredSample.of(group[:, column], unit) for group, unit in zip(groups, units, strict=True))
        far = sampled_distance(one, three, weights[0], weights[2])
        if far.corrected < LEAST_LEFT * far.plain:  # few cells alone might differ by most of it
            moves[column] = False
            continue
        if taken[1, column] < FEWEST_VALUES:
            plain[column] = closed[column] = drawn_closed[:, column] = WORST
            continue
        near = sampled_distance(two, three, weights[1], weights[2])
        plain[column] = 1 - near.plain / far.plain
        # In a draw of few cells nothing may be left of the way that there is to go.
        least = 1e-3 * far.plain
        bias = _bias_of_ratio(near, far, paired)
        closed[column] = 1 - near.corrected / max(far.corrected, least) - bias
        drawn_closed[:, column] = 1 - near.drawn / np.maximum(far.drawn, least) - 2 * bias
    reach = _reach(units)
    low, high = _interval(closed, drawn_closed, reach)
    by_family, overall = _summed_up(closed, drawn_closed, moves, families, reach)
    closed = np.minimum(closed, 1)
    still = (np.abs(shift) <= LEAST_SHIFT) & (taken[1] >= FEWEST_VALUES)
    from_real = np.abs(predicted_shift[still] - shift[still])
    carried = (np.abs(predicted_shift[still]) > LEAST_SHIFT) & (from_real > LEAST_SHIFT)
    unasked = float(carried.mean()) if still.any() else float("nan")
    return GapClosed(overall, by_family, unasked, moves, shift, predicted_shift, closed, low, high, plain, taken, drawn)


def _repeated(
    control: NDArray[np.float64], repeat: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(D,) whether other real cells move the same way, at least half as far as counts; yes where they are too few."""
    taken = np.stack([np.isfinite(control).sum(0), np.isfinite(repeat).sum(0), np.isfinite(repeat).sum(0)])
    again, _ = _shifts([control, repeat, repeat], taken)
    same = (np.sign(again) == np.sign(shift)) & (np.abs(again) > LEAST_SHIFT / 2)
    return np.asarray(np.isnan(again) | same, bool)


def _checked(
    control: ArrayLike, predicted: ArrayLike, real: ArrayLike, families: Sequence[str], paired: bool
) -> list[NDArray[np.float64]]:
    groups = [np.asarray(group, np.float64) for group in (control, predicted, real)]
    if any(group.ndim != 2 or group.shape[1] != len(families) for group in groups):
        shapes = ", ".join(str(group.shape) for group in groups)
        raise CellsError(f"Control, predicted and real cells need {len(families)} measurements each, not {shapes}.")
    if not all(map(len, groups)):
        raise CellsError("There are no cells of control, predicted or real ones to compare.")
    if paired and len(groups[0]) != len(groups[1]):
        raise CellsError(f"{len(groups[1])} predicted cells cannot be those of {len(groups[0])} control cells, turned.")
    return groups


def _units(
    groups: list[NDArray[np.float64]], wells: tuple[ArrayLike, ArrayLike, ArrayLike] | None
) -> tuple[list[NDArray[np.intp]], Literal["wells", "cells"]]:
    """Of each cell, the number of what is drawn with it: its well or itself."""
    if wells is not None:
        units = [np.unique(np.asarray(well).astype(str), return_inverse=True)[1] for well in wells]
        if any(len(unit) != len(group) for unit, group in zip(units, groups, strict=True)):
            raise CellsError("Each control, predicted and real cell needs its well.")
        if min(unit.max() + 1 for unit in units) >= FEWEST_WELLS:
            return units, "wells"
    return [np.arange(len(group)) for group in groups], "cells"


def _shifts(
    groups: list[NDArray[np.float64]], taken: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(D,) shifts of real and of predicted cells; NaN where the measurement was taken in too few cells."""
    medians, variances = np.full((2, 3, taken.shape[1]), np.nan)
    for number, group in enumerate(groups):
        enough = taken[number] >= FEWEST_VALUES
        values = np.where(np.isfinite(group), group, np.nan)[:, enough]
        medians[number, enough], variances[number, enough] = np.nanmedian(values, 0), np.nanvar(values, 0)
    sd = np.sqrt((variances[0] + variances[2]) / 2)
    sd[sd <= 1e-12 * np.abs(medians[0])] = 0  # rounding of equal values
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = [np.where(change == 0, 0.0, change / sd) for change in medians[[2, 1]] - medians[0]]
    return moved[0], moved[1]


def _draw(units: list[NDArray[np.intp]], paired: bool, draws: int, seed: int) -> list[NDArray[np.float32]]:
    """Of each group, (n, draws) how often each cell was drawn, cells of a well together."""
    weights: list[NDArray[np.float32]] = []
    for number, unit in enumerate(units):
        count = int(unit.max()) + 1
        # Controls and the cells made of them are the same draws where they are the same cells.
        stream = 0 if paired and number == 1 else number
        rng = np.random.default_rng([seed, 20, stream])
        times = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float32)
        weights.append(np.ascontiguousarray(times.T[unit]))
    return weights


def _bias_of_ratio(near: SampledDistance, far: SampledDistance, paired: bool) -> float:
    """How much too small the ratio of two distances is that share the real cells, and the control cells if `paired`.

    The second-order term of a ratio (Cochran 1977, 6.8), variance and covariance being those of the influences.
    """
    least = 1e-3 * far.plain
    variance = sum(float(influence @ influence) for influence in far.influences)
    covariance = float(near.influences[1] @ far.influences[1])
    if paired:
        covariance += float(near.influences[0] @ far.influences[0])
    ratio = near.corrected / max(far.corrected, least)
    return float(covariance - ratio * variance) / max(far.corrected, least) ** 2


def _reach(units: list[NDArray[np.intp]]) -> float:
    """Standard normal quantile of the interval's ends, for so many wells or cells of each kind.

    It is that of Student's t, as drawing few wells leaves unknown how much wells differ, by the root of k/(k − 1), as
    drawn wells differ less than wells do (Hesterberg 2015). The degrees of freedom are Welch's, for real wells beside
    control wells that differ as much among each other.
    """
    counts = np.array([unit.max() + 1.0 for unit in units])
    sides = np.array([counts[2], min(counts[:2])])
    if sides.min() < 2:
        return float("nan")
    freedom = (1 / sides).sum() ** 2 / (1 / (sides**2 * (sides - 1))).sum()
    narrow = ((sides - 1) / sides**2).sum() / (1 / sides).sum()
    return float(student.ppf((1 + LEVEL) / 2, freedom) / np.sqrt(narrow))


def _interval(
    estimates: NDArray[np.float64], draws: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the interval of each estimate, of which each has a column of `draws`; at most 1."""
    ends = np.full((2, len(estimates)), np.nan)
    if not len(draws) or np.isnan(reach):
        return ends[0], ends[1]
    there = ~np.isnan(estimates)
    ends[:, there] = np.quantile(draws[:, there], ndtr([-reach, reach]), axis=0)
    return np.minimum(ends[0], 1), np.minimum(ends[1], 1)


def _summed_up(
    closed: NDArray[np.float64],
    drawn: NDArray[np.float64],
    moves: NDArray[np.bool_],
    families: Sequence[str],
    reach: float,
) -> tuple[dict[str, GapEstimate], GapEstimate]:
    """Estimates of the families, in the order in which they come, and the overall one."""
    counts: dict[str, Any] = {name: 0 for name, does in zip(families, moves, strict=True) if does}
    values, draws = [], []
    for name in counts:
        chosen = moves & (np.asarray(families) == name)
        counts[name] = int(chosen.sum())
        values.append(float(np.median(np.maximum(closed[chosen], WORST))))
        draws.append(np.median(np.maximum(drawn[:, chosen], WORST), axis=1))
    if not counts:
        return {}, GapEstimate(float("nan"), float("nan"), float("nan"), 0)
    columns = np.stack([*draws, np.mean(draws, axis=0)], axis=1)
    low, high = _interval(np.array([*values, np.mean(values)]), columns, reach)
    of_families = {
        name: GapEstimate(min(values[number], 1.0), float(low[number]), float(high[number]), counts[name])
        for number, name in enumerate(counts)
    }
    overall = min(float(np.mean(values)), 1.0)
    return of_families, GapEstimate(overall, float(low[-1]), float(high[-1]), int(moves.sum()))
