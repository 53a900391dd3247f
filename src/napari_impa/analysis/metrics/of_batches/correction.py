"""How well cells are corrected to a batch: what still shows the batch that they came from, and what of them stays.

One says little without the other: a model that draws the same cell always takes away the batch, and all else too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, with_two_digits
from napari_impa.analysis.nucleus_and_ring import central_nucleus_mask
from napari_impa.errors import CellsError

FEWEST_NUCLEI = 5
"""Nuclei that a correlation needs."""

MOST_NUCLEI = 300
"""Most nuclei compared, before and after, of a batch."""


def nucleus_kept(before: NDArray[Any], after: NDArray[Any]) -> dict[str, float]:
    """Compare the central nuclei of the same cells before and after.

    Parameters
    ----------
    before, after
        (n, S, S) crops of the nuclear stain; `central_nucleus_mask` finds the nucleus in each.

    Returns
    -------
    `area` and `place`: Spearman's rank correlation over the cells, before against after, of the nucleus's area and of
    its centroid's distance from the crop's centre (the mean of the correlations of rows and columns); NaN where fewer
    than five cells have a nucleus in both. Ranks, because in a few crowded crops in a hundred touching nuclei are
    parted otherwise before and after, which puts the centroid many pixels away and alone decides about Pearson's.

    Raises
    ------
    CellsError
        If the crops differ in shape.
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape or before.ndim != 3:
        raise CellsError(f"Nuclei are compared in crops of one shape, not {before.shape} and {after.shape}.")
    one, other = _measured(central_nucleus_mask(before)), _measured(central_nucleus_mask(after))
    both = np.isfinite(one).all(1) & np.isfinite(other).all(1)
    if both.sum() < FEWEST_NUCLEI:
        return {"area": float("nan"), "place": float("nan")}
    area, row, column = (_correlation(one[both, k], other[both, k]) for k in range(3))
    return {"area": area, "place": (row + column) / 2}


def _measured(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, 3) area and centroid of each mask; NaN where it is empty."""
    area = masks.sum((1, 2)).astype(float)
    area[area == 0] = np.nan
    places = np.arange(masks.shape[1])
    return np.stack([area, masks.sum(2) @ places / area, masks.sum(1) @ places / area], axis=1)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def _columns(of: Compared) -> dict[str, float]:
    """Fraction taken for the batch that the cells came from, and what is kept of their nuclei."""
    if of.judged is None or not of.own:
        return {}
    evaluated, positions = of.of.evaluated, of.cells.positions
    origin = evaluated.classifier.conditions(of.cells.reduced(), positions) == evaluated.chosen.names[positions]
    some = np.arange(0, len(positions), -(-len(positions) // MOST_NUCLEI))
    before = evaluated.real(positions[some]).pixels[:, evaluated.nuclei]
    kept = nucleus_kept(before, of.cells.pixels[some, evaluated.nuclei])
    return {"origin": float(origin.mean())} | {f"kept_{what}": value for what, value in kept.items()}


def _part(table: pd.DataFrame) -> PrintedPart:
    chance = 100 / (table["condition"].nunique() + len(table.attrs["not_scored"]))
    text = (
        f"Still taken for the batch that they came from (chance is {chance:.0f} %), and what has to stay: the "
        f"nucleus's area\nand place ({table.attrs['nuclei']}), rank correlation before to after."
    )
    return PrintedPart(text, {"origin": "old batch", "kept_area": "area", "kept_place": "place"}, with_two_digits)


CORRECTION = Metric(
    name="correction",
    title="Still taken for the batch of origin, and what is kept",
    headline="origin",
    better="lower",
    needs=frozenset({"classifier", "batches", "nuclei", "pixels"}),
    columns=_columns,
    part=_part,
    source="Spearman's correlation by scipy; logistic regression of scikit-learn.",
)
