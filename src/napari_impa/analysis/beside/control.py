"""The untreated control: the same cells left as they are, which every model has to beat."""

from __future__ import annotations

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition


def _make(of: EvaluatedCondition) -> Compared:
    return Compared("control", of, of.control, of.real, of.control, judged=of.control, own=True)


CONTROL = RowBeside("control", "{control}", "The same cells, left as they are: a gap closed of 0.", _make)
