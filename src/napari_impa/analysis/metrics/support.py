"""Support: whether predicted cells lie where real cells are at all, of whatever condition, as strength grows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, in_percent
from napari_impa.analysis.statistics.neighbours import NEAREST, check_neighbours
from napari_impa.watch import UNWATCHED, Watch


def outside_support(
    real: NDArray[np.float64],
    predicted: Sequence[NDArray[np.float64]],
    *,
    nearest: int = NEAREST,
    watch: Watch = UNWATCHED,
) -> NDArray[np.float64]:
    """Share of each set of predicted cells that lies outside the neighbourhood of every real cell.

    A neighbourhood reaches to the cell's k-th nearest real one, so that the share is 1 − precision (Kynkäänniemi et
    al., NeurIPS 2019) with real cells of all conditions as the reference: a cell halfway between control and treated
    ones is inside only where such cells exist. Real cells of another plate, taken as a set, say what share there is of
    cells that are real.

    Parameters
    ----------
    real
        (N, D) features of all real cells, control and treated together, on one scale; see `Reduction`.
    predicted
        For each strength, (M, D) features of the cells predicted with it.
    nearest
        k.
    watch
        Asked before each strength whether to go on.

    Returns
    -------
    (strengths,) shares 0…1.

    Raises
    ------
    CellsError
        If the sets differ in features, there are not more than k real cells, or a feature is not finite.
    """
    from sklearn.metrics import pairwise_distances
    from sklearn.neighbors import NearestNeighbors

    check_neighbours(nearest, real)
    radii = NearestNeighbors(n_neighbors=nearest).fit(real).kneighbors()[0][:, -1]
    shares = []
    for cells in predicted:
        watch.check()
        check_neighbours(0, real, cells)
        shares.append(float((pairwise_distances(cells, real) >= radii).all(1).mean()))
    return np.array(shares)


def _columns(of: Compared) -> dict[str, float]:
    """Share of the cells that are like no real one that is scored, of whatever condition."""
    real = of.of.evaluated.real(of.of.evaluated.chosen.judged())
    return {"outside": float(outside_support(real.reduced(), [of.cells.reduced()])[0])}


def _part(table: pd.DataFrame) -> PrintedPart:
    text = "Outside: share of cells that are like no real cell, of whatever condition; none of what is among these."
    return PrintedPart(text, {"outside": "outside"}, in_percent)


SUPPORT = Metric(
    name="support",
    title="Like no real cell",
    headline="outside",
    better="lower",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
    source="1 − precision of Kynkäänniemi et al., NeurIPS 2019.",
)
