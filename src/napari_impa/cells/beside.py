"""Writing a file beside its name and renaming it, so that a full disk leaves nothing half-written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_impa.errors import CellsError


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
    # the ending stays whole (.ome.tif), for libraries go by it
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise CellsError(f"{path} cannot be written ({reason}); choose another folder or make room.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
