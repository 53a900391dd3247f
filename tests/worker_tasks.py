"""Tasks for the tests of workers: processes find them by this module's name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from napari_impa.errors import SourceError

if TYPE_CHECKING:
    from napari_impa.cells.blocks import Cutting
    from napari_impa.cells.source import Source


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


def cut_and_tell(source: Source, row: int, cutting: Cutting) -> set[str]:
    """Cut a field, and say which packages the process has imported for it."""
    from napari_impa.cells.blocks import cut_field

    cut_field(source, row, cutting)
    return {name.partition(".")[0] for name in sys.modules}
