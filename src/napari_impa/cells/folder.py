"""From a source to cells: ready crops read, or crops cut around the nuclei of whole fields, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.fields import Field
from napari_impa.cells.layouts import GIVEN
from napari_impa.cells.parts import CellsBlock, Share, write_cells
from napari_impa.cells.segmenters import Segmenter, as_segmenter
from napari_impa.cells.source import Source, SourceKind, open_source
from napari_impa.cells.store import PLACE, Cells, CellsWriter, open_cells
from napari_impa.cells.tables import condition_names, guess_control, guess_labels, shortest
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import UNWATCHED, Reported, Watch

__all__ = [
    "DEFAULT_SIZE",
    "Source",
    "crop_source",
    "crop_summary",
    "guess_control",
    "guess_labels",
    "open_source",
    "read_cells",
]

DEFAULT_SIZE = 96
"""Crop side in pixels where none is asked for and whole fields are cut."""

_BLOCK = 256  # crops read before they are written


@dataclass
class _Tally:
    """What was left out on the way, for the history of the cells."""

    left_out_at_border: int = 0
    left_out_blank: int = 0
    blank_fields: list[str] = field(default_factory=list)
    fields_without_cells: list[str] = field(default_factory=list)

    def add(self, other: dict[str, Any]) -> None:
        """Add what another process left out."""
        for name, value in other.items():
            setattr(self, name, getattr(self, name) + value)


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
    overwrite: bool = False,
    share: Share | None = None,
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
        Crop side in pixels; by default 96 for whole fields and the stored side for ready crops, which are cut smaller
        around their centre.
    segment
        How nuclei are found: a segmenter with its settings (`segmenters.segmenter("nuclei", diameter=24)`) or the name
        of one, `labels` being the source's own masks; by default those where every field has them, else `nuclei`.
    nuclei_channel
        Name or number of the channel that shows nuclei; by default guessed from the channels' names.
    mask_channel, kind, channels
        As in `open_source`.
    border
        What becomes of nuclei nearer to the border than half a crop: `skip` leaves them out, `pad` completes them.
    label, control
        Columns that name conditions and the untreated control's name; by default guessed from the table.
    overwrite
        Replace `out` where it is a `.cells` folder already.
    share
        The part of the images that this process takes, where several write `out` together; None: all.
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
    source = (
        path if isinstance(path, Source) else open_source(path, kind=kind, channels=channels, mask_channel=mask_channel)
    )
    columns, control = _labelling(source, label, control)
    size = _size(source, size, border)
    tally, mine = _Tally(), share or Share()
    history: dict[str, Any] = {"source": source.name, "kind": source.kind}
    if source.kind == "fields":
        method = as_segmenter(segment or ("labels" if source.has_masks else "nuclei"))
        history |= {"fields": len(source), "segmenter": method.name, "border": border}
        if method.changed:
            history["segmenter_settings"] = method.changed
        find = _labeller(source, method, nuclei_channel)
        rows = mine.rows(len(source))
        blocks = _from_fields(source, rows, size, find, border, nuclei_channel, method.takes_masks, tally, watch)
    elif source.kind == "crops":
        blocks = _from_crops(source, mine.rows(len(source), block=_BLOCK), size, tally, watch)
    else:
        cells = open_cells(source.path)
        history = {**cells.history, "source": source.name}
        blocks = _from_cells(cells, mine.rows(len(cells), block=_BLOCK), size, watch)
    if out is None:
        parts = list(blocks)
        pixels = np.concatenate([part for part, _ in parts]) if parts else _no_cells(source, tally)
        table = pd.concat([rows for _, rows in parts], ignore_index=True)
        _note(history, tally)
        return Cells(pixels, table, source.channels, source.pixel_size, columns, control, history)
    writer = CellsWriter(
        out, source.channels, size, source.dtype, pixel_size=source.pixel_size, label=columns, control=control,
        history=history, overwrite=overwrite,
    )  # fmt: skip

    def finish(tallies: Sequence[dict[str, Any]]) -> None:
        whole = _Tally()
        for found in tallies:
            whole.add(found)
        if not writer.count:
            _no_cells(source, whole)
        _note(writer.meta["history"], whole)

    write_cells(writer, blocks, share, facts=lambda: vars(tally), finish=finish)
    return open_cells(writer.path)


def read_cells(
    path: str | Path,
    *,
    label: Sequence[str] | str | None = None,
    control: str | None = None,
    size: int | None = None,
    segment: str | Segmenter | None = None,
    nuclei_channel: str | int | None = None,
    mask_channel: str | int | None = None,
    kind: SourceKind | None = None,
    channels: Sequence[str] | None = None,
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
    source = open_source(path, kind=kind, channels=channels, mask_channel=mask_channel)
    if source.kind != "cells" or size not in (None, source.shape[0]):
        return crop_source(
            source,
            size=size,
            segment=segment,
            nuclei_channel=nuclei_channel,
            label=label,
            control=control,
            progress=progress,
            watch=watch,
        )
    columns, control = _labelling(source, label, control)
    return replace(open_cells(path), channels=source.channels, label=columns, control=control)


def crop_summary(cells: Cells) -> str:
    """Say in one sentence how many cells were cut and what was left out."""
    facts = cells.history
    text = f"{len(cells):,} cells of {cells.size}×{cells.size} px"
    if "fields" in facts:
        text += f" from {facts['fields']:,} field{'s' * (facts['fields'] != 1)}"
    for key, what in (
        ("left_out_at_border", "cells at the border left out"),
        ("left_out_blank", "crops left out that are blank or hold no numbers"),
    ):
        if facts.get(key):
            text += f"; {facts[key]:,} {what}"
    empty = len(facts.get("blank_fields", ())) + len(facts.get("fields_without_cells", ()))
    return text + (f"; {empty:,} field{'s' * (empty != 1)} gave no cell" if empty else "") + "."


def _labelling(
    source: Source, label: Sequence[str] | str | None, control: str | None
) -> tuple[tuple[str, ...], str | None]:
    """Choose label columns and control before any pixel is read, so that a wrong name costs no minutes."""
    table = source.table
    stored: Cells | None = open_cells(source.path) if source.kind == "cells" else None
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


def _size(source: Source, size: int | None, border: str) -> int:
    side = min(source.shape)
    if size is None:
        size = DEFAULT_SIZE if source.kind == "fields" else side
    if size < 2:
        raise CellsError(f"A crop side of {size} px makes no crop; choose at least 2.")
    if size > side and not (source.kind == "fields" and border == "pad"):
        what = "images" if source.kind == "fields" else "crops"
        raise CellsError(
            f"A crop side of {size} px does not fit the {what} of {source.name}; the largest possible is {side} px."
        )
    return size


Labeller = Callable[[Field], "NDArray[Any] | None"]


def _labeller(source: Source, method: Segmenter, nuclei_channel: str | int | None) -> Labeller:
    """Return what finds the nuclei of a field, or gives None where the field is blank."""
    if method.takes_masks:
        if not source.has_masks:
            raise CellsError(
                f"{source.name} has no mask file for every field; let nuclei be found with segment 'nuclei'."
            )
        return lambda site: None if _is_blank(site.pixels) else method(site.pixels, masks=site.labels)
    method.require()
    channel = source.nuclei_channel(nuclei_channel)

    def find(site: Field) -> NDArray[Any] | None:
        if _is_blank(site.pixels[channel]):
            return None
        pixels = site.pixels
        if pixels.dtype.kind == "f":
            pixels = np.nan_to_num(pixels, nan=float(np.nanmin(pixels)), posinf=0.0, neginf=0.0)
        return method(pixels, channel, site.pixel_size)

    return find


def _is_blank(pixels: NDArray[Any]) -> bool:
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    return finite.size == 0 or bool(finite.min() == finite.max())


def _good(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) which crops hold an image: only finite numbers, and not all the same."""
    flat = pixels.reshape(len(pixels), -1)
    good = flat.min(axis=1) < flat.max(axis=1)
    return np.asarray(good & np.isfinite(flat).all(axis=1) if pixels.dtype.kind == "f" else good)


def _from_fields(
    source: Source,
    rows: range,
    size: int,
    find: Labeller,
    border: Literal["skip", "pad"],
    nuclei_channel: str | int | None,
    masks: bool,
    tally: _Tally,
    watch: Watch,
) -> Iterator[CellsBlock]:
    from napari_impa.cells.crops import cut

    found = 0
    for done, row in enumerate(rows, 1):
        site = source.field(row, nuclei_channel=nuclei_channel, masks=masks)
        labels = find(site)
        if labels is None:
            tally.blank_fields.append(site.name)
        elif not labels.any():
            tally.fields_without_cells.append(site.name)
        else:
            crops = cut(site.pixels, labels, size, border=border)
            good = _good(crops.pixels) if len(crops.pixels) else np.zeros(0, bool)
            tally.left_out_at_border += crops.left_out
            tally.left_out_blank += int((~good).sum())
            if good.any():
                place = crops.table[good]
                columns = {"field": site.name, "y": place["y"], "x": place["x"], "label": place["label"]}
                found += len(place)
                yield crops.pixels[good], pd.DataFrame({**columns, **site.table}).reset_index(drop=True)
        watch.check()
        watch.report(done, len(rows), f"{found:,} cells")


def _from_crops(source: Source, share: range, size: int, tally: _Tally, watch: Watch) -> Iterator[CellsBlock]:
    for start in range(share.start, share.stop, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, share.stop))
        pixels = np.empty((len(rows), len(source.channels), size, size), source.dtype)
        centres = np.empty((len(rows), 2), int)
        names = []
        for i, row in enumerate(rows.tolist()):
            crop, name = source.image(row).pixels, source.entries[row].name
            height, width = crop.shape[1:]
            if size > min(height, width):
                raise CellsError(
                    f"A crop side of {size} px does not fit {name}; the largest possible is {min(height, width)} px."
                )
            pixels[i] = _centre(crop, size)
            centres[i] = height // 2, width // 2
            names.append(name)
        table = pd.DataFrame({"field": names, "y": centres[:, 0], "x": centres[:, 1], "label": 0})
        table = pd.concat([table, source.table.iloc[rows].reset_index(drop=True)], axis=1)
        good = _good(pixels)
        tally.left_out_blank += int((~good).sum())
        if good.any():
            yield pixels[good], table[good].reset_index(drop=True)
        done = int(rows[-1]) + 1 - share.start
        watch.check()
        watch.report(done, len(share), f"{done:,} crops")


def _from_cells(cells: Cells, share: range, size: int, watch: Watch) -> Iterator[CellsBlock]:
    for start in range(share.start, share.stop, _BLOCK):
        block = slice(start, min(start + _BLOCK, share.stop))
        yield np.ascontiguousarray(_centre(cells.pixels[block], size)), cells.table.iloc[block].reset_index(drop=True)
        done = block.stop - share.start
        watch.check()
        watch.report(done, len(share), f"{done:,} cells")


def _centre(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    y, x = (side // 2 - size // 2 for side in pixels.shape[-2:])
    return pixels[..., y : y + size, x : x + size]


def _note(history: dict[str, Any], tally: _Tally) -> None:
    history |= {name: value for name, value in vars(tally).items() if value or name == "left_out_at_border"}


def _no_cells(source: Source, tally: _Tally) -> NDArray[Any]:
    blank, total = len(tally.blank_fields), len(source)
    if tally.left_out_at_border:
        raise CellsError(
            f"All {tally.left_out_at_border} cells of {source.name} lie too near to the border; "
            "choose a smaller crop side, or border 'pad'."
        )
    if tally.left_out_blank or (blank and blank == total):
        raise CellsError(
            f"{source.name} gives no cells: its images are black or hold no numbers; check the export of the images."
        )
    raise CellsError(
        f"No cell was found in the {total:,} field{'s' * (total != 1)} of {source.name} ({blank:,} blank); "
        "check which channel shows nuclei, or choose another segmenter."
    )
