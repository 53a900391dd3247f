"""Describing many cells in several processes, block by block; left at once when nobody waits for it any more."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.watch import Watch

Block = Callable[[NDArray[Any], NDArray[np.float64], int], NDArray[np.float64]]
"""Describes a block of cells (pixels, limits, number of the nuclear channel); a function of a module."""

BLOCK = 32
"""Cells that are described at a time."""

FEW = 400
"""Cells that one process has described before others would have started."""

LOOK = 0.1
"""Seconds between two looks at whether the work is to stop."""

ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A process computes in one thread: there are as many of them as cores."""


def in_blocks(
    describe: Block, pixels: NDArray[Any], limits: NDArray[np.float64], nuclei: int, width: int, watch: Watch
) -> NDArray[np.float64]:
    """Describe cells block by block, in as many processes as there are cores where they are many.

    The blocks are the same whatever the number of processes, and so are the numbers, to the bit.

    Parameters
    ----------
    describe
        Describes one block.
    pixels, limits, nuclei
        As `DescribeCells` takes them.
    width
        Numbers of a cell.
    watch
        Asked ten times a second, and before every block in one process, whether to go on.

    Returns
    -------
    (N, width).
    """
    out = np.empty((len(pixels), width))
    starts = range(0, len(pixels), BLOCK)
    workers = _workers(len(pixels))
    done = 0
    blocks = ((start, (pixels[start : start + BLOCK], limits, nuclei)) for start in starts)
    found = _in_turn(describe, blocks, watch) if workers == 1 else _at_once(describe, blocks, workers, watch)
    for start, numbers in found:
        out[start : start + len(numbers)] = numbers
        done += len(numbers)
        watch.report(done, len(pixels), "measuring cells")
    return out


Given = tuple[NDArray[Any], NDArray[np.float64], int]


def _in_turn(
    describe: Block, blocks: Iterator[tuple[int, Given]], watch: Watch
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for start, given in blocks:
        watch.check()
        yield start, describe(*given)


def _at_once(
    describe: Block, blocks: Iterator[tuple[int, Given]], workers: int, watch: Watch
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    # loky's processes need no guard in a user's script and start from a thread, as those of the standard library do
    # not; it comes with joblib, which scikit-learn brings.
    from concurrent.futures import FIRST_COMPLETED, wait

    from joblib.externals.loky import ProcessPoolExecutor

    watch.check()
    pool = ProcessPoolExecutor(workers, initializer=_end_with, initargs=(os.getpid(),), env=ALONE)
    waiting: dict[Any, int] = {}
    try:
        while True:
            # Few blocks ahead: cells that lie on disk stay there until their turn.
            for start, given in blocks:
                waiting[pool.submit(describe, *given)] = start
                if len(waiting) >= 2 * workers:
                    break
            if not waiting:
                return
            for future in wait(waiting, timeout=LOOK, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
            watch.check()
    finally:
        # Processes that still work are ended here: loky's own way to end them trips over blocks it has not handed on.
        for process in list(pool._processes.values()) if waiting else ():
            process.terminate()
        pool.shutdown(wait=True, kill_workers=not waiting)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: one that was killed could not end it."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _workers(cells: int) -> int:
    """How many processes describe so many cells."""
    if cells <= FEW or getattr(sys, "frozen", False) or multiprocessing.current_process().daemon:
        return 1
    import joblib

    return max(1, min(int(joblib.cpu_count()), cells // (FEW // 4)))
