"""Writing a file or folder beside its name and renaming it: whatever fails or is killed, the old or the new is there.

What is being written has a hidden name that says which process of which computer writes it, so that the next who
writes the same removes what a killed one left. Data are on the disk before they get their name.
"""

from __future__ import annotations

import errno
import glob
import os
import platform
import re
import shutil
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_impa.errors import CellsError

LEFT_OVER = 24 * 3600
"""Seconds after which what nobody writes to any more was left by a killed process, where that cannot be known."""

_COMPUTER = f"{zlib.crc32(platform.node().encode()):08x}"

_WRITER = re.compile(r"\b(?P<computer>[0-9a-f]{8})-(?P<process>\d{1,10})\b")


def writer_tag() -> str:
    """What says, in a hidden name, which process of which computer writes."""
    return f"{_COMPUTER}-{os.getpid()}"


def hidden_beside(path: Path) -> Path:
    """The hidden name of what is being written, in the same folder: the ending stays, for libraries go by it."""
    return path.with_name(f".{writer_tag()}.partial.{path.name}")


def hidden_folder(path: Path) -> Path:
    """The hidden name of a folder that is being written, which is not taken for one that is whole."""
    return path.with_name(f".{path.name}.{writer_tag()}.partial")


def remove_rests(folder: Path, pattern: str) -> None:
    """Remove the files and folders of a pattern that processes left which are no more.

    Parameters
    ----------
    folder
        Where to look.
    pattern
        As `Path.glob` takes it, of hidden names with a `writer_tag`; what has none is a rest when it is a day old.
    """
    with suppress(OSError):
        for rest in list(folder.glob(pattern)):
            if is_rest(rest):
                remove(rest)


def is_rest(path: Path) -> bool:
    """Whether the process that wrote a hidden file or folder has ended; this process's own is none."""
    said = _WRITER.search(path.name)
    if said and said["computer"] == _COMPUTER:
        return int(said["process"]) != os.getpid() and not _is_running(int(said["process"]))
    try:
        inside = list(path.iterdir()) if path.is_dir() else []
        latest = max(one.stat().st_mtime for one in inside or [path])
    except OSError:
        return False
    return time.time() - latest > LEFT_OVER


def _is_running(process: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        query, still_active = 0x1000, 259
        handle = ctypes.windll.kernel32.OpenProcess(query, False, process)
        if not handle:
            return bool(ctypes.GetLastError() == errno.EACCES)
        code = ctypes.c_ulong()
        ctypes.windll.kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        ctypes.windll.kernel32.CloseHandle(handle)
        return code.value == still_active
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def remove(path: Path) -> None:
    """Remove a file or folder, as far as that goes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file is on the disk, so that it is whole behind a name even after a power cut."""
    try:
        with open(path, "r+b") as file:
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM):  # what cannot do it
            raise


def free(path: str | Path) -> Path:
    """Return the path, or where it exists with the next free number before its ending (` 2`, ` 3` …)."""
    path = Path(path)
    name, dot, ending = path.name.partition(".")
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{name} {number}{dot}{ending}")
    return path


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Give the name of a hidden file in the same folder, which takes the place of `path` when all went well.

    Raises
    ------
    CellsError
        If the file cannot be written; what stood at `path` before stays.
    """
    path = Path(path)
    try:
        with replacing(path) as partial:
            yield partial
    except OSError as error:
        reason = error.strerror or error
        raise CellsError(f"{path} cannot be written ({reason}); choose another folder or make room.") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """As `written_beside`, with the errors of files as they are."""
    partial = hidden_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_rests(path.parent, f".*.partial.{glob.escape(path.name)}")
        partial.unlink(missing_ok=True)
        yield partial
        sync(partial)
        partial.replace(path)
    finally:
        remove(partial)


# ---- folders, which cannot take each other's place in one step ------------------------------------------------------


def take_place(made: Path, path: Path) -> None:
    """Let a whole folder take its place; one that stood there is back where that fails, or when it is looked for.

    Raises
    ------
    OSError
        If it cannot be renamed.
    """
    if not path.exists():
        made.rename(path)
        return
    old = path.with_name(f".{path.name}.{writer_tag()}.old")
    remove(old)
    path.rename(old)
    try:
        made.rename(path)
    except OSError:
        with suppress(OSError):  # then it is found by `taken_back`
            old.rename(path)
        raise
    gone = hidden_folder(path)
    try:
        old.rename(gone)  # what is called old is whole
    except OSError:
        gone = old
    remove(gone)


def taken_back(path: Path) -> Path:
    """The path; where a process was killed while a folder took its place, the one before is put back."""
    if not path.exists():
        for old in sorted(path.parent.glob(f".{glob.escape(path.name)}.*.old")):
            if is_rest(old) or writer_tag() in old.name:
                with suppress(OSError):
                    old.rename(path)
                    break
    return path
