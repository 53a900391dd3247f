"""Identity: whether a predicted cell is still the cell that it was made of, and not any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, with_two_digits
from napari_impa.errors import CellsError

COARSE = 8
"""Side of the coarse images in pixels: where a cell and its neighbours lie is seen, and no texture."""


def coarse_images(pixels: NDArray[Any], side: int = COARSE) -> NDArray[np.float64]:
    """Describe cells by means over blocks, where their channels are bright and dark.

    Parameters
    ----------
    pixels
        (N, C, S, S) in any units; NaN counts as 0.
    side
        Blocks in a row; pixels left over at the right and lower edge are left out.

    Returns
    -------
    (N, C · side²), each channel over its mean and standard deviation in all cells.

    Raises
    ------
    CellsError
        If crops are smaller than `side` pixels.
    """
    count, channels, rows, columns = np.shape(pixels)
    if min(rows, columns) < side:
        raise CellsError(f"Crops of {rows} × {columns} px have no {side} × {side} blocks.")
    high, wide = rows // side, columns // side
    inside = np.nan_to_num(np.asarray(pixels)[:, :, : high * side, : wide * side].astype(np.float64))
    means = inside.reshape(count, channels, side, high, side, wide).mean((3, 5))
    spread = means.std((0, 2, 3), keepdims=True)
    means = (means - means.mean((0, 2, 3), keepdims=True)) / np.where(spread > 0, spread, 1)
    return np.asarray(means.reshape(count, -1))


def identity_rank(sources: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Mean rank of a cell's own source among all sources, by the correlation of their features with its own.

    What all sources have in common is taken off them, and what all predicted cells have in common off these: a
    condition that makes every cell brighter or rounder changes nobody's identity.

    Parameters
    ----------
    sources
        (N, D) features of the cells that were turned, such as `coarse_images`.
    predicted
        (N, D) features of the same cells, turned into one condition, in the same order.

    Returns
    -------
    Share of the other sources that correlate less than the own one, ties by half: 1 if the own source is always the
    nearest, 0.5 by chance, as for copies of any real cell. NaN for fewer than two cells. The other way round the
    predicted cells are ranked, which is another number.

    Raises
    ------
    CellsError
        If the sets differ in shape or a feature is not finite.
    """
    sources, predicted = np.asarray(sources, np.float64), np.asarray(predicted, np.float64)
    if sources.shape != predicted.shape or sources.ndim != 2:
        raise CellsError(
            f"Predicted cells are compared with their sources one by one: {predicted.shape} is not {sources.shape}."
        )
    if not (np.isfinite(sources).all() and np.isfinite(predicted).all()):
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
    if len(sources) < 2:
        return float("nan")
    alike = _unit(predicted) @ _unit(sources).T
    own = np.diag(alike)[:, None]
    near = 1e-12  # rounding of equal correlations
    lower, equal = (alike < own - near).sum(1), (np.abs(alike - own) <= near).sum(1) - 1
    return float(((lower + equal / 2) / (len(sources) - 1)).mean())


def _unit(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Less the mean cell, then of mean 0 and length 1 each; 0 where nothing is left."""
    features = features - features.mean(0)
    features = features - features.mean(1, keepdims=True)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(np.divide(features, length, out=np.zeros_like(features), where=length > 1e-12))


def _columns(of: Compared) -> dict[str, float]:
    """Of rows whose cells are the control cells, turned."""
    if not of.own or len(of.cells) < 2:
        return {}
    before, after = of.control.pixels, of.cells.pixels
    if min(before.shape[-2:]) < COARSE:
        return {}
    return {"identity": identity_rank(coarse_images(before), coarse_images(after))}


def _part(table: pd.DataFrame) -> PrintedPart:
    text = (
        "Identity: whether a cell is still the one that it was made of, by where its channels are bright and dark: 1 "
        "if the\nown one is always the nearest of all, 0.5 where any other is as near, as for copies of a real cell."
    )
    return PrintedPart(text, {"identity": "identity"}, with_two_digits)


IDENTITY = Metric(
    name="identity",
    title="Still the same cell",
    headline="identity",
    better="higher",
    needs=frozenset({"pixels"}),
    columns=_columns,
    part=_part,
    source="Our own definition: a rank by Pearson's correlation of coarse images.",
)
