"""Two classifiers of real cells, each for the cells that the other learned from, and how far they can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.attribution.pixel_classifier import STEPS, PixelClassifier, scaled
from napari_impa.cells.tables import condition_names
from napari_impa.cells.words import IMAGED_TOGETHER, WELL
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, PartOf, Watch

FEWEST = 20
"""Cells that either side needs, half of them for each classifier."""

TELLS_APART = 0.65
"""Balanced accuracy below which a classifier does not know what it speaks of; chance is 0.5."""

MOST = 1000
"""Cells of either side that are learned from."""


@dataclass(frozen=True, eq=False)
class FairPixelClassifier:
    """Classifiers such that no real cell is judged by one that was trained on it.

    Parameters
    ----------
    classifiers
        Two; each was trained on the cells of the other part.
    parts
        (n,) 0 or 1: which of them judges each control cell.
    accuracy
        Balanced accuracy on all real cells, each judged by the classifier that never saw it: 0.5 is chance.
    how
        What the two parts are, to end a sentence.
    """

    classifiers: tuple[PixelClassifier, PixelClassifier]
    parts: NDArray[np.intp]
    accuracy: float
    how: str

    @classmethod
    def fit(
        cls,
        control: NDArray[Any],
        treated: NDArray[Any],
        limits: NDArray[np.float64],
        *,
        groupings: Sequence[tuple[str, NDArray[Any], NDArray[Any]]] = (),
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> FairPixelClassifier:
        """Train both.

        Parameters
        ----------
        control, treated
            (n, C, S, S) and (m, C, S, S) real cells in the camera's units.
        limits
            (C, 2) lower and upper intensity of each channel.
        groupings
            What cells may be parted by, the best first, as (`plate`, (n,) names, (m,) names); the first that leaves
            enough cells of either side in either part is taken, else they are parted at random.
        seed
            Of all that is drawn.
        watch
            Hears the steps, and is asked before each whether to go on.

        Raises
        ------
        ConditionError
            If there are too few cells, or the classifiers do not tell the sides apart.
        """
        if min(len(control), len(treated)) < FEWEST:
            raise ConditionError(
                f"A classifier needs {FEWEST} real cells of either side, not {len(control)} controls and "
                f"{len(treated)} treated cells."
            )
        parts, how = _parts(len(control), len(treated), groupings, seed)
        sides = (scaled(control, limits), scaled(treated, limits))
        random = np.random.default_rng([seed, 7])
        trained: list[PixelClassifier] = []
        for part in (0, 1):
            learned = [
                side[random.permutation(np.flatnonzero(of != part))[:MOST]]
                for side, of in zip((control, treated), parts, strict=True)
            ]
            share = PartOf(watch, part * STEPS, 2 * STEPS)
            trained.append(PixelClassifier.fit(learned[0], learned[1], limits, seed=seed + part, watch=share))
        right = []
        for treatment, (side, of) in enumerate(zip(sides, parts, strict=True)):
            told = [trained[part].probability(side[of == part], watch=watch) > 0.5 for part in (0, 1)]
            right.append(np.mean(np.concatenate(told) == bool(treatment)))
        accuracy = float(np.mean(right))
        if accuracy < TELLS_APART:
            raise ConditionError(
                f"A classifier of real cells does not tell treated from control cells here (it is right in "
                f"{accuracy:.0%} of the cells that it never saw, where chance is 50%), so it cannot say what mattered."
            )
        return cls((trained[0], trained[1]), parts[0], accuracy, how)


def groupings_of(
    control: pd.DataFrame, treated: pd.DataFrame, label: Sequence[str] = ()
) -> list[tuple[str, NDArray[np.object_], NDArray[np.object_]]]:
    """What cells may be parted by, as `FairPixelClassifier.fit` takes it: plates, then wells, where tables name them.

    Parameters
    ----------
    control, treated
        Tables of the cells of either side.
    label
        Columns that name conditions, which part nothing.
    """
    found = []
    for what, word in (("plate", IMAGED_TOGETHER), ("well", WELL)):
        column = word.find(control.columns, but=label)
        if column is not None and column in treated.columns:
            found.append((what, condition_names(control, [column]), condition_names(treated, [column])))
    return found


def _parts(
    controls: int, treated: int, groupings: Sequence[tuple[str, NDArray[Any], NDArray[Any]]], seed: int
) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], str]:
    """Part either side in two, whole groups together where that is possible."""
    for what, *names in groupings:
        one, other = (np.asarray(some).astype(str) for some in names)
        groups, counts = np.unique(np.concatenate([one, other]), return_counts=True)
        of = {group: number % 2 for number, group in enumerate(groups[np.argsort(-counts, kind="stable")])}
        parts = [np.array([of[name] for name in some], np.intp) for some in (one, other)]
        if all(min((part == 0).sum(), (part == 1).sum()) >= FEWEST // 2 for part in parts):
            return (parts[0], parts[1]), f"on cells of other {what}s"
    random = np.random.default_rng([seed, 6])
    halves = [random.permutation(np.arange(count) % 2) for count in (controls, treated)]
    return (halves[0], halves[1]), "on other cells; it may know the well or the plate rather than the condition"
