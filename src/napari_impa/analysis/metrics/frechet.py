"""Fréchet distance in feature space: of predicted to real cells, beside that of the cells left as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, with_two_digits, words_of
from napari_impa.analysis.statistics.sets import check_sets

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
    check_sets(a, b, fewest=2, what="Fréchet distances")
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


def _columns(of: Compared) -> dict[str, float]:
    """Distances between equally many cells on either side, and over that of the control, in each feature space."""
    out: dict[str, float] = {"compared": of.count}
    seed = of.of.evaluated.seed
    for number, space in enumerate(of.of.evaluated.spaces):
        cells, real, control = (
            side.features(space) if space.columns is None else side.reduced(space)
            for side in (of.cells, of.real, of.control)
        )
        distance = mean_distance(cells, real, of.count, seed)
        ending = "" if number == 0 else f"_{space.name}"
        out[f"frechet{ending}"] = distance
        out[f"ratio{ending}"] = distance / max(mean_distance(control, real, of.count, seed), 1e-12)
    return out


def _part(table: pd.DataFrame) -> PrintedPart:
    what, control = words_of(table)
    text = (
        f"Fréchet distance to real cells of the {what}, between so many cells on either side, over that of {control} "
        "cells:\nlower is better, 1 is no better than leaving the cells as they are."
    )
    spaces = {name: f"Fréchet ({name[6:] or table.attrs['spaces'][0]})" for name in table if name.startswith("ratio")}
    return PrintedPart(text, {"compared": "cells each"} | spaces, with_two_digits)


DISTANCE = Metric(
    name="frechet",
    title="Fréchet distance to real cells, over that of the control",
    headline="ratio",
    better="lower",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
    source="Heusel et al., NeurIPS 2017; Dowson & Landau, J. Multivariate Anal. 1982.",
)
