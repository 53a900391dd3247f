"""What mattered in the predicted cells of a condition that is evaluated: those that are shown, and some more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.attribution.attributions import Attributions, attributions
from napari_impa.analysis.attribution.fair_pixel_classifier import FairPixelClassifier, groupings_of
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition

LEARNED = 200
"""Real cells of either side that a classifier learns from."""

EXPLAINED = 60
"""Predicted cells that are looked at, those shown among them."""


@dataclass(frozen=True, eq=False)
class MatteredCells:
    """What mattered in n of a condition's predicted cells.

    Parameters
    ----------
    positions
        (n,) of the cells among those predicted; those that are shown come first.
    found
        What was found of each.
    """

    positions: NDArray[np.intp]
    found: Attributions


def mattered_cells(of: EvaluatedCondition, shown: NDArray[np.intp]) -> MatteredCells:
    """Train classifiers on real cells of a condition, and find what mattered in predicted ones.

    Parameters
    ----------
    of
        The condition; its watch is asked before every few cells whether to go on.
    shown
        (k,) positions among the predicted cells of those that have to be looked at.

    Raises
    ------
    ConditionError
        If there are too few real cells, or the classifiers do not tell treated from control cells.
    """
    evaluated, label = of.evaluated, of.evaluated.chosen.cells.label
    shown = np.array(list(dict.fromkeys(shown)), np.intp)
    others = np.setdiff1d(np.arange(len(of.control)), shown)
    drawn = np.random.default_rng([evaluated.seed, 16]).permutation(others)
    which = np.concatenate([shown, drawn])[: max(LEARNED, len(shown))]
    control, real = of.control.subset(which), of.real.sample(LEARNED, 17)
    tables = [evaluated.chosen.take(some.positions).table for some in (control, real)]
    before = control.pixels
    classifier = FairPixelClassifier.fit(
        before, real.pixels, evaluated.limits,
        groupings=groupings_of(tables[0], tables[1], label), seed=evaluated.seed, watch=evaluated.watch,
    )  # fmt: skip
    count = min(len(which), max(EXPLAINED, len(shown)))
    found = attributions(
        classifier,
        before[:count],
        of.predicted.subset(which[:count]).pixels,
        rows=np.arange(count),
        watch=evaluated.watch,
    )
    return MatteredCells(which[:count], found)
