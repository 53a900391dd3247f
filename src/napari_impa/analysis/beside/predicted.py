"""The row that is judged: control cells that the model turned into the condition."""

from __future__ import annotations

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition


def _make(of: EvaluatedCondition) -> Compared:
    return Compared("predicted", of, of.predicted, of.real, of.control, judged=of.predicted, own=True)


PREDICTED = RowBeside("predicted", "predicted", "What the model makes of the cells.", _make)
