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
from napari_impa.work.predicting.predict_into import labelling_of


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
    size = size if model is None else model.size
    stored = _stored(model, opened, size)
    if stored is not None:
        yield stored
        return
    label, control = _labels(model, opened)
    find = segment and (segment.name, segment.changed)
    what = f"{opened.fingerprint} {opened.choice.changed} {size} {find} {nuclei_channel} {label} {control}"
    folder = out.with_name(f".{out.stem}.{hashlib.sha256(what.encode()).hexdigest()[:12]}.cells")
    if folder.exists():
        yield open_cells(folder)
    else:
        yield crop_source(
            opened, folder, size=size, segment=segment, nuclei_channel=nuclei_channel, label=label, control=control,
            unlabelled="keep", keep=True, workers=workers_for(opened), watch=watch,
        )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)


def cells_into(folder: Path, model: IMPA, opened: Source, *, watch: Watch = UNWATCHED) -> Cells:
    """The cells of a source as a model takes them: where they lie, or cut into a folder that the caller keeps.

    Raises
    ------
    SourceError, CellsError, ConditionError
        As `crop_source`.
    """
    stored = _stored(model, opened, model.size)
    if stored is not None:
        return stored
    label, control = _labels(model, opened)
    return crop_source(
        opened, folder / "cut.cells", size=model.size, label=label, control=control, unlabelled="keep",
        workers=workers_for(opened), watch=watch,
    )  # fmt: skip


def _labels(model: IMPA | None, opened: Source) -> tuple[list[str] | None, str | None]:
    """Label columns and control: the model's where the source has them, else as stored cells say it themselves."""
    label, control = (None, None) if model is None else labelling_of(model, opened)
    if opened.kind == "cells" and label is None:
        stored = opened.stored_cells()
        return list(stored.label) or None, stored.control
    return label, control


def _stored(model: IMPA | None, opened: Source, size: int | None) -> Cells | None:
    """Cells that need not be cut, memory-mapped; None where they must be."""
    if opened.kind != "cells" or size not in (None, opened.shape[0]):
        return None
    label, control = _labels(model, opened)
    return read_cells(opened, label=label, control=control)
