"""A split half: real cells of the condition against the other half of the same, the best that any cells could score."""

from __future__ import annotations

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition


def _make(of: EvaluatedCondition) -> Compared:
    one, other = of.random_halves
    return Compared("half", of, one, other, of.control)


HALF = RowBeside("half", "real, split half", "Half of the real cells against the other half of the same plates.", _make)
