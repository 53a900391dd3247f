"""Another condition: what the model makes of the cells when asked for a condition drawn at random."""

from __future__ import annotations

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition


def _make(of: EvaluatedCondition) -> Compared | None:
    if of.another is None:
        return None
    control, cells = of.another
    return Compared("another", of, cells, of.real, control, judged=cells, own=True)


ANOTHER = RowBeside(
    "another",
    "asked for another",
    "The model asked for another condition, drawn at random: where this scores as well, the model does not tell "
    "conditions apart.",
    _make,
)
