"""The floor: real cells of the condition from other plates, which is what a repeat of the experiment scores."""

from __future__ import annotations

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition


def _make(of: EvaluatedCondition) -> Compared:
    real, other = of.halves
    # The classifier was trained on the others: its ceiling is what it says of the real cells that are scored.
    return Compared("real", of, other, real, of.control, judged=of.real)


REAL = RowBeside(
    "real",
    "real, repeated",
    "Other real cells of the condition, of other plates where there are any, else a random half: what a repeat of the "
    "experiment scores.",
    _make,
)
