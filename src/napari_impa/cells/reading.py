"""Reading some cells' pixels with large sequential file reads, so that a memory-mapped file never fills the memory.

Touching a memory map makes its pages resident; reading the same bytes from the file does not.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.sheets.checksums import state_of
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

GAP_BYTES = 64 << 10
"""Rows no further apart than this are read in one go: passing over the gap costs less than another read."""

OPENED = "opened"
"""Attribute of a memory map of `.cells`: what its file was when it was opened (`checksums.FileState`)."""

BLOCK_BYTES = 32 << 20
"""Largest part of a file that is in memory at a time."""


def read_pixels(
    pixels: NDArray[Any],
    rows: NDArray[np.integer],
    size: int | None = None,
    *,
    watch: Watch = UNWATCHED,
) -> NDArray[Any]:
    """Pixels (n, C, size, size) of the cells at `rows` (n,), in that order, cut at the centre where `size` is given.

    Parameters
    ----------
    pixels
        (N, C, S, S), an array or a memory map; a read-only memory map is read from its file instead.
    rows
        Row numbers from 0, in any order, also repeated.
    watch
        Asked after every `BLOCK_BYTES` or sooner whether it is to stop.

    Raises
    ------
    CellsError
        If the file cannot be read any more, or is another one now.
    IndexError
        If there is no such row.
    """
    side = pixels.shape[-1] if size is None else size
    out = np.empty((len(rows), pixels.shape[1], side, side), pixels.dtype.newbyteorder("="))
    for places, block in read_blocks(pixels, rows, size):
        out[places] = block
        watch.check()
    return out


def read_blocks(
    pixels: NDArray[Any], rows: NDArray[np.integer], size: int | None = None
) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Yield `read_pixels` in blocks, in the order of the file: places (m,) in `rows`, and their pixels.

    Raises
    ------
    CellsError
        If the file cannot be read any more, or is another one now.
    """
    rows = np.asarray(rows, np.intp)
    if len(rows) and (rows.min() < 0 or rows.max() >= len(pixels)):
        raise IndexError(f"There are {len(pixels)} cells, but rows {rows.min()} to {rows.max()} were asked for.")
    cell_bytes = max(1, pixels.dtype.itemsize * int(np.prod(pixels.shape[1:])))
    start = 0 if size is None else (pixels.shape[-1] - size) // 2
    inside = slice(start, None if size is None else start + size)
    longest = max(1, BLOCK_BYTES // cell_bytes)
    order = np.argsort(rows, kind="stable")
    where = file_part(pixels)
    if where is None:
        for places in np.split(order, range(longest, len(order), longest)):
            yield places, pixels[rows[places]][..., inside, inside]
        return
    path, offset = where
    opened = whole_map(pixels).__dict__.get(OPENED)
    try:
        with open(path, "rb", buffering=0) as file:
            if opened is not None and state_of(os.fstat(file.fileno())) != opened:
                raise CellsError(f"{path} was replaced or changed since it was opened; open it again.")
            for run in split_runs(rows[order], GAP_BYTES // cell_bytes, longest):
                wanted = rows[order[run]]
                first, count = wanted[0], wanted[-1] + 1 - wanted[0]
                block = np.empty((count, *pixels.shape[1:]), pixels.dtype)
                file.seek(offset + int(first) * cell_bytes)
                _fill(file, block, path)
                block = block[..., inside, inside]
                neighbours = bool((np.diff(wanted) == 1).all())  # none between them left out, none asked for twice
                yield order[run], block if neighbours else block[wanted - first]
    except OSError as error:
        raise CellsError(
            f"{path} cannot be read any more ({error.strerror or error}); check its disk and start again."
        ) from error


def file_part(pixels: NDArray[Any]) -> tuple[Path, int] | None:
    """File and byte offset of a read-only memory map, or of a contiguous part of one; None for any other array."""
    whole = whole_map(pixels)
    if not isinstance(whole, np.memmap) or whole.mode != "r" or whole.filename is None:
        return None
    if not pixels.flags.c_contiguous or not pixels.size:
        return None
    return Path(whole.filename), whole.offset + pixels.ctypes.data - whole.ctypes.data


def whole_map(pixels: NDArray[Any]) -> Any:
    """What an array is a part of: a memory map, or any other array."""
    whole: Any = pixels
    while not isinstance(getattr(whole, "base", None), (mmap.mmap, type(None))):
        whole = whole.base
    return whole


def split_runs(rows: NDArray[np.integer], gap: int, longest: int) -> list[slice]:
    """Parts of sorted `rows` (n,) to read in one go.

    A part ends where the next row is more than `gap` rows further on, and where it would span more than `longest`.
    """
    if not len(rows):
        return []
    ends = np.flatnonzero(np.diff(rows) > gap + 1) + 1
    parts = []
    for first, last in zip([0, *ends], [*ends, len(rows)], strict=True):
        while first < last:
            stop = first + int(np.searchsorted(rows[first:last], rows[first] + longest))
            parts.append(slice(int(first), stop))
            first = stop
    return parts


def _fill(file: BinaryIO, block: NDArray[Any], path: Path) -> None:
    view = memoryview(block.reshape(-1).view(np.uint8).data)
    while len(view):
        count = file.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise CellsError(f"{path} is shorter than when it was opened; crop the images again.")
        view = view[count:]
