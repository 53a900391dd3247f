"""Whether cells are taken for their very condition by a classifier of real cells."""

from __future__ import annotations

import pandas as pd

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, in_percent, words_of


def _columns(of: Compared) -> dict[str, float]:
    """Fraction that is taken for the condition."""
    if of.judged is None:
        return {}
    said = of.of.evaluated.classifier.conditions(of.judged.reduced(), of.judged.positions)
    return {"right": float((said == of.of.condition).mean())}


def _part(table: pd.DataFrame) -> PrintedPart:
    what, _ = words_of(table)
    text = f"Taken for this very {what} by a classifier of real cells; real cells are what it can tell at best."
    return PrintedPart(text, {"right": f"this {what}"}, in_percent)


TAKEN_FOR_CONDITION = Metric(
    name="right",
    title="Taken for its very condition",
    headline="right",
    better="higher",
    needs=frozenset({"classifier"}),
    columns=_columns,
    part=_part,
    source="Logistic regression of scikit-learn (Pedregosa et al., J. Mach. Learn. Res. 2011).",
)
