"""Writing a `.cells` folder block by block in bounded memory; a full disk leaves nothing half-written.

Where it is asked to, a writer keeps what it has written when the work is left or killed, hidden beside the folder to
be, and the next one of the same goes on from there: the folder is the same to the bit.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from napari_impa.cells.beside import hidden_folder, remove, remove_rests, sync, take_place, taken_back
from napari_impa.cells.sheets.checksums import BlockChecksums, checksums
from napari_impa.cells.words import PLACE
from napari_impa.errors import CellsError

FORMAT = 1
"""Version of the `.cells` layout, written into `meta.json`."""

_COPIED = 4 << 20  # bytes of a part that are in memory at a time

_NOTES = "unfinished.json"
"""File of what was left unfinished: how far it is, and how long each file was then."""

NOTE_EVERY = 2.0
"""Seconds between two notes of how far it is; that much is done again where the process was killed."""


class CellsWriter:
    """Write a `.cells` folder block by block in bounded memory; a context manager.

    What is being written stands in a hidden folder beside `path` and is renamed to it on success; on any error
    it is removed.

    Parameters
    ----------
    path
        The folder to make; `.cells` is added where missing.
    channels, size, dtype
        What every block must have: channel names, crop side in pixels, pixel type.
    pixel_size, label, control, history
        As those of `Cells`, for the folder's `meta.json`.
    overwrite
        Replace a `.cells` folder that exists; otherwise that is an error.
    keep
        What the work depends on beside all this, JSON-able: what is written then stays where the work is left, fails or
        is killed, and a writer that is given the same goes on. None: nothing stays.

    Attributes
    ----------
    so_far
        How far what was kept is: the last of what `append` was told.
    kept
        Cells that were kept.
    """

    def __init__(
        self,
        path: str | Path,
        channels: Sequence[str],
        size: int,
        dtype: Any,
        *,
        pixel_size: float | None = None,
        label: Sequence[str] = (),
        control: str | None = None,
        history: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        keep: Mapping[str, Any] | None = None,
    ) -> None:
        path = Path(path)
        self.path = path if path.suffix == ".cells" else path.with_name(path.name + ".cells")
        self.channels, self.size, self.dtype = tuple(channels), int(size), np.dtype(dtype)
        self.overwrite = overwrite
        self.meta: dict[str, Any] = {
            "format": FORMAT,
            "channels": list(self.channels),
            "pixel_size": None if pixel_size is None else float(pixel_size),
            "label": list(label),
            "control": control,
            "history": dict(history or {}),
        }
        self.count = 0
        self._checks = BlockChecksums()
        self._columns: list[str] | None = None
        self._partial = hidden_folder(self.path)
        self._same: dict[str, Any] | None = None
        self._notes: dict[str, Any] = {}
        self._noted = 0.0
        if keep is not None:
            self._partial = self.path.with_name(f".{self.path.name}.unfinished")
            same = {"of": dict(keep), "meta": self.meta, "size": self.size, "dtype": self.dtype.str}
            self._same = json.loads(json.dumps(same, default=str))
            self._notes = self._kept()
        self.so_far: dict[str, Any] = self._notes.get("so_far", {})
        self.kept: int = self._notes.get("count", 0)

    def check(self) -> None:
        """Refuse a folder that may not be written.

        Raises
        ------
        CellsError
            If there is something at `path` that is not to be replaced.
        """
        taken_back(self.path)
        replaceable = self.overwrite and (self.path / "meta.json").is_file()
        if self.path.exists() and not replaceable:
            raise CellsError(f"{self.path} exists already; choose another name or remove it first.")

    def part(self, number: int) -> CellsWriter:
        """Return the writer of a part of this folder, hidden beside it, for `append_part`."""
        path = self.path.with_name(f".{self.path.stem}.part{number}.cells")
        part = CellsWriter(path, self.channels, self.size, self.dtype, overwrite=True)
        part.meta = {**self.meta}
        return part

    def __enter__(self) -> CellsWriter:
        self.check()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._remove_left_over()
            if self._notes:
                self._go_on()
                return self
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir()
            self._pixels: IO[bytes] = open(self._partial / "pixels.npy", "wb")
            try:
                self._header(0)
            except OSError:
                self._discard()
                raise
        except OSError as error:
            if not self._notes:
                shutil.rmtree(self._partial, ignore_errors=True)
            raise self._failed(error) from error
        return self

    def _remove_left_over(self) -> None:
        """Remove what a process that was killed left of this folder, but not what another one still writes."""
        name = glob.escape(self.path.name)
        for pattern in (f".{name}.*.partial", f".{name}.*.old", f".{glob.escape(self.path.stem)}.part*.cells"):
            remove_rests(self.path.parent, pattern)
        remove(hidden_folder(self.path))

    def _header(self, count: int) -> None:
        # npy headers keep room for the first axis to grow, so the same bytes serve for any count.
        self._pixels.seek(0)
        shape = (count, len(self.channels), self.size, self.size)
        npy_format.write_array_header_2_0(
            self._pixels, {"descr": npy_format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        )

    # ---- what was left unfinished -----------------------------------------------------------------------------------

    def _kept(self) -> dict[str, Any]:
        """The notes of what was left, where it is of the same work and whole as far as they go; else nothing."""
        try:
            notes: dict[str, Any] = json.loads((self._partial / _NOTES).read_text(encoding="utf-8"))
            list(map(int, notes["checks"]))
            whole = all((self._partial / name).stat().st_size >= size for name, size in notes["sizes"].items())
            return notes if notes["same"] == self._same and whole else {}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}

    def _go_on(self) -> None:
        """Cut off what was written after the last note."""
        for name, size in self._notes["sizes"].items():
            os.truncate(self._partial / name, size)
        self._pixels = open(self._partial / "pixels.npy", "r+b")  # noqa: SIM115
        self._pixels.seek(0, os.SEEK_END)
        self.count, self._columns = self._notes["count"], self._notes["columns"]
        self._checks = BlockChecksums(self._notes["checks"])

    def _reached(self, so_far: Mapping[str, Any]) -> None:
        """Know how far it is now, and note it from time to time."""
        self.so_far = dict(so_far)
        table = self._partial / "table.csv"
        sizes = {"pixels.npy": self._pixels.tell(), "table.csv": table.stat().st_size if table.exists() else 0}
        self._notes = {
            "same": self._same, "so_far": self.so_far, "count": self.count, "columns": self._columns, "sizes": sizes,
            "checks": self._checks.state(),
        }  # fmt: skip
        if not self._noted or time.monotonic() - self._noted > NOTE_EVERY:
            self._note()

    def _note(self) -> None:
        self._pixels.flush()
        new = self._partial / f"{_NOTES}.new"
        new.write_text(json.dumps(self._notes), encoding="utf-8")
        new.replace(self._partial / _NOTES)
        self._noted = time.monotonic()

    # ---- blocks -----------------------------------------------------------------------------------------------------

    def append(self, pixels: NDArray[Any], table: pd.DataFrame, so_far: Mapping[str, Any] | None = None) -> None:
        """Add cells: pixels (n, C, S, S) and their n table rows.

        Parameters
        ----------
        so_far
            JSON-able: how far the work is when these are written, where one that goes on could begin behind them.

        Raises
        ------
        CellsError
            If the block does not fit what the folder was opened for, or the disk is full.
        """
        expected = (len(table), len(self.channels), self.size, self.size)
        if pixels.shape != expected or pixels.dtype != self.dtype:
            raise CellsError(
                f"A block of cells of shape {pixels.shape} and type {pixels.dtype} does not fit {self.path.name}, "
                f"which holds {expected[1:]} of {self.dtype}; crop these images into a folder of their own."
            )
        first = self._columns is None
        if self._columns is None:
            self._columns = list(table.columns)
        elif list(table.columns) != self._columns:
            extra = set(table.columns) ^ set(self._columns)
            raise CellsError(f"A block of cells has other table columns than the first: {', '.join(map(str, extra))}.")
        try:
            data = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data if pixels.size else memoryview(b"")
            self._pixels.write(data)
            self._checks.add(data)
            table.to_csv(self._partial / "table.csv", mode="a", index=False, header=first)
            self.count += len(table)
            if so_far is not None and self._same is not None:
                self._reached(so_far)
        except OSError as error:
            raise self._failed(error) from error

    def append_part(self, path: Path) -> dict[str, Any]:
        """Add all cells of a part, byte by byte, and return its `meta.json`.

        Raises
        ------
        CellsError
            If it does not fit what was appended before, or the disk is full.
        """
        try:
            meta: dict[str, Any] = json.loads((path / "meta.json").read_text(encoding="utf-8"))
            with open(path / "table.csv", newline="", encoding="utf-8") as text:
                columns = next(csv.reader(text))
            with open(path / "pixels.npy", "rb") as pixels, open(path / "table.csv", "rb") as table:
                npy_format.read_magic(pixels)
                (count, *_), _, _ = npy_format.read_array_header_2_0(pixels)
                if count:
                    if self._columns is not None:  # the header stands there already
                        table.seek(len(pd.DataFrame(columns=columns).to_csv(index=False).encode()))
                    if columns != (self._columns or columns):
                        raise CellsError(f"Parts of {self.path.name} have other table columns than the first.")
                    self._columns = columns
                    while data := pixels.read(_COPIED):
                        self._pixels.write(data)
                        self._checks.add(data)
                    with open(self._partial / "table.csv", "ab") as joined:
                        shutil.copyfileobj(table, joined)
        except OSError as error:
            raise self._failed(error) from error
        self.count += count
        return meta

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as failure:
            raise self._failed(failure) from failure
        finally:
            if kind is None or not self._notes:
                self._discard()
            else:
                self._leave()

    def _discard(self) -> None:
        with contextlib.suppress(OSError):  # a full disk reports again what is already being raised
            self._pixels.close()
        shutil.rmtree(self._partial, ignore_errors=True)

    def _leave(self) -> None:
        """Keep what was written, up to where one that goes on can begin."""
        with contextlib.suppress(OSError):  # the notes before are good still
            self._note()
        with contextlib.suppress(OSError):
            self._pixels.close()

    def _failed(self, error: OSError) -> CellsError:
        reason = error.strerror or error
        kept = "what was written before is kept" if self._notes else "nothing was kept"
        return CellsError(f"{self.path} cannot be written ({reason}); {kept}, mend that and try again.")

    def _finish(self) -> None:
        if self._columns is None:
            pd.DataFrame(columns=list(PLACE)).to_csv(self._partial / "table.csv", index=False)
        self._header(self.count)
        self._pixels.close()
        meta = self.meta | {"checksums": checksums(self._partial / "table.csv", self._checks)}
        (self._partial / "meta.json").write_text(json.dumps(meta, indent=1, default=str), encoding="utf-8")
        for name in ("pixels.npy", "table.csv", "meta.json"):
            sync(self._partial / name)
        (self._partial / _NOTES).unlink(missing_ok=True)
        take_place(self._partial, self.path)
