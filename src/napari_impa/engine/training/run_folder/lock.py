"""One training at a time in a run folder: a lock of the operating system, which ends with the process that holds it."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from napari_impa.errors import TrainingError

NAME = "training.lock"
"""File of the run folder; it says which process trains, and means nothing once that has ended."""

PATIENCE = 1.0
"""Seconds to wait for a lock, which a list of runs may hold for a moment."""


class RunLock:
    """Hold a run folder while it is trained in.

    Parameters
    ----------
    folder
        The run folder, which must exist when the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / NAME, thread_local=False)

    def acquire(self) -> None:
        """Take the lock; a file system without locks is trusted.

        Raises
        ------
        TrainingError
            If another training has it.
        """
        try:
            self._lock.acquire(timeout=PATIENCE)
            (self.folder / NAME).write_text(str(os.getpid()))
        except Timeout as error:
            raise TrainingError(
                f"Another training{_owner(self.folder)} is writing to {self.folder}; "
                "wait for its end, stop it, or choose another folder."
            ) from error
        except (OSError, NotImplementedError):
            return

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        self._lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a training is going on in a run folder now."""
    if not (folder / NAME).is_file():
        return False
    lock = FileLock(folder / NAME, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return False
    lock.release()
    return False


def _owner(folder: Path) -> str:
    try:
        number = (folder / NAME).read_text()
    except OSError:
        return ""
    return f" (process {number})" if number.isdecimal() else ""
