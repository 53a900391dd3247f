"""Time that a training takes itself, without what others do in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Stopwatch:
    """Seconds since it was made, but for those in which it was `stopped`; it begins at `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._began = monotonic() - seconds

    @property
    def seconds(self) -> float:
        """What it shows."""
        return monotonic() - self._began

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand still meanwhile."""
        stopped = monotonic()
        try:
            yield
        finally:
            self._began += monotonic() - stopped
