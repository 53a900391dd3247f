"""Copies: for each control cell a real treated one drawn at random, which has the right looks and is the wrong cell."""

from __future__ import annotations

import numpy as np

from napari_impa.analysis.beside.row import RowBeside
from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import CellSet, EvaluatedCondition
from napari_impa.analysis.selection import FEWEST


def _make(of: EvaluatedCondition) -> Compared:
    source = of.others if len(of.others) >= FEWEST else of.real
    drawn = np.random.default_rng([of.evaluated.seed, 10]).integers(0, len(source), len(of.control))
    copies = CellSet(
        of.evaluated,
        of.control.positions,
        source.subset(drawn).pixels,
        {of.evaluated.main.name: source.features()[drawn]},
    )
    return Compared("copy", of, copies, of.real, of.control, own=True)


COPY = RowBeside(
    "copy",
    "a copied real cell",
    "For each cell a real treated one drawn at random: right in looks, but not what this very cell would become.",
    _make,
)
