"""Batches: whether cells of several batches lie among each other, or each batch by itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, with_two_digits
from napari_impa.errors import CellsError

NEIGHBOURS = 30
"""Nearest cells that are looked at."""


class BatchMixing(NamedTuple):
    """How well batches mix, and what that rests on.

    Parameters
    ----------
    neighbours
        Batches among a cell's nearest neighbours: 1 if as mixed as shuffled cells are, 0 if all are of one batch.
    silhouette
        1 − |silhouette width| of the batches: 1 if a cell is as near to those of other batches as to those of its own.
    cells
        Cells of each batch that were compared.
    """

    neighbours: float
    silhouette: float
    cells: int


def batch_mixing(
    features: NDArray[np.float64], batches: ArrayLike, *, neighbours: int = NEIGHBOURS, seed: int = 0
) -> BatchMixing:
    """Mixing of batches, by the nearest neighbours of each cell and by silhouette width.

    Neighbours: the inverse Simpson index of the batches among the k nearest cells, which is how many batches are found
    there (LISI of Korsunsky et al., Nat. Methods 2019, without its weights), less 1, over the same for cells whose
    batches were shuffled. Silhouette: that of scib (Luecken et al., Nat. Methods 2022) for cells of one condition.
    Both from equally many cells of each batch. A model that draws the same cell always mixes them perfectly: take
    beside what is kept of the cells, as `nucleus_kept`.

    Parameters
    ----------
    features
        (N, D) on one scale, see `Reduction`, of cells of one condition.
    batches
        (N,) the batch of each.
    neighbours
        k; at most as many as there are other cells.
    seed
        Of the cells drawn and shuffled.

    Raises
    ------
    CellsError
        If there are fewer than two batches or than two cells of one, or a feature is not finite.
    """
    from sklearn.metrics import silhouette_samples
    from sklearn.neighbors import NearestNeighbors

    features, names = np.asarray(features, np.float64), np.asarray(batches).astype(str)
    if features.ndim != 2 or len(names) != len(features):
        raise CellsError("Each cell needs its batch.")
    if not np.isfinite(features).all():
        raise CellsError("Some features are not finite numbers; check the cells for NaN.")
    of, counts = np.unique(names, return_inverse=True, return_counts=True)[1:]
    if len(counts) < 2 or counts.min() < 2:
        raise CellsError("Mixing needs two batches or more, of two cells or more each.")
    rng = np.random.default_rng([seed, 23])
    chosen = np.concatenate(
        [rng.permutation(np.flatnonzero(of == batch))[: counts.min()] for batch in range(len(counts))]
    )
    features, of = features[chosen], of[chosen]
    nearest = NearestNeighbors(n_neighbors=min(neighbours, len(of) - 1)).fit(features).kneighbors()[1]
    shuffled = rng.permutation(of)
    most = _batches_found(shuffled[nearest], len(counts)) - 1
    share = (_batches_found(of[nearest], len(counts)) - 1) / most if most > 0 else float("nan")
    width = np.abs(silhouette_samples(features, of)).mean()
    return BatchMixing(float(share), float(1 - width), int(counts.min()))


def _batches_found(neighbours: NDArray[np.intp], batches: int) -> float:
    """Mean inverse Simpson index of (N, k) batches of neighbours."""
    shares = np.stack([(neighbours == batch).mean(1) for batch in range(batches)])
    return float((1 / (shares**2).sum(0)).mean())


def _columns(of: Compared) -> dict[str, float]:
    """Of the cells among real ones of the batch that they are corrected to."""
    cells, real = of.cells.reduced(), of.real.reduced()
    if min(len(cells), len(real)) < 2:
        return {}
    names = ["these"] * len(cells) + ["real"] * len(real)
    found = batch_mixing(np.concatenate([cells, real]), names, seed=of.of.evaluated.seed)
    return {"mixing": found.neighbours, "mixing_silhouette": found.silhouette}


def _part(table: pd.DataFrame) -> PrintedPart:
    text = (
        "Mixing: how well the cells lie among real ones of the batch: 1 as shuffled cells would, 0 each by themselves; "
        "by\nnearest neighbours, and by silhouette width."
    )
    return PrintedPart(text, {"mixing": "mixing", "mixing_silhouette": "silhouette"}, with_two_digits)


MIXING = Metric(
    name="mixing",
    title="Mixing with the batch",
    headline="mixing",
    better="higher",
    needs=frozenset({"features", "batches"}),
    columns=_columns,
    part=_part,
    source="LISI of Korsunsky et al., Nat. Methods 2019; silhouette of scib, Luecken et al., Nat. Methods 2022.",
)
