"""Whether predicted cells are taken for treated, with whatever, by a classifier of real cells."""

from __future__ import annotations

import pandas as pd

from napari_impa.analysis.evaluated_cells import GROUPS, EvaluatedCondition
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, group_heads, in_percent, words_of


def _columns(of: EvaluatedCondition) -> dict[str, float]:
    """Fraction of each group that is taken for treated."""
    classifier = of.cells.classifier
    return {f"treated_{group}": classifier.treated(of.features(group), of.positions(group)).mean() for group in GROUPS}


def _part(table: pd.DataFrame) -> PrintedPart:
    what, control = words_of(table)
    text = (
        f"Taken for treated, whatever the {what}; predicted cells should come near the real, far from the {control} "
        "ones."
    )
    return PrintedPart(text, group_heads("treated", control), in_percent)


TAKEN_FOR_TREATED = Metric(
    name="treated",
    title="Taken for treated",
    headline="treated_predicted",
    better="higher",
    needs=frozenset({"classifier", "control"}),
    columns=_columns,
    part=_part,
)
