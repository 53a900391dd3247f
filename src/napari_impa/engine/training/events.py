"""What a training tells, one event a step, for a progress bar, a dock and a log alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from napari_impa.engine.training.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Samples:
    """A few cells as the model now draws them, each array (n, C, S, S) in the camera's units."""

    control: NDArray[Any]
    predicted: NDArray[Any]
    real: NDArray[Any]
    conditions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TrainingEvent:
    """What happened in one step.

    Parameters
    ----------
    step, steps
        Steps done and to do; `steps` is None where only the time is limited.
    seconds, seconds_left
        Time trained, over all resumptions and without what was done with the events, and an estimate of what is left.
    stage
        `autoencoder` or `adversarial`.
    losses
        Loss by name.
    samples
        Now and then, a few cells to look at.
    gaps
        Now and then, the gap closed on held-out cells by condition (0: as the control, 1: as real cells).
    message
        How it ended, in the last event; in one before, why the training went back to `step` and how it goes on.
    finished
        True in the last event only.
    paused
        True in the event before the training waits to be told to go on; it has been saved by then.
    """

    step: int
    steps: int | None
    seconds: float
    seconds_left: float | None
    stage: str
    losses: Mapping[str, float]
    samples: Samples | None = None
    gaps: Mapping[str, float] = field(default_factory=dict)
    message: str | None = None
    finished: bool = False
    paused: bool = False

    @property
    def progress(self) -> float:
        """Fraction done, 0…1."""
        by_time = 0.0 if self.seconds_left is None else self.seconds / max(self.seconds + self.seconds_left, 1e-9)
        return min(1.0, max(by_time, self.step / self.steps if self.steps else 0.0))


def seconds_left(settings: TrainingSettings, step: int, seconds: float) -> float | None:
    """Estimate the time left of a training after `step` steps in so many `seconds`; None where nothing limits it."""
    left = []
    if settings.steps:
        left.append((settings.steps - step) * seconds / max(1, step))
    if settings.minutes:
        left.append(60 * settings.minutes - seconds)
    return max(0.0, min(left)) if left else None
