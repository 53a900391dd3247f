"""Describing many cells in several processes, block by block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.watch import Watch
from napari_impa.workers import Workers, cores

Block = Callable[[NDArray[Any], NDArray[np.float64], int], NDArray[np.float64]]
"""Describes a block of cells (pixels, limits, number of the nuclear channel); a function of a module."""

BLOCK = 32
"""Cells that are described at a time."""

FEW = 400
"""Cells that one process has described before others would have started."""


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
    blocks = ((pixels[start : start + BLOCK], limits, nuclei) for start in starts)
    found = _workers(len(pixels)).in_order(describe, blocks, watch=watch)
    for start, numbers in zip(starts, found, strict=True):
        out[start : start + len(numbers)] = numbers
        watch.report(start + len(numbers), len(pixels), "measuring cells")
    return out


def _workers(cells: int) -> Workers:
    """Who describes so many cells."""
    return Workers(1 if cells <= FEW else max(1, min(cores(), cells // (FEW // 4))))
