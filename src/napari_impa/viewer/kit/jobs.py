"""Background jobs that never lose an error: every one ends in a result, a typed failure, or by being cancelled.

napari's and superqt's generator workers swallow `RuntimeError` (and with it torch's `OutOfMemoryError`) and napari
keeps each worker for good.  A `Job` runs a plain function in a thread of its own, hands it what it needs as arguments,
and forgets them when it has ended.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Signal

from napari_impa.errors import ImpaError
from napari_impa.viewer.kit.texts import plain
from napari_impa.watch import CancelledError, Token

logger = logging.getLogger("napari_impa")


@dataclass(frozen=True)
class Failure:
    """Why a job failed.

    Parameters
    ----------
    message
        One sentence for the user.
    details
        The traceback as text; the exception itself, whose frames hold models and images, is not kept.
    """

    message: str
    details: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Put an error into words."""
        details = "".join(traceback.format_exception(error))
        if isinstance(error, ImpaError):
            return cls(str(error), details)
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            return cls("Not enough memory; choose fewer cells, a smaller batch or the device cpu.", details)
        first = str(error).strip().splitlines()
        said = f"{type(error).__name__}: {first[0]}" if first else type(error).__name__
        return cls(f"This did not work ({said}); the details are in the log.", details)


class Job(QObject):
    """Run `function(token, *args)` in a thread.

    Exactly one of `succeeded`, `failed` and `cancelled` is emitted, in the main thread, and `ended` after it.
    A function that returns in spite of having been cancelled has succeeded, unless `drop_when_cancelled`.
    """

    reported = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    ended = Signal()

    _outcome = Signal(object)

    def __init__(self, function: Callable[..., Any], *args: Any, drop_when_cancelled: bool = False) -> None:
        super().__init__()
        self.token = Token(self._send)
        self._drop = drop_when_cancelled
        self._work: tuple[Callable[..., Any], tuple[Any, ...]] | None = (function, args)
        self._thread = threading.Thread(target=self._run, name=f"napari-impa {function.__name__}")
        self._outcome.connect(self._finish)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> Job:
        """Start the thread."""
        _running.add(self)
        self._thread.start()
        return self

    def cancel(self) -> None:
        """Ask the function to stop."""
        self.token.cancel()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the thread; True if it has ended."""
        self._thread.join(seconds)
        return not self.running

    def _send(self, value: Any) -> None:
        try:
            self.reported.emit(value)
        except RuntimeError:  # Qt is being taken down
            self.token.cancel()

    def _run(self) -> None:
        assert self._work is not None
        function, args = self._work
        self._work = None
        outcome: tuple[str, Any]
        try:
            outcome = ("succeeded", function(self.token, *args))
        except CancelledError:
            outcome = ("cancelled", None)
        except BaseException as error:
            outcome = ("failed", Failure.of(error))
            level = logging.INFO if isinstance(error, ImpaError) else logging.ERROR
            logger.log(level, "%s", outcome[1].details)
        del function, args
        if self._drop and self.token.cancelled and outcome[0] == "succeeded":
            outcome = ("cancelled", None)
        try:
            self._outcome.emit(outcome)
        except RuntimeError:  # Qt is being taken down; nobody is left to be told
            _running.discard(self)

    def _finish(self, outcome: tuple[str, Any]) -> None:
        self.wait()
        _running.discard(self)
        kind, value = outcome
        if kind == "succeeded":
            self.succeeded.emit(value)
        elif kind == "failed":
            self.failed.emit(value)
        else:
            self.cancelled.emit()
        self.ended.emit()


_running: set[Job] = set()
"""Jobs under way; each is forgotten when it has ended."""


class Latest(QObject):
    """One job at a time, of which only the newest request counts.

    A new request cancels the job under way and takes the place of one that waits; what a cancelled job still returns is
    dropped.  `idle` is emitted when nothing runs or waits any more.
    """

    reported = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)
    idle = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._next: tuple[Callable[..., Any], tuple[Any, ...]] | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is under way or waits."""
        return self._job is not None

    def submit(self, function: Callable[..., Any], *args: Any) -> None:
        """Run `function(token, *args)` as soon as the job before has stopped."""
        self._next = (function, args)
        if self._job is not None:
            self._job.cancel()
        else:
            self._start()

    def cancel(self) -> None:
        """Drop what runs and what waits."""
        self._next = None
        if self._job is not None:
            self._job.cancel()

    def _start(self) -> None:
        if self._next is None:
            return
        function, args = self._next
        self._next = None
        job = self._job = Job(function, *args, drop_when_cancelled=True)
        job.reported.connect(self._on_reported)
        job.succeeded.connect(self._on_succeeded)
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        job.start()

    def _on_reported(self, value: Any) -> None:
        if self._job is not None and not self._job.token.cancelled:
            self.reported.emit(value)

    def _on_succeeded(self, value: Any) -> None:
        if self._job is not None and not self._job.token.cancelled:
            self.succeeded.emit(value)

    def _on_failed(self, failure: Failure) -> None:
        if self._job is not None and not self._job.token.cancelled:
            self.failed.emit(failure)

    def _on_ended(self) -> None:
        self._job = None
        self._start()
        if self._job is None:
            self.idle.emit()


def as_job(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make what a `Job` runs of a function that knows of no jobs.

    Where it takes a `watch`, that is the job's token. Where it is a generator, what it yields is reported, and what it
    returns is the result.
    """
    watched = "watch" in signature(function).parameters

    @wraps(function)
    def run(token: Token, *args: Any) -> Any:
        result = function(*args, watch=token) if watched else function(*args)
        return _sent(token, result) if isinstance(result, Generator) else result

    return run


def _sent(token: Token, parts: Generator[Any, None, Any]) -> Any:
    while True:
        try:
            token.send(next(parts))
        except StopIteration as end:
            return end.value


def notify(failure: Failure) -> None:
    """Show a failure's sentence as a notification."""
    show_error(plain(failure.message))
