"""The best model of a training by the gap that it closes on held-out cells, kept beside the last."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run

GapScore = Callable[[IMPA], Mapping[str, float]]
"""Gap closed on held-out cells, by condition: 0 as the control, 1 as real cells, NaN where it cannot be said."""

MOST_TIME = 0.05
"""Fraction of the training's time that scores may take."""


class BestModel:
    """Score models now and then and keep the best as the run's `model.impa`.

    Parameters
    ----------
    run
        The training folder.
    score, every
        The score, and after how many steps it is taken; None: never.
    floor
        Gap that other real cells close, which is written beside the model's; NaN where that is not known.

    Attributes
    ----------
    kept
        Step and mean gap closed of the best model.
    seconds
        What all scores took so far.
    """

    def __init__(self, run: Run, score: GapScore | None = None, *, every: int = 1, floor: float = math.nan) -> None:
        self.run, self.score, self.every, self.floor = run, score, every, floor
        self.kept: tuple[int, float] | None = None
        self.seconds = self._latest = 0.0
        self._of_earlier_measure = False

    @property
    def where(self) -> str:
        """Where the best model is, and the last."""
        if not self.is_last:
            which = "by an earlier measure"
            if self.kept is not None:
                which = f"of step {self.kept[0]} (gap closed {self.kept[1]:.2f}: 0 is the control, 1 real cells)"
            return f"the best model, {which}, is {self.run.model_path}, the last {self.run.last_path}."
        return f"the model is {self.run.model_path}."

    @property
    def is_last(self) -> bool:
        """Whether the last model takes the place of the best, as none was scored."""
        return self.kept is None and (self.score is None or not self._of_earlier_measure)

    def resume(self) -> None:
        """Go on from the best model of the run; one of an earlier measure stays only until the next is scored."""
        self.kept = self.run.best
        self._of_earlier_measure = self.run.is_scored_by_earlier_measure

    def is_due(self, step: int, seconds: float) -> bool:
        """Whether to score at a step, `seconds` after the training began: a score as long as the last one must fit."""
        if self.score is None or step % self.every:
            return False
        return self.seconds + self._latest <= MOST_TIME * seconds

    def consider(self, make: Callable[[], IMPA], step: int, seconds: float) -> dict[str, float]:
        """Make a model and score it, write the gaps down, and keep it if it closes more on average than any so far."""
        if self.score is None:
            return {}
        began = time.monotonic()
        model = make()
        gaps = {name: float(value) for name, value in self.score(model).items()}
        known = {name: gap for name, gap in gaps.items() if math.isfinite(gap)}
        mean = sum(known.values()) / len(known) if known else math.nan
        self.run.append_gaps(step, seconds, mean, gaps)
        if known and (self.kept is None or mean > self.kept[1]):
            model.history |= {"gap_closed": mean, "gaps_closed": known}
            model.history |= {"gap_floor": self.floor} if math.isfinite(self.floor) else {}
            model.save(self.run.model_path)
            self.kept = step, mean
        self._latest = time.monotonic() - began
        self.seconds += self._latest
        return gaps
