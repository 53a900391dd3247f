"""A line that grows for ever in bounded memory: smoothed values, ever more of them to a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST = 800
"""Points kept; with twice a dock's width in pixels none is missed."""


class Series:
    """Values against the step; whenever there are `MOST` points, each two become one.

    Parameters
    ----------
    smoothing
        Weight of what came before in a running mean; 0 for none.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self._smoothing = smoothing
        self._steps: list[float] = []
        self._values: list[float] = []
        self._stride, self._waiting = 1, list[tuple[float, float]]()
        self._newest: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self._steps) + self._newest_is_apart

    def append(self, step: float, value: float) -> None:
        """Add a value; one that is not finite is passed over."""
        if not np.isfinite(value):
            return
        before = value if self._newest is None else self._newest[1]
        self._add(float(step), self._smoothing * before + (1 - self._smoothing) * value)

    def extend(self, steps: ArrayLike, values: ArrayLike) -> None:
        """Add many values."""
        for step, value in zip(np.asarray(steps).tolist(), np.asarray(values, float).tolist(), strict=True):
            self.append(step, value)

    def join(self, later: Series) -> None:
        """Add the points of another line that goes on from this one, as smooth as they are."""
        for step, value in zip(*later.points(), strict=True):
            if self._newest is None or step > self._newest[0]:
                self._add(float(step), float(value))
        self._smoothing = later._smoothing

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and values, at most `MOST` + 1 of each, the newest value last."""
        steps, values = self._steps, self._values
        if self._newest_is_apart and self._newest is not None:
            steps, values = [*steps, self._newest[0]], [*values, self._newest[1]]
        return np.array(steps), np.array(values)

    @property
    def _newest_is_apart(self) -> bool:
        """Whether the newest value lies behind the last point, which is the mean of several or of those before."""
        return self._newest is not None and (not self._steps or self._steps[-1] < self._newest[0])

    def _add(self, step: float, value: float) -> None:
        self._newest = step, value
        self._waiting.append(self._newest)
        if len(self._waiting) < self._stride:
            return
        steps, values = zip(*self._waiting, strict=True)
        self._waiting = []
        self._steps.append(sum(steps) / len(steps))
        self._values.append(sum(values) / len(values))
        if len(self._steps) >= MOST:
            self._steps = _halved(self._steps)
            self._values = _halved(self._values)
            self._stride *= 2


def _halved(numbers: list[float]) -> list[float]:
    halved: list[float] = np.array(numbers[: MOST // 2 * 2]).reshape(-1, 2).mean(axis=1).tolist()
    return halved
