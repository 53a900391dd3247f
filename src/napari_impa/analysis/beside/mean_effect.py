"""The mean effect: control cells made brighter or darker as the condition does on average, without any network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import CellSet, EvaluatedCondition
from napari_impa.analysis.selection import FEWEST

QUANTILES = np.linspace(0, 1, 101)
"""Of the pixels of a cell and channel."""

MOST_CELLS = 500
"""Cells of either side that the effect is taken from."""


def mean_effect(control: NDArray[Any], treated: NDArray[Any]) -> NDArray[np.float64]:
    """Mean difference of each channel's intensity quantiles.

    Parameters
    ----------
    control, treated
        (n, C, S, S) and (m, C, S, S) cells.

    Returns
    -------
    (101, C) at the quantiles 0, 0.01 … 1 of a cell's pixels, in the camera's units.
    """
    one, other = (np.quantile(cells.astype(np.float64), QUANTILES, axis=(2, 3)).mean(1) for cells in (control, treated))
    return np.asarray(other - one)


def apply_effect(cells: NDArray[Any], effect: NDArray[np.float64]) -> NDArray[Any]:
    """Move each pixel by the difference at its quantile within its own cell and channel.

    Parameters
    ----------
    cells
        (n, C, S, S).
    effect
        (101, C), of `mean_effect`.

    Returns
    -------
    (n, C, S, S) of the type of `cells`, cut to what that type holds.
    """
    n, channels, side, _ = cells.shape
    flat = cells.reshape(n, channels, -1)
    place = flat.argsort(2, kind="stable").argsort(2, kind="stable") / (flat.shape[2] - 1)
    out = np.empty(flat.shape, np.float64)
    for channel in range(channels):
        out[:, channel] = flat[:, channel] + np.interp(place[:, channel], QUANTILES, effect[:, channel])
    moved = out.reshape(n, channels, side, side)
    if np.issubdtype(cells.dtype, np.integer):
        limits = np.iinfo(cells.dtype)
        moved = np.clip(np.rint(moved), limits.min, limits.max)
    return moved.astype(cells.dtype)


def _make(of: EvaluatedCondition) -> Compared:
    evaluated, chosen = of.evaluated, of.evaluated.chosen
    control, treated = of.control, of.real
    if chosen.control is not None:
        untreated = evaluated.real(np.flatnonzero((chosen.names == chosen.control) & ~chosen.scored))
        if min(len(untreated), len(of.others)) >= FEWEST:  # a model too knew other plates alone
            control, treated = untreated, of.others
    effect = mean_effect(control.sample(MOST_CELLS, 11).pixels, treated.sample(MOST_CELLS, 12).pixels)
    moved = CellSet(evaluated, of.control.positions, apply_effect(of.control.pixels, effect))
    return Compared("mean_effect", of, moved, of.real, of.control, judged=moved, own=True)


MEAN_EFFECT = RowBeside(
    "mean_effect",
    "mean effect",
    "The same cells with each channel's intensities moved by their mean difference, no network at all; a model has to "
    "beat it.",
    _make,
)
