"""Several processes write one `.cells` folder: each its own part, which the first joins in the order of the ranks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.writer import CellsWriter
from napari_impa.overlap import Behind


class CellsBlock(NamedTuple):
    """Pixels (n, C, S, S) of some cells, their n table rows, and how far the work is with them: for `append`."""

    pixels: NDArray[Any]
    table: pd.DataFrame
    so_far: dict[str, Any] | None = None


FACTS = "facts"
"""Key of a part's `meta.json` under which it tells the first process what it found."""


@dataclass(frozen=True)
class Share:
    """Which part of a work is this process's.

    Parameters
    ----------
    rank, count
        Number of this process, and of all.
    wait
        Returns when every process has called it; raises where another one failed.
    """

    rank: int = 0
    count: int = 1
    wait: Callable[[], object] = lambda: None

    def rows(self, total: int, *, block: int = 1) -> range:
        """Rows of this process out of `total`: whole blocks, in the order of ranks, as even as can be."""
        blocks = -(-total // block)
        first, last = (blocks * rank // self.count * block for rank in (self.rank, self.rank + 1))
        return range(min(first, total), min(last, total))


def write_cells(
    writer: CellsWriter,
    blocks: Iterable[CellsBlock],
    share: Share | None = None,
    *,
    facts: Callable[[], dict[str, Any]] = dict,
    finish: Callable[[Sequence[dict[str, Any]]], None] = lambda found: None,
) -> None:
    """Write blocks of cells; where the work is shared, each process its own blocks, and the first joins them.

    A block is written while the next one is made. The folder is byte for byte the one that a single process writes. All
    processes need the same file system.

    Parameters
    ----------
    writer
        Of the folder to make, not entered yet.
    blocks
        Those of this process; of a writer that goes on, those behind its `so_far`.
    share
        Which part this process does; None: all.
    facts
        What is known of this process's blocks when they are written, JSON-able.
    finish
        Called with the facts of every process in the order of ranks, before the folder is complete.

    Raises
    ------
    CellsError
        If the folder exists or cannot be written.
    """
    if share is None or share.count == 1:
        with writer:
            _append(writer, blocks)
            finish([facts()])
        return
    writer.check()
    parts = [writer.part(rank) for rank in range(share.count)]
    mine = parts[share.rank]
    try:
        with mine:
            _append(mine, blocks)
            mine.meta[FACTS] = facts()
        share.wait()
        if share.rank == 0:
            with writer:
                finish([writer.append_part(part.path)[FACTS] for part in parts])
        share.wait()
    finally:
        shutil.rmtree(mine.path, ignore_errors=True)


def _append(writer: CellsWriter, blocks: Iterable[CellsBlock]) -> None:
    with Behind(writer.append) as append:
        for block in blocks:
            append(*block)
