"""Writing the files of a report: all beside their names first, then each renamed, so that none is half-written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from napari_impa.cells.beside import written_beside
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch


def write_together(folder: str | Path, files: Mapping[str, str], *, watch: Watch = UNWATCHED) -> Path:
    """Write texts as UTF-8 into a folder, which is made where it is missing; other files in it stay.

    Parameters
    ----------
    folder
        Where to.
    files
        Texts by name; the first takes its name last, so that it is there when all others are.
    watch
        Asked before each whether to go on; until the last is written none has its name.

    Returns
    -------
    Path of the first.

    Raises
    ------
    CellsError
        If they cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise CellsError(f"{folder} is a file; choose a folder for the report.")
    with ExitStack() as together:
        for name, text in files.items():
            watch.check()
            partial = together.enter_context(written_beside(folder / name))
            partial.write_bytes(text.encode("utf-8", "replace"))
        watch.check()
    return folder / next(iter(files))
