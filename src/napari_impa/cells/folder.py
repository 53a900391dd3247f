"""From a source to cells: ready crops read, or crops cut around the nuclei of whole fields, in one pass."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.blocks import (
    BLOCK,
    Cutting,
    LeftOut,
    blocks_of_cells,
    blocks_of_crops,
    blocks_of_fields,
    no_cells,
)
from napari_impa.cells.checks import listed
from napari_impa.cells.checks.of_cells import cells_concerns
from napari_impa.cells.layouts import AS_FOUND, GIVEN, LayoutChoice
from napari_impa.cells.layouts.entry import NO_IMAGE
from napari_impa.cells.parts import CellsBlock, Share, write_cells
from napari_impa.cells.segmenters import Segmenter, as_segmenter
from napari_impa.cells.source import Source, SourceKind, open_source
from napari_impa.cells.store import PLACE, Cells, CellsWriter, open_cells
from napari_impa.cells.tables import condition_names, guess_control, guess_labels, shortest
from napari_impa.cells.words import SIDE
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import UNWATCHED, Reported, Watch
from napari_impa.workers import ALONE, Workers

__all__ = [
    "Source",
    "crop_source",
    "crop_summary",
    "guess_control",
    "guess_labels",
    "open_source",
    "read_cells",
]

logger = logging.getLogger("napari_impa")

_LEFT_OUT = {
    "left_out_at_border": "cells at the border left out",
    "left_out_blank": "crops left out that are blank or hold no numbers",
    "left_out_without_label": "images without a label left out",
    "fields_smaller_than_crops": "",
    "blank_fields": "",
    "fields_without_cells": "",
    "fields_like_labels": "",
    "masks_on_nothing": "",
}
"""What `history` says of what was left out, in words where they are a count."""


def crop_source(
    path: str | Path | Source,
    out: str | Path | None = None,
    *,
    size: int | None = None,
    segment: str | Segmenter | None = None,
    nuclei_channel: str | int | None = None,
    mask_channel: str | int | None = None,
    border: Literal["skip", "pad"] = "skip",
    label: Sequence[str] | str | None = None,
    control: str | None = None,
    kind: SourceKind | None = None,
    channels: Sequence[str] | None = None,
    choice: LayoutChoice = AS_FOUND,
    plate_map: str | Path | None = None,
    unlabelled: Literal["skip", "keep"] = "skip",
    overwrite: bool = False,
    keep: bool = False,
    share: Share | None = None,
    workers: Workers = ALONE,
    progress: Callable[[int, int, str], object] | None = None,
    watch: Watch = UNWATCHED,
) -> Cells:
    """Cut the cells out of a source; into a `.cells` folder, block by block, where `out` is given.

    Parameters
    ----------
    path
        A folder as `open_source` takes it, or an opened source.
    out
        The `.cells` folder to write; the cells returned are then memory-mapped from it.
    size
        Crop side in pixels; by default 64 for whole fields and the stored side for ready crops, which are cut smaller
        around their centre.
    segment
        How nuclei are found: a segmenter with its settings (`segmenters.segmenter("nuclei", diameter=24)`) or the name
        of one, `labels` being the source's own masks; by default those where every field has them, else `nuclei`.
    nuclei_channel
        Name or number of the channel that shows nuclei; by default guessed from the channels' names.
    mask_channel, kind, channels, choice
        As in `open_source`.
    border
        What becomes of nuclei nearer to the border than half a crop: `skip` leaves them out, `pad` completes them.
    label, control
        Columns that name conditions and the untreated control's name; by default guessed from the table.
    plate_map
        What is in the wells: a table, a workbook or a grid, as `plate_maps` reads them; short for a `choice` of it.
    unlabelled
        What becomes of images whose label is empty, as those of wells without a row in the plate map: `skip` leaves
        them out, and counts them.
    overwrite
        Replace `out` where it is a `.cells` folder already.
    keep
        Keep what is cut, hidden beside `out`, where the work is left, fails or is killed, and go on with what was kept
        so of the same images; the cells are the same to the bit. Work that is shared is not kept.
    share
        The part of the images that this process takes, where several write `out` together; None: all.
    workers
        Who finds and cuts the cells of whole fields, one field at a time each (`Workers(jobs=4)`); the cells are the
        same to the bit, and in the same order.
    progress
        Called with (done, total, text) after every field or block of crops.
    watch
        The same for what may also stop it, where no `progress` is given.

    Raises
    ------
    SourceError, CellsError, ConditionError
        If the source cannot be read or gives no cell, crops do not fit, or a label or the control is missing.
    """
    watch = watch if progress is None else Reported(progress)
    if not isinstance(path, Source):
        opened = open_source(
            path, kind=kind, channels=channels, mask_channel=mask_channel, choice=choice, plate_map=plate_map
        )
        return _logged(opened, crop_source(
            opened, out, size=size, segment=segment, nuclei_channel=nuclei_channel, border=border, label=label,
            control=control, unlabelled=unlabelled, overwrite=overwrite, keep=keep, share=share, workers=workers,
            watch=watch,
        ))  # fmt: skip
    source = path
    columns, control = _labelling(source, label, control)
    size = _size(source, size, border)
    mine = share or Share()
    history: dict[str, Any] = {"source": source.name, "kind": source.kind}
    if unlabelled == "skip" and source.kind != "cells":
        labelled = _labelled_rows(source, columns)
        if len(labelled) < len(source):
            history["left_out_without_label"] = len(source) - len(labelled)
            source = source.of_rows(labelled)
    if source.choice.changed:
        history["read_with"] = source.choice.changed
    cutting: Cutting | None = None
    if source.kind == "fields":
        method = as_segmenter(segment or ("labels" if source.has_masks else "nuclei"))
        history |= {"fields": len(source), "segmenter": method.name, "border": border}
        if method.changed:
            history["segmenter_settings"] = method.changed
        cutting = Cutting(size, method, nuclei_channel, border)
        cutting.check(source)
    elif source.kind == "cells":
        history = {**source.stored_cells().history, "source": source.name}
    if out is None:
        tally = LeftOut()
        parts = list(_blocks(source, size, cutting, mine, tally, {}, watch, workers))
        pixels = np.concatenate([part.pixels for part in parts]) if parts else no_cells(source, tally)
        table = pd.concat([part.table for part in parts], ignore_index=True)
        tally.note(history)
        return Cells(pixels, table, source.channels, source.pixel_size, columns, control, history)
    kept = {"images": source.fingerprint, "nuclei": nuclei_channel} if keep and mine.count == 1 else None
    writer = CellsWriter(
        out, source.channels, size, source.dtype, pixel_size=source.pixel_size, label=columns, control=control,
        history=history, overwrite=overwrite, keep=kept,
    )  # fmt: skip
    tally = LeftOut(**writer.so_far.get("left_out", {}))

    def finish(tallies: Sequence[dict[str, Any]]) -> None:
        whole = LeftOut()
        for found in tallies:
            whole.add(found)
        if not writer.count:
            no_cells(source, whole)
        whole.note(writer.meta["history"])

    blocks = _blocks(source, size, cutting, mine, tally, writer.so_far, watch, workers, count=writer.kept)
    write_cells(writer, blocks, share, facts=lambda: vars(tally), finish=finish)
    return open_cells(writer.path)


def _blocks(
    source: Source, size: int, cutting: Cutting | None, mine: Share, tally: LeftOut, so_far: Mapping[str, Any],
    watch: Watch, workers: Workers, *, count: int = 0,
) -> Iterator[CellsBlock]:  # fmt: skip
    """The blocks of a share of the source, but for what was done before, which gave so many cells."""
    before = so_far.get("done", 0)
    if cutting is not None:
        rows = mine.rows(len(source))[before:]
        return blocks_of_fields(source, rows, cutting, tally, watch, workers, (before, count))
    rows = mine.rows(len(source), block=BLOCK)[before:]
    if source.kind == "crops":
        return blocks_of_crops(source, rows, size, tally, watch, before)
    return blocks_of_cells(source.stored_cells(), rows, size, watch, before)


def read_cells(
    path: str | Path | Source,
    *,
    label: Sequence[str] | str | None = None,
    control: str | None = None,
    size: int | None = None,
    segment: str | Segmenter | None = None,
    nuclei_channel: str | int | None = None,
    mask_channel: str | int | None = None,
    kind: SourceKind | None = None,
    channels: Sequence[str] | None = None,
    choice: LayoutChoice = AS_FOUND,
    plate_map: str | Path | None = None,
    unlabelled: Literal["skip", "keep"] = "skip",
    workers: Workers = ALONE,
    progress: Callable[[int, int, str], object] | None = None,
    watch: Watch = UNWATCHED,
) -> Cells:
    """Read cells from any source; the parameters are those of `crop_source`.

    A `.cells` folder is opened memory-mapped, with the label and control it was written with unless others are given.
    Anything else is cropped in memory.

    Raises
    ------
    SourceError, CellsError, ConditionError
        As `crop_source`.
    """
    watch = watch if progress is None else Reported(progress)
    if not isinstance(path, Source):
        opened = open_source(
            path, kind=kind, channels=channels, mask_channel=mask_channel, choice=choice, plate_map=plate_map
        )
        return _logged(opened, read_cells(
            opened, label=label, control=control, size=size, segment=segment, nuclei_channel=nuclei_channel,
            unlabelled=unlabelled, workers=workers, watch=watch,
        ))  # fmt: skip
    source = path
    if source.kind != "cells" or size not in (None, source.shape[0]):
        return crop_source(
            source,
            size=size,
            segment=segment,
            nuclei_channel=nuclei_channel,
            label=label,
            control=control,
            unlabelled=unlabelled,
            workers=workers,
            watch=watch,
        )
    columns, control = _labelling(source, label, control)
    return replace(source.stored_cells(), channels=source.channels, label=columns, control=control)


def _logged(source: Source, cells: Cells) -> Cells:
    """Log, for who reads a source by a script, what has to be known of how it was read and what is doubtful about it.

    Who opens the source first is told by it (`Source.describe`), and says the rest as each command does.
    """
    if "; " in source.layout:  # of Z planes and times, which of them
        logger.warning("%s: found by %s.", source.name, source.layout)
    for line in (*source.notes, *source.passed_over(but=(NO_IMAGE,))):
        logger.warning("%s: %s", source.name, line)
    if source.kind == "cells":  # of which this was said when they were cut, and is said when they are used
        return cells
    if any(cells.history.get(key) for key in _LEFT_OUT if key != "left_out_at_border"):
        logger.warning("%s: %s", source.name, crop_summary(cells))
    for line in (*labelling_doubts(source, cells), *(concern.message for concern in cells_concerns(cells))):
        logger.warning("%s: %s", source.name, line)
    return cells


def labelling_doubts(source: Source, cells: Cells) -> tuple[str, ...]:
    """Say which conditions of a source gave no cell at all, and where none is known to be the untreated control."""
    if not cells.label:
        return ()
    names = sorted(set(map(str, cells.conditions)))
    said = []
    if lost := sorted({*map(str, condition_names(source.table, cells.label, cells.control))} - {"", *names}):
        said.append(f"No cell was found of {listed(lost)}: look at their images, or leave them out.")
    if cells.control is None and len(names) > 1:
        said.append(
            f"No untreated control is known among the conditions ({listed(names)}); name it (--control NAME) where "
            "there is one."
        )
    return tuple(said)


def crop_summary(cells: Cells) -> str:
    """Say in one sentence how many cells were cut and what was left out."""
    facts = cells.history
    text = f"{len(cells):,} cells of {cells.size}×{cells.size} px"
    if "fields" in facts:
        text += f" from {facts['fields']:,} field{'s' * (facts['fields'] != 1)}"
    for key, what in _LEFT_OUT.items():
        if what and facts.get(key):
            text += f"; {facts[key]:,} {what}"
    small = facts.get("fields_smaller_than_crops", ())
    if small:
        text += f"; {len(small):,} field{'s' * (len(small) != 1)} smaller than a crop left out ({small[0]})"
    if labels := facts.get("fields_like_labels", ()):
        text += (
            f"; {len(labels):,} look{'s' * (len(labels) == 1)} like labels and not like an image ({labels[0]}): name "
            "masks after their image (a_masks.tif of a.tif)"
        )
    if others := facts.get("masks_on_nothing", ()):
        text += (
            f"; the masks of {len(others):,} field{'s' * (len(others) != 1)} ({others[0]}) lie where the image shows "
            "nothing, as those of another image, or turned ones, do"
        )
    empty = [*facts.get("blank_fields", ()), *facts.get("fields_without_cells", ())]
    text += f"; {len(empty):,} field{'s' * (len(empty) != 1)} gave no cell ({empty[0]})" if empty else ""
    return text + "."


def _labelling(
    source: Source, label: Sequence[str] | str | None, control: str | None
) -> tuple[tuple[str, ...], str | None]:
    """Choose label columns and control before any pixel is read, so that a wrong name costs no minutes."""
    table = source.table
    stored: Cells | None = source.stored_cells() if source.kind == "cells" else None
    if label is None:
        label = stored.label if stored is not None and stored.label else guess_labels(table)
        if stored is not None and control is None:
            control = stored.control
    given = [label] if isinstance(label, str) else list(label)
    columns = tuple(name + GIVEN if name in PLACE and name + GIVEN in table.columns else name for name in given)
    if not columns:
        if control is not None:
            raise ConditionError(
                f"No label column is known for the control {control!r}; name the column that holds it."
            )
        return (), None
    names = condition_names(table, columns, control)
    if control is None:
        return columns, guess_control(table, columns)
    if not np.any(names == shortest(control)):
        found = ", ".join(sorted(set(map(str, names)))[:12])
        raise ConditionError(
            f"No row of {source.name} has the control's name {control!r}; the conditions are: {found}."
        )
    return columns, control


def _labelled_rows(source: Source, columns: Sequence[str]) -> NDArray[np.intp]:
    """The images that have a label, or all where no column is one.

    Raises
    ------
    ConditionError
        If none has.
    """
    if not columns:
        return np.arange(len(source))
    rows = np.flatnonzero(condition_names(source.table, columns) != "")
    if not len(rows):
        raise ConditionError(
            f"No image of {source.name} has a label ({', '.join(columns)} is empty); fill it in, or give a plate map."
        )
    return rows


def _size(source: Source, size: int | None, border: str) -> int:
    side = min(source.shape)
    if size is None:
        size = SIDE if source.kind == "fields" else side
    if size < 2:
        raise CellsError(f"A crop side of {size} px makes no crop; choose at least 2.")
    if size > side and not (source.kind == "fields" and border == "pad"):
        what = "images" if source.kind == "fields" else "crops"
        raise CellsError(
            f"A crop side of {size} px does not fit the {what} of {source.name}; the largest possible is {side} px."
        )
    return size
