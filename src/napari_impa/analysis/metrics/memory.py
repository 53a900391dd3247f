"""Memory: whether predicted cells are cells of the training, learned by heart."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, in_percent
from napari_impa.analysis.selection import FEWEST
from napari_impa.analysis.statistics.neighbours import check_neighbours


def share_remembered(cells: NDArray[np.float64], training: NDArray[np.float64]) -> float:
    """Share of cells that are nearer to a cell of the training than its nearest other cell of the training is.

    1 − authenticity of Alaa et al. (ICML 2022). Real cells that the training never saw have a share too, of near a
    half where they are drawn as those of the training were: take it beside, as what a share is compared with.

    Parameters
    ----------
    cells
        (N, D) features of predicted cells, or of real held-out ones, on one scale; see `Reduction`.
    training
        (M, D) features of the training's real cells of the condition that the cells were turned into.

    Raises
    ------
    CellsError
        If the sets differ in features, there are no cells or fewer than two of the training, or a feature is not
        finite.
    """
    from sklearn.neighbors import NearestNeighbors

    check_neighbours(1, training)
    check_neighbours(0, training, cells)
    found = NearestNeighbors(n_neighbors=1).fit(training)
    to_another = found.kneighbors()[0][:, 0]
    distances, nearest = found.kneighbors(cells)
    return float((distances[:, 0] < to_another[nearest[:, 0]]).mean())


ROWS_OF_CELLS = ("predicted", "mean_effect", "copy")
"""Rows whose cells may be those of the training."""


def _columns(of: Compared) -> dict[str, float]:
    """Against the training's cells of the condition; in the row `real`, of held-out cells, which it never saw."""
    training = of.of.others
    if len(training) < FEWEST:
        return {}
    if of.row == "real":
        return {"remembered": share_remembered(of.of.real.reduced(), training.reduced())}
    if of.row in ROWS_OF_CELLS:
        return {"remembered": share_remembered(of.cells.reduced(), training.reduced())}
    return {}


def _part(table: pd.DataFrame) -> PrintedPart:
    text = (
        "Remembered: share of cells that are nearer to a cell of the training than its nearest other cell is; beside "
        "it that\nof real cells that the training never saw. Far more than these are cells learned by heart."
    )
    return PrintedPart(text, {"remembered": "remembered"}, in_percent)


MEMORY = Metric(
    name="memory",
    title="Cells of the training, remembered",
    headline="remembered",
    better="lower",
    needs=frozenset({"features", "training"}),
    columns=_columns,
    part=_part,
    source="1 − authenticity of Alaa et al., ICML 2022.",
)
