"""Tasks for the tests of workers: processes find them by this module's name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from napari_impa.errors import SourceError


def square(number: int, seconds: float = 0.0) -> tuple[int, int]:
    """The square, and the process that found it."""
    time.sleep(seconds)
    return number * number, os.getpid()


def end_first(number: int, marks: str, times: int) -> int:
    """End the process that gets the number 3, so many times."""
    if number == 3:
        before = len(list(Path(marks).iterdir()))
        if before < times:
            (Path(marks) / f"{before}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    """Fail with an error of ours."""
    raise SourceError(f"{number}.tif is damaged.")
