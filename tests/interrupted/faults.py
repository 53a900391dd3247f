"""Faults of a disk on purpose: the n-th opening, write, sync or rename below a folder fails, or the process ends there.

What Python does with files is counted and can be failed: files opened for writing (each write that reaches the system),
`os.replace`, `rename`, `mkdir`, `unlink`, `rmdir`, `truncate`, `chmod` and `fsync`. Weights, which safetensors writes
by itself, are written by Python here, byte for byte the same.

Where the process ends is shown by a copy of the folder as it lies then; after a power cut, what was not synced is gone.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

FAILS_WHEN_FULL = frozenset({"open", "write", "sync", "mkdir", "rename"})
"""What a disk that is full, or a folder that was lost, refuses; removing works."""

Point = Callable[[int, str, Path], None]


class Disk:
    """What is done to files below a folder, each an operation with a number.

    Parameters
    ----------
    root
        The folder; other files are left alone.
    at
        Called before each operation with its number from 0, kind and path; it may raise an `OSError`.
    """

    def __init__(self, root: Path, at: Point) -> None:
        self.root, self.at = root.resolve(), at
        self.count, self.kinds = 0, Counter[str]()
        self.synced: dict[tuple[int, int], int] = {}
        """Bytes of each file written to that are sure to be on the disk."""
        self._busy = False

    def operation(self, kind: str, path: Path) -> None:
        if self._busy:
            return
        number, self.count = self.count, self.count + 1
        self.kinds[kind] += 1
        self._busy = True
        try:
            self.at(number, kind, path)
        finally:
            self._busy = False

    def path_of(self, path: Any, dir_fd: int | None = None) -> Path | None:
        """The path where it is below the root, else None."""
        if self._busy or not isinstance(path, str | os.PathLike):
            return None
        text = os.fspath(path)
        if not isinstance(text, str):
            return None
        if dir_fd is not None:
            text = os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), text)
        found = Path(os.path.abspath(text))
        return found if found.is_relative_to(self.root) else None

    def forget_unsynced(self, copy: Path) -> None:
        """Take from a copy of the root what was not synced."""
        for file in self.root.rglob("*"):
            if file.is_file():
                at = file.stat()
                kept = self.synced.get((at.st_dev, at.st_ino))
                if kept is not None and kept < at.st_size:
                    os.truncate(copy / file.relative_to(self.root), kept)


class _CountedFile(io.FileIO):
    """A file whose writes are operations; one that fails has written half of it, as the system tells of it."""

    disk: Disk
    path: Path
    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        try:
            self.disk.operation("write", self.path)
        except OSError as error:
            if len(view) < 2:
                raise
            self.failure, view = error, view[: len(view) // 2]
        written = super().write(view)
        at = os.fstat(self.fileno())
        self.disk.synced.setdefault((at.st_dev, at.st_ino), 0)
        return written


@contextmanager
def watched(root: Path, at: Point) -> Iterator[Disk]:
    """Count what is done to files below a folder."""
    disk = Disk(root, at)
    real_open = io.open

    def opened(file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any) -> Any:
        path = disk.path_of(file)
        if path is None or not set(mode) & set("wax+"):
            return real_open(file, mode, buffering, *more, **named)
        there = path.exists()
        disk.operation("open", path)
        raw_mode = mode.replace("t", "").replace("b", "")
        raw = _CountedFile(str(path), raw_mode)
        raw.disk, raw.path = disk, path
        at_fd = os.fstat(raw.fileno())
        key = at_fd.st_dev, at_fd.st_ino
        if there and "w" not in mode:
            disk.synced.setdefault(key, at_fd.st_size)
        else:
            disk.synced[key] = 0
        if buffering == 0:
            return raw
        buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        names = ("encoding", "errors", "newline")
        text: dict[str, Any] = {**dict(zip(names, more, strict=False)), **named}
        return io.TextIOWrapper(buffered, **{name: text.get(name) for name in names})

    def counted(kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *more: Any, **named: Any) -> Any:
            dir_fd = named.get("dir_fd") or named.get("src_dir_fd")
            path = disk.path_of(first, dir_fd)
            if path is not None:
                disk.operation(kind, path)
            return real(first, *more, **named)

        return call

    def synced(number: int) -> None:
        at_fd = os.fstat(number)
        key = at_fd.st_dev, at_fd.st_ino
        if key not in disk.synced:  # a file of another folder, or one that was not written to
            return
        disk.operation("sync", disk.root)
        disk.synced[key] = at_fd.st_size

    kinds = {
        "replace": "rename", "rename": "rename", "mkdir": "mkdir", "unlink": "remove", "remove": "remove",
        "rmdir": "remove", "truncate": "write", "chmod": "chmod",
    }  # fmt: skip
    with ExitStack() as patched:
        patched.enter_context(
            mock.patch.multiple(os, **{name: counted(kind, getattr(os, name)) for name, kind in kinds.items()})
        )
        for name, instead in (
            ("os.fsync", synced), ("io.open", opened), ("builtins.open", opened),
            ("napari_impa.engine.model.tensor_file.save_file", _save_file),
        ):  # fmt: skip
            patched.enter_context(mock.patch(name, instead))
        yield disk


def _save_file(tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str]) -> None:
    from safetensors.torch import save

    data = save(dict(tensors), dict(metadata))
    part = -(-len(data) // 4)
    with open(path, "wb") as file:
        for start in range(0, len(data), part):
            file.write(data[start : start + part])
            file.flush()


def failing_at(number: int, code: int, *, from_then_on: bool) -> Point:
    """Fail the operation of a number, or all from there on that a full disk refuses."""

    def at(now: int, kind: str, path: Path) -> None:
        if now == number or (from_then_on and now > number and kind in FAILS_WHEN_FULL):
            raise OSError(code, os.strerror(code), str(path))

    return at


def full(number: int) -> Point:
    """The disk is full from then on."""
    return failing_at(number, errno.ENOSPC, from_then_on=True)


def broken(number: int) -> Point:
    """The disk fails once."""
    return failing_at(number, errno.EIO, from_then_on=False)


def copies(root: Path, into: Path, write: Callable[[], object], *, after_power_cut: bool) -> list[tuple[str, Path]]:
    """Write once, and copy what lies in the folder before each operation: what one who was killed there leaves.

    Returns what was to be done, and the copy, of each.
    """
    made: list[tuple[str, Path]] = []

    def at(number: int, kind: str, path: Path) -> None:
        copy = into / f"{number:05d}"
        shutil.copytree(root, copy, symlinks=True)
        if after_power_cut:
            disk.forget_unsynced(copy)
        made.append((f"{kind} {path.name}", copy))

    with watched(root, at) as disk:
        write()
    return made
