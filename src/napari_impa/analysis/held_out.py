"""The score that a training keeps its best model by: how much of the gap to real cells it never sees it closes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.quick import deep_features
from napari_impa.analysis.metrics.frechet import frechet_distance
from napari_impa.analysis.selection import FEWEST, select_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.watch import UNWATCHED, Watch

MOST = 256
"""Cells predicted for one score, of all conditions together."""


class HeldOutScore:
    """Gap closed on held-out cells, by condition: 1 - d(predicted, real) / d(control, real), d the Fréchet distance.

    0 is no better than leaving the cells as they are, 1 would be perfect. The same few cells are taken every time,
    and the features of real cells are computed once, so a score is quick; it is coarser than `evaluate`, and
    serves to compare models of one training.

    Parameters
    ----------
    model
        Any model of the training: its conditions, channels, intensity limits and held-out cells.
    cells
        All cells of the training.
    seed
        Of the cells drawn and of the predictions' noise.
    watch
        Asked before every few cells, here and while scoring, whether to go on.

    Raises
    ------
    ConditionError
        If too few cells are held out.
    """

    def __init__(self, model: IMPA, cells: Cells, *, seed: int = 0, watch: Watch = UNWATCHED) -> None:
        chosen = select_cells(model, cells, seed=seed)
        rng = np.random.default_rng([seed, 8])
        several = max(1, MOST // FEWEST)
        steps = np.linspace(0, len(chosen.conditions) - 1, min(len(chosen.conditions), several)).astype(int)
        self.conditions = tuple(chosen.conditions[number] for number in steps)
        most = MOST // len(self.conditions)
        self._seed, self._watch, self._parts = seed, watch, {}
        for condition in self.conditions:
            sources, real = chosen.sources(condition), chosen.real(condition)
            count = min(len(sources), len(real), most)
            before = chosen.take(np.sort(rng.permutation(sources)[:count]))
            after = self._features(model, chosen.take(np.sort(rng.permutation(real)[:count])))
            distance = frechet_distance(self._features(model, before), after)
            self._parts[condition] = before, after, max(distance, 1e-12)
        self.where = chosen.where
        self.floor = float("nan")

    @property
    def cells(self) -> int:
        """Cells predicted for one score."""
        return sum(len(before) for before, _, _ in self._parts.values())

    def __call__(self, model: IMPA) -> dict[str, float]:
        """Gap closed of each condition."""
        scores = {}
        for condition, (before, after, distance) in self._parts.items():
            predicted = model.predict(before, condition, seed=self._seed)
            scores[condition] = 1 - frechet_distance(self._features(model, predicted), after) / distance
        return scores

    def _features(self, model: IMPA, cells: Cells) -> NDArray[np.float64]:
        return deep_features(cells.pixels, model.limits, watch=self._watch)
