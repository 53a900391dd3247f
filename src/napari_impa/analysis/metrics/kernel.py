"""Kernel distance (KID) in feature space: of two sets of cells, without the Fréchet distance's bias for few cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, words_of
from napari_impa.analysis.statistics.sets import check_sets
from napari_impa.errors import CellsError

SUBSETS = 20
"""Samples of equally many cells that a distance is averaged over, where there are more cells than are compared."""


class KernelDistance(NamedTuple):
    """A distance, and how many cells of either set it was taken from."""

    distance: float
    compared: int


def kernel_distance(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    count: int | None = None,
    *,
    subsets: int = SUBSETS,
    seed: int = 0,
) -> KernelDistance:
    """Squared maximum mean discrepancy of `a` and `b`, by the kernel (a·b/D + 1)³: the kernel Inception distance.

    Bińkowski et al. (ICLR 2018); the unbiased estimate. Its mean does not depend on how many
    cells are compared, and for two samples of one distribution is 0: it may then be below.

    Parameters
    ----------
    a, b
        (N, D) and (M, D) features of two sets of cells, as the network gives them; to exchange them changes nothing.
    count
        Cells of either set that are compared; at most, and without it, as many as the smaller set has.
    subsets
        Samples of so many cells that the distance is averaged over.
    seed
        Of the samples, which depend on nothing else.

    Raises
    ------
    CellsError
        If a set has fewer than two cells, the sets differ in features, or a feature is not finite.
    """
    from sklearn.metrics.pairwise import polynomial_kernel

    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    check_sets(a, b, fewest=2, what="Kernel distances")
    count = min(len(a), len(b), len(a) if count is None else count)
    if count < 2:
        raise CellsError(f"A kernel distance needs two cells or more on either side, not {len(a)} and {len(b)}.")
    distances = []
    for draw in range(1 if count == len(a) == len(b) else subsets):
        rng = np.random.default_rng([seed, 21, draw])
        one, other = (side[rng.permutation(len(side))[:count]] for side in (a, b))
        # Of the kernel, scikit-learn's defaults are the paper's: degree 3, factor 1/D, constant 1.
        within = sum(_off_diagonal_mean(polynomial_kernel(side)) for side in (one, other))
        distances.append(within - 2 * polynomial_kernel(one, other).mean())
    return KernelDistance(float(np.mean(distances)), count)


def _off_diagonal_mean(kernel: NDArray[np.float64]) -> float:
    return float((kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)))


def _columns(of: Compared) -> dict[str, float]:
    """Distance between equally many cells on either side, in each feature space."""
    out: dict[str, float] = {}
    for number, space in enumerate(of.of.evaluated.spaces):
        cells, real = (
            side.features(space) if space.columns is None else side.reduced(space) for side in (of.cells, of.real)
        )
        found = kernel_distance(cells, real, of.count, seed=of.of.evaluated.seed)
        out["kernel" if number == 0 else f"kernel_{space.name}"] = found.distance
    return out


def _part(table: pd.DataFrame) -> PrintedPart:
    what, _ = words_of(table)
    text = (
        f"Kernel distance (KID) to real cells of the {what}: lower is better, and 0 is as near as real cells, however "
        "few\ncells are compared."
    )
    spaces = {name: f"KID ({name[7:] or table.attrs['spaces'][0]})" for name in table if name.startswith("kernel")}
    return PrintedPart(text, spaces, lambda value: f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}")


KERNEL = Metric(
    name="kernel",
    title="Kernel distance to real cells",
    headline="kernel",
    better="lower",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
    source="Bińkowski et al., ICLR 2018.",
)
