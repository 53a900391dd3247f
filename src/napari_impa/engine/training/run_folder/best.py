"""The best model of a training by its held-out score, kept beside the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run

Score = Callable[[IMPA], Mapping[str, float]]
"""Held-out score of each condition, lower is better."""

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
    """

    def __init__(self, run: Run, score: Score | None = None, *, every: int = 1) -> None:
        self.run, self.score, self.every = run, score, every
        self.kept: tuple[int, float] | None = None
        self.seconds = 0.0

    @property
    def where(self) -> str:
        """Where the best model is, and the last."""
        if self.kept is None:
            return f"the model is {self.run.model_path}."
        step, score = self.kept
        return (
            f"the best model, of step {step} (held-out score {score:.3f}), is {self.run.model_path}, "
            f"the last {self.run.last_path}."
        )

    def is_due(self, step: int, seconds: float) -> bool:
        """Whether to score at a step, `seconds` after the training began."""
        return self.score is not None and step % self.every == 0 and self.seconds <= MOST_TIME * seconds

    def consider(self, make: Callable[[], IMPA], step: int, seconds: float) -> dict[str, float]:
        """Make a model and score it, write the scores down, and keep it if its mean score is the lowest so far."""
        if self.score is None:
            return {}
        began = time.monotonic()
        model = make()
        scores = {name: float(value) for name, value in self.score(model).items()}
        mean = sum(scores.values()) / len(scores)
        self.run.append_scores(step, seconds, mean, scores)
        if self.kept is None or mean < self.kept[1]:
            model.history |= {"score": mean, "scores": scores}
            model.save(self.run.model_path)
            self.kept = step, mean
        self.seconds += time.monotonic() - began
        return scores
