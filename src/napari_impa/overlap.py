"""Reading ahead and writing behind: one thread each beside the one that computes, in memory for a few blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, TypeVar

from napari_impa.watch import UNWATCHED, Watch

P = TypeVar("P")
V = TypeVar("V")

PATIENCE = 0.1
"""Seconds from look to look whether who waits for a slow disk is to leave."""


def read_ahead(parts: Sequence[P], read: Callable[[P], V], *, watch: Watch = UNWATCHED) -> Iterator[tuple[P, V]]:
    """Yield each part and what is read of it, in their order; the next is read while this one is made use of.

    What reading raises is raised here, at the part that it happened at. However the iterator is left, no thread
    remains. A single part is read in this thread.

    Parameters
    ----------
    parts
        What to read; at most two of them are in memory beside the one that was yielded.
    read
        Reads one part; called in another thread, of one part at a time.
    watch
        Asked while a part is waited for.
    """
    if len(parts) < 2:
        for part in parts:
            yield part, read(part)
        return
    thread = ThreadPoolExecutor(1, "reading-ahead")
    try:
        coming = thread.submit(read, parts[0])
        for number, part in enumerate(parts):
            now = coming
            if number + 1 < len(parts):
                coming = thread.submit(read, parts[number + 1])
            yield part, _result(now, watch)
    finally:
        thread.shutdown(cancel_futures=True)


def _result(reading: Future[V], watch: Watch) -> V:
    while not wait((reading,), PATIENCE).done:
        watch.check()
    return reading.result()


class Behind:
    """Calls a function of one block after the other in a thread, so that the next block can be made meanwhile.

    A context manager. A call waits until the block before is done, and what that raised is raised there, or at the end.

    Parameters
    ----------
    write
        What to call, of one block at a time, in their order.
    """

    def __init__(self, write: Callable[..., object]) -> None:
        self._write = write
        self._last: Future[object] | None = None

    def __call__(self, *block: Any) -> None:
        """Write a block; its arrays are not to be changed any more."""
        self._finish()
        self._last = self._thread.submit(self._write, *block)

    def __enter__(self) -> Behind:
        self._thread = ThreadPoolExecutor(1, "writing-behind")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()
