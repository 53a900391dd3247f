"""The cells that came out best, middling and worst, by a measured error, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition

NEIGHBOURS = 5
"""Real cells that a predicted one is held against: those most like it."""

SHOWN = 4
"""Cells of each kind."""


@dataclass(frozen=True, eq=False)
class ExtremeCells:
    """Cells of a condition with small, median and large error.

    Parameters
    ----------
    kinds
        (n,) `best`, `median` or `worst`.
    error
        (n,) of each, see `cell_errors`.
    control, predicted, real
        (n, C, S, S) the cell, what it was turned into, and the real treated cell that is most like that.
    positions
        (n,) of the cells among those predicted.
    """

    kinds: tuple[str, ...]
    error: NDArray[np.float64]
    control: NDArray[Any]
    predicted: NDArray[Any]
    real: NDArray[Any]
    positions: NDArray[np.intp]


def cell_errors(
    predicted: NDArray[np.float64], real: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """How far each predicted cell is from the real ones it is most like, over how far real cells are from each other.

    What a cell would truly have become is not known of real cells, so the error of one is that it is like none.

    Parameters
    ----------
    predicted, real
        (n, D) and (m, D) reduced features, m above 1.

    Returns
    -------
    error
        (n,) mean distance to the `NEIGHBOURS` nearest real cells, over the median such distance of real cells to the
        others: 1 is as unlike real cells as they are unlike each other.
    nearest
        (n,) the nearest real cell of each.
    """
    from scipy.spatial import KDTree

    tree = KDTree(real)
    count = min(NEIGHBOURS, len(real) - 1)
    away, which = (np.reshape(part, (len(predicted), -1)) for part in tree.query(predicted, count))
    among = np.reshape(tree.query(real, count + 1)[0], (len(real), -1))[:, 1:]
    return away.mean(1) / max(float(np.median(among.mean(1))), 1e-12), which[:, 0]


def extreme_cells(of: EvaluatedCondition) -> ExtremeCells:
    """Choose the cells with the smallest errors, those about the median, and those with the largest."""
    error, nearest = cell_errors(of.predicted.reduced(), of.real.reduced())
    order = np.argsort(error, kind="stable")
    count = min(SHOWN, len(order) // 3) or 1
    middle = max(0, len(order) // 2 - count // 2)
    parts = {"best": order[:count], "median": order[middle : middle + count], "worst": order[-count:]}
    which = np.concatenate(list(parts.values()))
    return ExtremeCells(
        kinds=tuple(kind for kind, some in parts.items() for _ in some),
        error=error[which],
        control=of.control.subset(which).pixels,
        predicted=of.predicted.subset(which).pixels,
        real=of.real.subset(nearest[which]).pixels,
        positions=which,
    )
