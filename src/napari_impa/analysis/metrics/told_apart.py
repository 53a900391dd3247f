"""Whether a model tells conditions apart: how far the same cells differ when it is asked for this one and another."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, with_two_digits, words_of
from napari_impa.analysis.selection import FEWEST


def told_apart(
    one: NDArray[np.float64], other: NDArray[np.float64], real: NDArray[np.float64], real_other: NDArray[np.float64]
) -> float:
    """Share of the difference between real cells of two conditions that predictions of the same cells show.

    The difference of the predictions' means, projected on that of the real cells' means and divided by its length.

    Parameters
    ----------
    one, other
        (n, D) the same cells predicted under either condition.
    real, real_other
        (m, D) and (k, D) real cells of either condition.

    Returns
    -------
    1 as far apart as the real ones, 0 for a model that makes the same of every condition, below 0 the wrong way round;
    NaN where the real cells do not differ.
    """
    apart = real.mean(0) - real_other.mean(0)
    length = float(apart @ apart)
    return float((one.mean(0) - other.mean(0)) @ apart) / length if length > 0 else float("nan")


def _columns(of: Compared) -> dict[str, float]:
    """Of the predicted cells alone, where the other condition has real cells too."""
    condition = of.of
    if of.row != "predicted" or condition.another is None or condition.other_condition is None:
        return {}
    control, other = condition.another
    real_other = condition.evaluated.real(condition.evaluated.chosen.real(condition.other_condition))
    if len(real_other) < FEWEST:
        return {}
    same = np.isin(of.cells.positions, control.positions)
    value = told_apart(of.cells.subset(same).reduced(), other.reduced(), of.real.reduced(), real_other.reduced())
    return {"told_apart": value}


def _part(table: pd.DataFrame) -> PrintedPart:
    what, _ = words_of(table)
    text = (
        f"Told apart: share of the difference between real cells of this {what} and of another that the predictions "
        "show:\n1 as the real ones, 0 where the model makes the same of both."
    )
    return PrintedPart(text, {"told_apart": "told apart"}, with_two_digits)


TOLD_APART = Metric(
    name="told_apart",
    title="Conditions told apart",
    headline="told_apart",
    better="higher",
    needs=frozenset({"features"}),
    columns=_columns,
    part=_part,
    source="Our own definition: a projection on the difference of two means.",
)
