"""Fréchet distance in feature space: of predicted to real cells, beside that of the cells left as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.evaluated_cells import GROUPS, EvaluatedCondition
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, group_heads, words_of
from napari_impa.errors import CellsError

DRAWS = 5
"""Samples of equally many cells that a distance is averaged over."""


def frechet_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Squared Fréchet distance of the normal distributions with the means and covariances of `a` and `b`.

    |μa − μb|² + tr(Σa + Σb − 2 (Σa^½ Σb Σa^½)^½), Dowson & Landau (J. Multivariate Anal. 1982), used for images by
    Heusel et al. (NeurIPS 2017). Square roots are those of the eigenvalues of symmetric matrices, so that covariances
    of fewer cells than features do no harm; but the fewer the cells, the larger the estimate (Chong & Forsyth, CVPR
    2020): compare only distances taken from equally many cells.

    Parameters
    ----------
    a, b
        (N, D) and (M, D) features of two sets of cells.

    Returns
    -------
    0 for equal means and covariances, never negative.

    Raises
    ------
    CellsError
        If a set has fewer than two cells, the sets differ in features, or a feature is not finite.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise CellsError(
            f"Two sets of cells need the same features to be compared, not shapes {a.shape} and {b.shape}."
        )
    if min(len(a), len(b)) < 2:
        raise CellsError(f"A Fréchet distance needs two cells or more on either side, not {len(a)} and {len(b)}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
    cov_a, cov_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    values, vectors = np.linalg.eigh(cov_a)
    root_a = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    product = root_a @ cov_b @ root_a
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh((product + product.T) / 2), 0, None)).sum()
    means = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return max(0.0, float(means + np.trace(cov_a) + np.trace(cov_b) - 2 * overlap))


def mean_distance(a: NDArray[np.float64], b: NDArray[np.float64], count: int, seed: int) -> float:
    """Fréchet distance between `count` cells of either side, averaged over draws that depend on nothing but `seed`."""
    draws = []
    for draw in range(DRAWS):
        rng = np.random.default_rng([seed, 4, draw])
        draws.append(frechet_distance(a[rng.permutation(len(a))[:count]], b[rng.permutation(len(b))[:count]]))
    return float(np.mean(draws))


def _columns(of: EvaluatedCondition) -> dict[str, float]:
    """Distances between equally many cells on either side, and their ratios."""
    one, other = (of.cells.features[half] for half in of.real_halves())
    real = of.features("real")
    pairs = {"predicted": (of.features("predicted"), real), "control": (of.features("control"), real)}
    pairs["real"] = one, other
    count = min(len(side) for pair in pairs.values() for side in pair)
    distances = {group: mean_distance(*pairs[group], count, of.cells.seed) for group in GROUPS}
    return {
        "compared": count,
        **{f"distance_{group}": distance for group, distance in distances.items()},
        "ratio": distances["predicted"] / distances["control"],
        "ratio_real": distances["real"] / distances["control"],
    }


def _part(table: pd.DataFrame) -> PrintedPart:
    what, control = words_of(table)
    lines = (
        f"Fréchet distance to real cells of the {what}; lower is better. Ratio: predicted to {control}, 1 is no better",
        f"than leaving the cells as they are. Floor: real to {control}, what a repeat of the experiment scores (other",
        f"real cells of the {what}, of other plates if there are any; above 1, plates differ more than conditions).",
    )
    heads = {"cells": "cells", "compared": "compared", **group_heads("distance", control)}
    return PrintedPart(
        "\n".join(lines), heads | {"ratio": "ratio", "ratio_real": "floor"}, lambda value: f"{value:.2f}"
    )


DISTANCE = Metric(
    name="distance",
    title="Fréchet distance to real cells, over that of the control",
    headline="ratio",
    better="lower",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
)
