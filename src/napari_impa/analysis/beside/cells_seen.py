"""Cells of the training: what the model makes of cells that it has seen, held against treated cells it has seen."""

from __future__ import annotations

import numpy as np

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition
from napari_impa.analysis.selection import FEWEST

MOST_CELLS = 150
"""Cells that are predicted for this row."""


def _make(of: EvaluatedCondition) -> Compared | None:
    chosen = of.evaluated.chosen
    if not chosen.held_out or len(of.others) < FEWEST:
        return None
    untreated = chosen.names != of.condition if chosen.control is None else chosen.names == chosen.control
    control = of.evaluated.real(np.flatnonzero(untreated & ~chosen.scored)).sample(MOST_CELLS, 13)
    if len(control) < FEWEST:
        return None
    return Compared("seen", of, of.predict(control), of.others, control, own=True)


SEEN = RowBeside(
    "seen",
    "cells of the training",
    "What the model makes of cells of its training, against treated cells of its training: far better than `predicted` "
    "says that it knows its cells by heart.",
    _make,
)
