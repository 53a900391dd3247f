"""Watching work that takes long: it says how far it is, and learns that it is to stop.

Every function that takes more than a second takes a `Watch` and calls it as it goes on; a progress bar, a dock and a
script are each one kind of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class CancelledError(Exception):
    """Raised by `Watch.check` to leave work that nobody waits for any more."""


class Watch:
    """Who watches some work; this one neither listens nor ever stops it.

    Both methods are called in the thread that works, many times a second where that is possible.
    """

    def report(self, done: int, of: int, what: str = "") -> None:
        """Hear that `done` parts `of` so many are done, 0 where that is not known, and in words what they are."""

    def check(self) -> None:
        """Leave the work here if it is to stop.

        Raises
        ------
        CancelledError
            If so.
        """


UNWATCHED = Watch()
"""Nobody watches."""


class Reported(Watch):
    """Hand reports on to a function (done, of, what)."""

    def __init__(self, report: Callable[[int, int, str], object]) -> None:
        self._report = report

    def report(self, done: int, of: int, what: str = "") -> None:
        """Call the function."""
        self._report(done, of, what)


class Checked(Watch):
    """Stops work as the whole is stopped, and keeps to itself how far a part of it is."""

    def __init__(self, whole: Watch) -> None:
        self.check = whole.check  # type: ignore[method-assign]


class PartOf(Watch):
    """Watch one part of some work as that part of the whole.

    Parameters
    ----------
    whole
        Watches the whole.
    before, of
        Parts of it that were done before, and in all.
    what
        What is said of this one, in place of what it says itself.
    """

    def __init__(self, whole: Watch, before: int, of: int, what: str = "") -> None:
        self._whole, self._before, self._of, self._what = whole, before, of, what

    def report(self, done: int, of: int, what: str = "") -> None:
        """Report so many more than before."""
        self._whole.report(self._before + done, self._of, self._what or what)

    def check(self) -> None:
        """Leave it as the whole is left."""
        self._whole.check()


@dataclass(frozen=True)
class Progress:
    """A report, as a value that can be sent to another thread."""

    done: int
    of: int
    what: str = ""


class Token(Watch):
    """A watch that another thread cancels by, and that hands on whatever the work sends before it ends.

    Parameters
    ----------
    send
        Called with every value sent: `Progress`, or a part of the result.
    """

    def __init__(self, send: Callable[[Any], object] | None = None) -> None:
        self._cancelled = threading.Event()
        self._send = send

    @property
    def cancelled(self) -> bool:
        """Whether the work is to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the work to stop; may be called from any thread."""
        self._cancelled.set()

    def check(self) -> None:
        """Leave the work here if it is to stop."""
        if self.cancelled:
            raise CancelledError

    def report(self, done: int, of: int, what: str = "") -> None:
        """Send `Progress`."""
        self.send(Progress(done, of, what))

    def send(self, value: Any) -> None:
        """Hand a value on."""
        if self._send is not None:
            self._send(value)
