"""Tasks shared by processes of this machine, or by the workers of a dask scheduler, and given back in their order.

A function of a module is called with each of many small tuples. However many processes there are and whichever comes
first, the results are the same and come in the order of the tuples; few are kept at a time; those of a process that was
lost are computed again; and all is left at once when nobody waits for it any more.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, wait
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from napari_impa.errors import MissingDependencyError, WorkersError
from napari_impa.versions import own_version
from napari_impa.watch import UNWATCHED, Watch

logger = logging.getLogger(__name__)

R = TypeVar("R")

LOOK = 0.1
"""Seconds between two looks at whether the work is to stop."""

LOSSES = 3
"""So often a task may lose the process that works on it."""

ANSWER = 15
"""Seconds in which a scheduler has to answer."""

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A process computes in one thread: there are as many of them as cores."""


@dataclass(frozen=True)
class Workers:
    """Who does the tasks of some work.

    Parameters
    ----------
    jobs
        Processes of this machine; 1: this one alone, without another.
    dask
        Address of a `dask.distributed` scheduler (`tcp://host:8786`) whose workers do them instead. They need this
        package, of the same version, and the same paths to the same files.

    Raises
    ------
    WorkersError
        If there is no process.
    """

    jobs: int = 1
    dask: str | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise WorkersError(f"Work is done by at least 1 process, not {self.jobs}.")

    @property
    def are_others(self) -> bool:
        """Whether other processes than this one do the tasks, so that what they are given is sent to them."""
        return self.jobs > 1 or self.dask is not None

    def in_order(
        self, function: Callable[..., R], tasks: Iterable[tuple[Any, ...]], *, watch: Watch = UNWATCHED
    ) -> Iterator[R]:
        """Yield what the function makes of every task, in their order.

        Parameters
        ----------
        function
            Of a module; the same arguments give the same result wherever it is called.
        tasks
            Its arguments. They are taken as they are needed, so that a generator may read them from a disk.
        watch
            Asked ten times a second, and before every task where there is one process, whether to go on.

        Raises
        ------
        WorkersError
            If a task loses its process for the third time, no scheduler answers, or its workers are of another version.
        MissingDependencyError
            If there is an address and no `dask.distributed`.
        """
        watch.check()
        if not self.are_others:
            for task in tasks:
                watch.check()
                yield function(*task)
            return
        pool = _Processes(self.jobs) if self.dask is None else _Scheduler(self.dask)
        waiting: deque[_Waiting] = deque()
        try:
            left, number = iter(tasks), 0
            while True:
                for task in left:  # few ahead: what lies on disk stays there until its turn
                    number += 1
                    waiting.append(_Waiting(number, task, pool.submit(function, task)))
                    if len(waiting) >= pool.ahead:
                        break
                if not waiting:
                    return
                first = waiting[0]
                while not wait([first.future], timeout=LOOK).done:
                    watch.check()
                try:
                    result: R = first.future.result()
                except pool.lost:
                    _submit_again(pool, function, waiting)
                    continue
                waiting.popleft()
                yield result
                watch.check()
        finally:
            pool.close(at_work=bool(waiting))


ALONE = Workers()
"""This process does all."""


class _Waiting:
    """A task, and its result to come."""

    def __init__(self, number: int, task: tuple[Any, ...], future: Future[Any]) -> None:
        self.number, self.task, self.future, self.losses = number, task, future, 0

    @property
    def is_there(self) -> bool:
        return self.future.done() and not self.future.cancelled() and self.future.exception() is None


def _submit_again(pool: _Processes | _Scheduler, function: Callable[..., Any], waiting: Iterable[_Waiting]) -> None:
    """Give tasks anew whose process was lost, the first of them among these."""
    pool.renew()
    lost = [(place, one) for place, one in enumerate(waiting) if not one.is_there]
    for place, one in lost:
        one.losses += place == 0
        if one.losses == LOSSES:
            raise WorkersError(
                f"The process that worked on part {one.number} was lost {LOSSES} times; it may need more memory than "
                "there is: let fewer processes work at a time."
            )
        one.future = pool.submit(function, one.task)
    parts = ", ".join(str(one.number) for _, one in lost)
    logger.warning("A process was lost; what was not done yet is computed again (part %s).", parts)


# ---- processes of this machine --------------------------------------------------------------------------------------


class _Processes:
    """Processes that need no guard in a user's script and start from a thread, as those of the standard library do not.

    They come with joblib.
    """

    lost = (BrokenExecutor,)

    def __init__(self, jobs: int) -> None:
        self._jobs, self.ahead = jobs, 2 * jobs
        self._pool = self._new()

    def _new(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        return ProcessPoolExecutor(self._jobs, initializer=_end_with, initargs=(os.getpid(),), env=ONE_THREAD)

    def submit(self, function: Callable[..., Any], task: tuple[Any, ...]) -> Future[Any]:
        future: Future[Any] = self._pool.submit(function, *task)
        return future

    def renew(self) -> None:
        self._pool.shutdown(wait=True, kill_workers=True)
        self._pool = self._new()

    def close(self, *, at_work: bool) -> None:
        # Those that still work are ended here: loky's own way to end them trips over tasks it has not handed on.
        for process in list(self._pool._processes.values()) if at_work else ():
            process.terminate()
        self._pool.shutdown(wait=True, kill_workers=not at_work)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: one that was killed could not end it."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def cores() -> int:
    """How many processes may work at a time on this machine; 1 where others cannot be started."""
    if getattr(sys, "frozen", False) or multiprocessing.current_process().daemon:
        return 1
    import joblib

    return max(1, int(joblib.cpu_count()))


# ---- a dask scheduler -----------------------------------------------------------------------------------------------


class _Scheduler:
    """The workers of a scheduler, which itself gives the tasks of one that was lost to another."""

    def __init__(self, address: str) -> None:
        try:
            distributed: Any = import_module("distributed")
        except ImportError:
            raise MissingDependencyError(
                "Work is shared over a dask scheduler by dask.distributed: pip install 'napari-impa[cluster]'"
            ) from None
        try:
            self._client = distributed.Client(address, timeout=ANSWER, set_as_default=False)
        except (OSError, ValueError) as error:  # a TimeoutError is one of the first
            raise WorkersError(
                f"No dask scheduler answers at {address} ({error}); start one with `dask scheduler`, and workers with "
                "`dask worker ADDRESS`."
            ) from error
        self.lost = (distributed.KilledWorker,)
        self._pool = self._client.get_executor(pure=False)
        count = sum(self._client.nthreads().values())
        if not count:
            logger.warning("The dask scheduler at %s has no workers yet; the work begins when one comes.", address)
        self.ahead = max(16, 2 * count)

    def submit(self, function: Callable[..., Any], task: tuple[Any, ...]) -> Future[Any]:
        future: Future[Any] = self._pool.submit(_of_version, own_version(), function, task)
        return future

    def renew(self) -> None:
        """Leave it to the scheduler, whose other workers go on."""

    def close(self, *, at_work: bool) -> None:
        self._pool.shutdown(wait=not at_work)
        self._client.close()


def _of_version(version: str, function: Callable[..., R], task: tuple[Any, ...]) -> R:
    """Do a task of a program of a version, in a process whose own may be another."""
    if version != own_version():
        raise WorkersError(
            f"A dask worker has napari-impa {own_version()} and this is {version}; install the same on all machines."
        )
    return function(*task)
