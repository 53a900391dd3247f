"""The cells of a source on disk while they are asked about, so that a plate of any size takes no memory."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_impa.cells.blocks import workers_for
from napari_impa.cells.folder import crop_source, read_cells
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.predict_into import labelling_of


@contextmanager
def cells_beside(
    out: Path, model: IMPA | None, opened: Source, *, segment: Segmenter | None = None, size: int | None = None,
    nuclei_channel: str | None = None, watch: Watch = UNWATCHED,
) -> Iterator[Cells]:  # fmt: skip
    """The cells of a source as a model takes them, cut into a hidden folder beside a file to be.

    Those that were cut before are taken again, and what was left of cutting is gone on with; the folder goes when all
    went well.

    Parameters
    ----------
    out
        The file to be.
    model
        Whose crop side and labels count; without one the side is `size`, and labels are guessed as `crop_source` does.
    segment, nuclei_channel
        How nuclei of whole fields are found.

    Raises
    ------
    SourceError, CellsError, ConditionError
        As `crop_source`.
    """
    label, control = (None, None) if model is None else labelling_of(model, opened)
    size = size if model is None else model.size
    if opened.kind == "cells":
        if label is None:  # as they say it themselves
            stored = opened.stored_cells()
            label, control = (list(stored.label) or None), stored.control
        if size in (None, opened.shape[0]):
            yield read_cells(opened, label=label, control=control)
            return
    find = segment and (segment.name, segment.changed)
    what = f"{opened.fingerprint} {size} {find} {nuclei_channel} {label} {control}"
    folder = out.with_name(f".{out.stem}.{hashlib.sha256(what.encode()).hexdigest()[:12]}.cells")
    if folder.exists():
        yield open_cells(folder)
    else:
        yield crop_source(
            opened, folder, size=size, segment=segment, nuclei_channel=nuclei_channel, label=label, control=control,
            unlabelled="keep", keep=True, workers=workers_for(opened), watch=watch,
        )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
