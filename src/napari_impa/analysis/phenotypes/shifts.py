"""How far a condition moves cells, summed block by block of cells, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.ratio import ratio_or_nan

GROUPS = 8
"""Groups of cells whose shifts are compared, to tell how sure their mean is."""


@dataclass(frozen=True, eq=False)
class ShiftSums:
    """Sums over cells of how their measurements were moved by each of K conditions; blocks of cells add to them.

    Attributes
    ----------
    cells, sums
        (K, G, d) cells whose measurement is known before and after, and the sum of its changes, for each group.
    squares
        (K, d) sum of squared changes.
    draws, spread
        (K, d) cells that were drawn twice, and the sum of half the squared difference of both draws.
    outside, looked_at
        (K,) predicted cells that are like no real one, and those of which that was asked.
    """

    cells: NDArray[np.float64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    draws: NDArray[np.float64]
    spread: NDArray[np.float64]
    outside: NDArray[np.float64]
    looked_at: NDArray[np.float64]

    @classmethod
    def zeros(cls, conditions: int, measurements: int) -> Self:
        """Nothing was added yet."""
        grouped, flat = (conditions, GROUPS, measurements), (conditions, measurements)
        return cls(*(np.zeros(s) for s in (grouped, grouped, flat, flat, flat, conditions, conditions)))

    def add(
        self, number: int, before: NDArray[np.float64], after: NDArray[np.float64], rows: NDArray[np.integer]
    ) -> None:
        """Add cells (n, d) before and after the condition of a number; their `rows` deal them to groups."""
        change = after - before
        known = np.isfinite(change)
        change = np.where(known, change, 0)
        for group in range(GROUPS):
            of = rows % GROUPS == group
            self.cells[number, group] += known[of].sum(0)
            self.sums[number, group] += change[of].sum(0)
        self.squares[number] += (change**2).sum(0)

    def add_second_draw(self, number: int, one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
        """Add the same cells (n, d) under two draws of the noise."""
        halves = (one - other) ** 2 / 2
        known = np.isfinite(halves)
        self.draws[number] += known.sum(0)
        self.spread[number] += np.where(known, halves, 0).sum(0)

    def add_support(self, number: int, outside: NDArray[np.bool_]) -> None:
        """Add (n,) whether cells lie outside of where real ones are."""
        self.outside[number] += outside.sum()
        self.looked_at[number] += len(outside)

    def shifts(self) -> Shifts:
        """What the sums say."""
        count = self.cells.sum(1)
        shift = ratio_or_nan(self.sums.sum(1), count)
        variance = np.maximum(ratio_or_nan(self.squares, count) - shift**2, 0)
        chance = np.where(count > 1, variance / np.maximum(count - 1, 1), np.nan)
        chance = np.nan_to_num(chance)
        left = self.cells.sum(1, keepdims=True) - self.cells
        without = ratio_or_nan(self.sums.sum(1, keepdims=True) - self.sums, left)
        leave_one_out = effect_of(without, chance[:, None])
        error = np.sqrt((GROUPS - 1) / GROUPS * ((leave_one_out - leave_one_out.mean(1, keepdims=True)) ** 2).sum(1))
        spread = np.sqrt(mean_of_known(ratio_or_nan(self.spread, self.draws)))
        return Shifts(shift, effect_of(shift, chance), error, spread, ratio_or_nan(self.outside, self.looked_at))


@dataclass(frozen=True, eq=False)
class Shifts:
    """How far each of K conditions moves cells.

    Attributes
    ----------
    shift
        (K, d) mean change of each measurement, in standard deviations of control cells.
    effect
        (K,) root mean square of it over the measurements, less what chance alone would give; see `effect_of`.
    error
        (K,) standard error of the effect, by leaving out each of some groups of cells (jackknife).
    spread
        (K,) how far a cell moves from one draw of the noise to another, on the same scale; NaN where not drawn twice.
    outside
        (K,) share of the predicted cells that are like no real cell; NaN where no real cells were given.
    """

    shift: NDArray[np.float64]
    effect: NDArray[np.float64]
    error: NDArray[np.float64]
    spread: NDArray[np.float64]
    outside: NDArray[np.float64]

    @property
    def sureness(self) -> NDArray[np.float64]:
        """(K,) effect over effect and spread of the noise together: 1 where noise moves no cell, ½ where as far."""
        return ratio_or_nan(self.effect, self.effect + self.spread)


def effect_of(shift: NDArray[np.float64], chance: NDArray[np.float64] | float = 0.0) -> NDArray[np.float64]:
    """(…,) root mean square of shifts (…, d) over the measurements that are known.

    `chance` (…, d), the variance of each mean shift, is taken off before the root, so that few cells do not seem to be
    moved further than many.
    """
    return np.sqrt(np.maximum(mean_of_known(shift**2 - chance), 0))


def likeness(shift: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) share of the way from control to a wanted phenotype (d,) that each shift (K, d) goes.

    1 − |wanted − shift| / |wanted|: 1 is there, 0 as far from it as control cells, below 0 further.
    """
    away = effect_of(shift - wanted)
    return 1 - ratio_or_nan(away, np.broadcast_to(effect_of(wanted), away.shape))


def direction(shift: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K,) cosine between each shift (K, d) and a wanted phenotype (d,), over what is known of both."""
    known = np.isfinite(shift) & np.isfinite(wanted)
    one, other = np.where(known, shift, 0), np.where(known, wanted, 0)
    return ratio_or_nan((one * other).sum(-1), np.sqrt((one**2).sum(-1) * (other**2).sum(-1)))


def moved_most(shift: NDArray[np.float64], names: tuple[str, ...], count: int = 3) -> list[str]:
    """For each of (K, d) shifts the measurements that move most, in words: `tubulin texture −2.1, …`."""
    size = np.nan_to_num(np.abs(shift))
    return [
        ", ".join(f"{names[n]} {row[n]:+.1f}".replace("-", "−") for n in np.argsort(-far, kind="stable")[:count])
        for row, far in zip(shift, size, strict=True)
    ]


def mean_of_known(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Mean over an axis of the values that are known; NaN where none is."""
    known = np.isfinite(values)
    return ratio_or_nan(np.where(known, values, 0).sum(axis), known.sum(axis))
