"""Which cells are at hand at which step of a training, and reading them in time, in bounded memory.

Cells that fit into the memory granted are all kept, on the device that trains, in the camera's type. Of more cells
there is a pool: a window of every condition and of the controls, which slides over them as the training goes on. As a
rule a file holds the cells of a plate or a condition one after the other, so a window is filled with runs of neighbours
on the disk (pieces of about `PIECE_BYTES`, in random order). They are read in the background while steps are made, and
batches are drawn from the whole pool at random.

What is at hand is a function of the cells, the seed and the step alone: a resumed training goes on with the same pool,
and processes that share a batch draw it from the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.reading import file_part, read_blocks, read_pixels
from napari_impa.engine.model.intensity import as_tensor, movable
from napari_impa.watch import UNWATCHED, Token, Watch

HOST_BYTES = 768 << 20
"""Memory for cells on the CPU: what all may take together, and the size of the pool where they take more."""

GPU_FRACTION, GPU_POOL_BYTES = 0.25, 2 << 30
"""On a GPU all cells may take this fraction of its memory (not of what is free, which is another at every start); the
pool of more cells takes at most so much."""

PIECE_BYTES = 1 << 20
"""Neighbours on the disk that are read one after the other."""

TURNS = 8
"""A cell stays in the pool for so many turns; at each turn an eighth of the pool is exchanged."""

PATIENCE = 0.1
"""Seconds from look to look whether a step that waits for its cells is to be left."""

Rows = NDArray[np.intp]


class PoolPlan:
    """Which cells are in the pool at which step.

    The cells of each group stand in an order in which pieces of the file are shuffled, and a window slides over them,
    round and round, at every turn by an eighth of its width (`TURNS`). In a round each cell is in the window for the
    same number of turns, and each cell in the window is as likely to be drawn as another: over whole rounds all cells
    of a group are drawn equally often but for chance. A group that fits into its share of the pool stays in it.

    A turn comes after as many steps as draw as many cells as it brings in: what is read is used once on average.

    Parameters
    ----------
    groups
        Rows of each group's cells (a condition, or controls), at least one each.
    shares
        Cells drawn from each group at a step, on average.
    capacity
        Cells that the pool may hold (at least one a group); None for all.
    seed
        Of the order.
    piece
        Cells of the file that are read together.

    Attributes
    ----------
    sizes, widths
        Cells of each group, and of its window.
    steps_per_turn
        Steps after which the windows move on.
    """

    def __init__(
        self,
        groups: Sequence[Rows],
        shares: Sequence[float] | NDArray[np.float64],
        capacity: int | None,
        *,
        seed: int,
        piece: int = 1,
    ) -> None:
        self.sizes = np.array([len(rows) for rows in groups], np.intp)
        self._starts = np.cumsum(self.sizes) - self.sizes
        pieces = np.random.default_rng([seed, 2]).permutation(max(int(rows.max()) for rows in groups) // piece + 1)
        ordered = [np.sort(rows) for rows in groups]
        self._rows = np.concatenate([rows[np.argsort(pieces[rows // piece], kind="stable")] for rows in ordered])
        self.widths, self.steps_per_turn = self.sizes, 1
        if capacity is not None:
            self.widths, uses = share_out(self.sizes, np.asarray(shares, float), capacity)
            self.steps_per_turn = max(1, round(uses / TURNS))
        self._places = np.cumsum(self.widths) - self.widths

    def __len__(self) -> int:
        return int(self.widths.sum())

    @property
    def is_whole(self) -> bool:
        """Whether all cells are in the pool for good."""
        return bool((self.widths == self.sizes).all())

    def turn(self, step: int) -> int:
        """Number of the turn in which a step is."""
        return step // self.steps_per_turn

    def draw(self, step: int, groups: NDArray[np.intp], rng: np.random.Generator) -> Rows:
        """Rows (n,) of cells of the groups numbered (n,), each as likely as any other in its group's window."""
        return self._row(groups, self._first(self.turn(step))[groups] + rng.integers(self.widths[groups]))

    def contents(self, turn: int) -> tuple[Rows, Rows]:
        """Places in the pool and the rows of the cells there at a turn."""
        return self._window(self._first(turn), self.widths)

    def incoming(self, turn: int) -> tuple[Rows, Rows]:
        """Places in the pool that change at a turn (after the first), and the rows of the cells that come there."""
        first, before = self._first(turn), self._first(turn - 1)
        return self._window(before + self.widths, first - before)

    def _first(self, turn: int) -> Rows:
        return np.where(self.widths < self.sizes, turn * self.widths // TURNS, 0)

    def _window(self, first: Rows, counts: Rows) -> tuple[Rows, Rows]:
        groups = np.repeat(np.arange(len(counts)), counts)
        positions = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        return self._places[groups] + positions % self.widths[groups], self._row(groups, positions)

    def _row(self, groups: NDArray[np.intp], positions: Rows) -> Rows:
        return self._rows[self._starts[groups] + positions % self.sizes[groups]]


def share_out(sizes: Rows, shares: NDArray[np.float64], capacity: int) -> tuple[Rows, float]:
    """Divide a pool between groups: in proportion to `shares`, but to none more than it has, and at least one cell.

    Parameters
    ----------
    sizes, shares
        Cells of each group, and how many of them a step draws on average.
    capacity
        Cells that the pool may hold; exceeded only where there are more groups.

    Returns
    -------
    widths
        Cells of each group in the pool.
    steps
        Steps that draw as many cells as the pool holds, of the groups that do not fit.
    """
    whole, steps = np.zeros(len(sizes), bool), 0.0
    while not whole.all():
        steps = float((capacity - sizes[whole].sum()) / shares[~whole].sum())
        fits = ~whole & (sizes <= steps * shares * (1 + 1e-9))  # in spite of rounding
        if not fits.any():
            break
        whole |= fits
    return np.where(whole, sizes, np.clip((steps * shares).astype(np.intp), 1, sizes)), steps


class Feed:
    """The cells that a training draws, kept on its device or read into a pool there as they are needed.

    Parameters
    ----------
    pixels
        (N, C, S, S), an array or a memory map (which is read as a file, see `cells.reading`).
    groups, shares
        See `PoolPlan`.
    size
        Crop side; larger crops are cut at the centre.
    seed
        Of the order in which cells come into the pool.
    device
        Where the pixels are wanted.
    watch
        Asked before every part of the file that is read while a step waits for it; what it raises ends the reading.

    Attributes
    ----------
    plan
        Which cells are at hand at which step.
    """

    def __init__(
        self,
        pixels: NDArray[Any],
        groups: Sequence[Rows],
        shares: Sequence[float] | NDArray[np.float64],
        *,
        size: int,
        seed: int,
        device: torch.device,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._pixels, self._size, self._device, self._watch = pixels, size, device, watch
        cell_bytes = max(1, pixels.dtype.itemsize * pixels.shape[1] * size**2)
        all_bytes, pool_bytes = memory_for(device)
        self._used = np.zeros(len(pixels), bool)
        for rows in groups:
            self._used[rows] = True
        fits = self._used.sum() * cell_bytes <= all_bytes
        piece = max(1, PIECE_BYTES // (pixels.dtype.itemsize * int(np.prod(pixels.shape[1:]))))
        capacity = None if fits else pool_bytes // cell_bytes
        self.plan = PoolPlan(groups, shares, capacity, seed=seed, piece=piece)
        self._in_memory = device.type == "cpu" and file_part(pixels) is None
        self._turn: int | None = None  # of which the pool holds the cells
        self._pool: Tensor | None = None
        self._rows = np.empty(0, np.intp)
        self._order = np.empty(0, np.intp)
        self._reading: Future[tuple[Rows, Rows, Tensor]] | None = None
        self._closing = Token()

    def pixels(self, step: int, rows: Rows) -> Tensor:
        """Pixels (n, C, S, S) of rows (n,) that `plan` drew at this step, on the device, in the camera's type.

        Raises
        ------
        CellsError
            If the file cannot be read any more.
        """
        if self._in_memory:
            return as_tensor(read_pixels(self._pixels, rows, self._size))
        self._turn_to(self.plan.turn(step))
        assert self._pool is not None
        places = self._order[np.searchsorted(self._rows, rows, sorter=self._order)]
        return movable(self._pool)[torch.from_numpy(places).to(self._device)].view(self._pool.dtype)

    def close(self) -> None:
        """End what is being read; afterwards no thread is left."""
        if self._reading is not None:
            self._closing.cancel()
            self._reading.exception()
            self._reading = None
            self._closing = Token()

    def _turn_to(self, turn: int) -> None:
        before, self._turn = self._turn, None
        if before is not None and (turn == before or self.plan.is_whole):
            self._turn = before
            return
        if before is not None and turn == before + 1 and self._reading is not None:
            self._put(*self._result(self._reading))
        else:
            self.close()
            self._fill(turn)
        self._turn, self._reading = turn, None
        self._order = np.argsort(self._rows)
        if not self.plan.is_whole:
            thread = ThreadPoolExecutor(1, "reading-cells")
            self._reading = thread.submit(self._read, *self.plan.incoming(turn + 1))
            thread.shutdown(wait=False)  # it ends when it has read this one piece

    def _result(self, reading: Future[tuple[Rows, Rows, Tensor]]) -> tuple[Rows, Rows, Tensor]:
        while not wait((reading,), PATIENCE).done:
            self._watch.check()
        return reading.result()

    def _fill(self, turn: int) -> None:
        places, rows = self.plan.contents(turn)
        if self.plan.is_whole:  # groups may share cells
            rows = np.flatnonzero(self._used)
            places = np.arange(len(rows))
        if self._pool is None:
            like = as_tensor(np.empty((0, self._pixels.shape[1], self._size, self._size), self._pixels.dtype))
            self._pool = like.new_empty((len(rows), *like.shape[1:]), device=self._device)
            self._rows = np.empty(len(rows), np.intp)
        for part, block in read_blocks(self._pixels, rows, self._size):
            self._watch.check()
            self._put(places[part], rows[part], as_tensor(block))

    def _read(self, places: Rows, rows: Rows) -> tuple[Rows, Rows, Tensor]:
        return places, rows, as_tensor(read_pixels(self._pixels, rows, self._size, watch=self._closing))

    def _put(self, places: Rows, rows: Rows, pixels: Tensor) -> None:
        assert self._pool is not None
        at = torch.from_numpy(places).to(self._device)
        movable(self._pool)[at] = movable(pixels).to(self._device)
        self._rows[places] = rows


def memory_for(device: torch.device) -> tuple[int, int]:
    """Bytes that all cells may take together on a device, and that the pool of more cells takes."""
    if device.type != "cuda":
        return HOST_BYTES, HOST_BYTES
    granted = int(torch.cuda.get_device_properties(device).total_memory * GPU_FRACTION)
    return granted, min(granted, GPU_POOL_BYTES)
