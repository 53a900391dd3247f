"""Precision, recall, density and coverage: whether predicted cells lie among the real ones, and all over them."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from os import devnull
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, in_percent, words_of
from napari_impa.analysis.statistics.neighbours import NEAREST, check_neighbours


class Coverage(NamedTuple):
    """Shares 0…1 of cells, but for density, whose mean is 1 where both sets are drawn from one distribution."""

    precision: float
    recall: float
    density: float
    coverage: float


def coverage(real: NDArray[np.float64], predicted: NDArray[np.float64], *, nearest: int = NEAREST) -> Coverage:
    """Compare two sets of cells by neighbourhoods, which reach to each cell's k-th nearest of its own set.

    Precision: predicted cells in the neighbourhood of any real one; recall: real cells in the neighbourhood of any
    predicted one (Kynkäänniemi et al., NeurIPS 2019). Density: neighbourhoods of real cells that a predicted one lies
    in, over k; coverage: real cells in whose neighbourhood a predicted one lies (Naeem et al., ICML 2020, whose package
    `prdc` computes them). All depend on the number of cells: compare only values taken from equally many.

    Parameters
    ----------
    real, predicted
        (N, D) and (M, D) features on one scale, see `Reduction`.
    nearest
        k.

    Raises
    ------
    CellsError
        If the sets differ in features, one has not more than k cells, or a feature is not finite.
    """
    from prdc import compute_prdc

    check_neighbours(nearest, real, predicted)
    with (
        warnings.catch_warnings(),
        open(devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),  # it prints the counts
    ):
        # scikit-learn, which computes its distances in threads, warns that these do not know its settings.
        warnings.filterwarnings("ignore", message=".sklearn.utils.parallel.delayed. should be used with")
        found = compute_prdc(np.asarray(real), np.asarray(predicted), nearest_k=nearest)
    return Coverage(**{name: float(found[name]) for name in Coverage._fields})


def _columns(of: Compared) -> dict[str, float]:
    """Of equally many cells on either side, by the measurements of the first space."""
    if of.count <= NEAREST:
        return {}
    real, cells = (side.sample(of.count, 24).reduced() for side in (of.real, of.cells))
    return coverage(real, cells)._asdict()


def _part(table: pd.DataFrame) -> PrintedPart:
    what, _ = words_of(table)
    text = (
        f"Precision: cells that lie among real ones of the {what}; coverage: real cells that have one of these by "
        "them.\nCells that are all alike are precise and cover little. Density and recall are in the table."
    )
    return PrintedPart(text, {"precision": "precision", "coverage": "coverage"}, in_percent)


COVERAGE = Metric(
    name="coverage",
    title="Precision and coverage",
    headline="coverage",
    better="higher",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
    source="Kynkäänniemi et al., NeurIPS 2019; Naeem et al., ICML 2020.",
)
