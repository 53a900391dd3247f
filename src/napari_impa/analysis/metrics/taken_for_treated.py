"""Whether cells are taken for treated, with whatever, by a classifier of real cells."""

from __future__ import annotations

import pandas as pd

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.metrics.metric import Metric, PrintedPart, in_percent, words_of


def _columns(of: Compared) -> dict[str, float]:
    """Fraction that is taken for treated."""
    if of.judged is None:
        return {}
    said = of.of.evaluated.classifier.treated(of.judged.reduced(), of.judged.positions)
    return {"treated": float(said.mean())}


def _part(table: pd.DataFrame) -> PrintedPart:
    what, _ = words_of(table)
    text = f"Taken for treated, whatever the {what}, by a classifier of real cells."
    return PrintedPart(text, {"treated": "treated"}, in_percent)


TAKEN_FOR_TREATED = Metric(
    name="treated",
    title="Taken for treated",
    headline="treated",
    better="higher",
    needs=frozenset({"classifier", "control"}),
    columns=_columns,
    part=_part,
    source="Logistic regression of scikit-learn (Pedregosa et al., J. Mach. Learn. Res. 2011).",
)
