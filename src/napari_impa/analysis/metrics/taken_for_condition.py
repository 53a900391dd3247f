"""Whether predicted cells are taken for their very condition by a classifier of real cells."""

from __future__ import annotations

import pandas as pd

from napari_impa.analysis.evaluated_cells import GROUPS, EvaluatedCondition
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, group_heads, in_percent, words_of


def _columns(of: EvaluatedCondition) -> dict[str, float]:
    """Fraction of each group that is taken for the condition."""
    classifier = of.cells.classifier
    return {
        f"right_{group}": (classifier.conditions(of.features(group), of.positions(group)) == of.condition).mean()
        for group in GROUPS
    }


def _part(table: pd.DataFrame) -> PrintedPart:
    what, control = words_of(table)
    text = f"Taken for this very {what}; predicted cells should come near the real, far from the {control} ones."
    return PrintedPart(text, group_heads("right", control), in_percent)


TAKEN_FOR_CONDITION = Metric(
    name="right",
    title="Taken for its very condition",
    headline="right_predicted",
    better="higher",
    needs=frozenset({"classifier"}),
    columns=_columns,
    part=_part,
)
