"""The score that a training keeps its best model by: how much of the gap to real cells it never sees is closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.fast import FAST
from napari_impa.analysis.selection import FEWEST, ScoredCells, select_cells
from napari_impa.analysis.statistics.gap_closed import gap_closed
from napari_impa.cells.store import Cells
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.watch import UNWATCHED, Watch

MOST = 256
"""Cells predicted for one score, of all conditions together."""

MOST_REAL = 250
"""Real cells of a condition, and controls, that predictions are held against; they are measured once."""


class HeldOutScore:
    """Gap closed between control and real held-out cells, by the fast measurements, of each condition.

    0 is no better than leaving the cells as they are, 1 is as good as real cells, below 0 is worse. The same few cells
    are taken every time, and real cells are measured once, so a score is quick; it is coarser than `evaluate`, but of
    the same scale, and serves to compare models of one training.

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

    Attributes
    ----------
    conditions
        What is scored: those whose held-out cells differ from the control by any measurement.
    floor
        Mean over them of what other real cells close, of other plates where there are any: what a repeat of the
        experiment would score.

    Raises
    ------
    ConditionError
        If too few cells are held out, or none differ from the control.
    """

    def __init__(self, model: IMPA, cells: Cells, *, seed: int = 0, watch: Watch = UNWATCHED) -> None:
        chosen = select_cells(model, cells, seed=seed)
        self._nuclei = guess_nuclei_channel(model.channels) or 0
        self._seed, self._watch = seed, watch
        columns = FAST.columns
        assert columns is not None
        self._families = [measurement.family for measurement in columns(chosen.cells.channels)]
        several = max(1, MOST // FEWEST)
        steps = np.linspace(0, len(chosen.conditions) - 1, min(len(chosen.conditions), several)).astype(int)
        named = [chosen.conditions[number] for number in steps]
        self._parts: dict[str, _Held] = {}
        for condition in named:
            part, floor = self._hold(model, chosen, condition, MOST // len(named))
            if np.isfinite(floor):  # else nothing moves, and there is nothing to close
                self._parts[condition] = part
        if not self._parts:
            raise ConditionError(
                "By no measurement do held-out cells differ from the control, so there is nothing to score; "
                "hold out a plate with conditions that work."
            )
        self.conditions = tuple(self._parts)
        self.floor = float(np.mean([part.floor for part in self._parts.values()]))
        self.where = chosen.where

    @property
    def cells(self) -> int:
        """Cells predicted for one score."""
        return sum(len(part.before) for part in self._parts.values())

    def __call__(self, model: IMPA) -> dict[str, float]:
        """Gap closed of each condition, higher is better."""
        scores = {}
        for condition, part in self._parts.items():
            predicted = self._measured(model, model.predict(part.before, condition, seed=self._seed))
            scores[condition] = self._closed(part.control, predicted, part.real, part.repeat)
        return scores

    def _hold(self, model: IMPA, chosen: ScoredCells, condition: str, most: int) -> tuple[_Held, float]:
        """What is held against of a condition, and the gap that other real cells close; NaN where nothing moves."""
        rng = np.random.default_rng([self._seed, 8, *condition.encode()])
        control = np.sort(rng.permutation(chosen.sources(condition))[:MOST_REAL])
        real = np.sort(rng.permutation(chosen.real(condition))[:MOST_REAL])
        others = np.sort(rng.permutation(chosen.real(condition, scored=False))[:MOST_REAL])
        values, held = (self._measured(model, chosen.take(some)) for some in (control, real))
        if len(others) >= FEWEST:
            repeat = self._measured(model, chosen.take(others))
            floor = self._closed(values, repeat, held, repeat)
        else:
            half = rng.permutation(len(held))
            repeat = held[half[::2]]
            floor = self._closed(values, repeat, held[half[1::2]], repeat)
        before = chosen.take(np.sort(rng.permutation(control)[:most]))
        return _Held(before, values, held, repeat, floor), floor

    def _measured(self, model: IMPA, cells: Cells) -> NDArray[np.float64]:
        return FAST.describe(cells.pixels[:], model.limits, nuclei=self._nuclei, watch=self._watch)

    def _closed(
        self,
        control: NDArray[np.float64],
        judged: NDArray[np.float64],
        real: NDArray[np.float64],
        repeat: NDArray[np.float64],
    ) -> float:
        families: Sequence[str] = self._families
        return gap_closed(control, judged, real, families, repeat=repeat, draws=0, watch=self._watch).overall.value


class _Held(NamedTuple):
    """Of a condition the cells to turn, measurements of controls, real and other real cells, and what these close."""

    before: Cells
    control: NDArray[np.float64]
    real: NDArray[np.float64]
    repeat: NDArray[np.float64]
    floor: float
