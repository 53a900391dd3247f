"""Checksums of `.cells`: of the table whole and of the pixels by blocks, so that what was changed later is noticed.

A table that was sorted, cut or edited no longer says which row is which cell, and pixels that were exchanged have
other rows; neither can be seen by the numbers of rows alone.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.lib import format as npy_format

from napari_impa.errors import CellsError

BLOCK_BYTES = 16 << 20
"""Bytes of pixels behind one checksum."""

LOOKED_AT = 4
"""Blocks that are read again where a folder is opened: the first, the last and some between."""

FileState = tuple[int, int, int]
"""Number, length and time of a file: what tells it from another one of its name."""


def state_of(stat: os.stat_result) -> FileState:
    """What tells a file from another one of its name."""
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


class BlockChecksums:
    """CRC-32 of every block of bytes that are added one after another.

    Parameters
    ----------
    state
        That of an earlier one, which this one goes on from.
    """

    def __init__(self, state: Iterable[int] = ()) -> None:
        self._crc, self._filled, *self._whole = list(state) or [0, 0]

    def add(self, data: bytes | memoryview) -> None:
        """Add bytes behind those before."""
        view = memoryview(data).cast("B")
        while len(view):
            part = view[: BLOCK_BYTES - self._filled]
            self._crc = zlib.crc32(part, self._crc)
            self._filled += len(part)
            if self._filled == BLOCK_BYTES:
                self._whole.append(self._crc)
                self._crc = self._filled = 0
            view = view[len(part) :]

    def state(self) -> list[int]:
        """What another one can go on from, JSON-able."""
        return [self._crc, self._filled, *self._whole]

    def found(self) -> list[int]:
        """The checksums of all blocks, the last of what there is of it."""
        return [*self._whole, self._crc] if self._filled else list(self._whole)


def checksums(table: Path, pixels: BlockChecksums) -> dict[str, Any]:
    """What `meta.json` says of both, JSON-able."""
    return {"table": _digest(table), "pixels": pixels.found()}


def check(folder: Path, said: Mapping[str, Any] | None) -> None:
    """Compare a folder with what its `meta.json` says; of long pixels some blocks are read, and each file once.

    Parameters
    ----------
    said
        None: the folder was written before there were checksums, and nothing is compared.

    Raises
    ------
    CellsError
        If table or pixels are not those that were written.
    """
    if said is None:
        return
    table, pixels = folder / "table.csv", folder / "pixels.npy"
    _check_table(table, state_of(table.stat()), str(said["table"]))
    _check_pixels(pixels, state_of(pixels.stat()), tuple(map(int, said["pixels"])))


@lru_cache(maxsize=256)  # a folder is opened again and again while one works with it
def _check_table(path: Path, state: FileState, said: str) -> None:
    if _digest(path) != said:
        raise CellsError(
            f"{path} was changed after its cells were written (sorted, cut or edited?), so that its rows may be of "
            "other cells; put the old one back, or crop the images again. A plate map can say what is in the wells."
        )


@lru_cache(maxsize=256)
def _check_pixels(path: Path, state: FileState, said: tuple[int, ...]) -> None:
    with open(path, "rb") as file:
        version = npy_format.read_magic(file)
        (npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0)(file)
        begin = file.tell()
        same = -(-(state[1] - begin) // BLOCK_BYTES) == len(said)
        last = len(said) - 1
        for block in sorted({last * part // (LOOKED_AT - 1) for part in range(LOOKED_AT)} if said else ()):
            file.seek(begin + block * BLOCK_BYTES)
            same = same and zlib.crc32(file.read(BLOCK_BYTES)) == said[block]
    if not same:
        raise CellsError(
            f"{path} does not hold the pixels that were written (exchanged, cut or damaged?); copy the folder again, "
            "or crop the images again."
        )


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
