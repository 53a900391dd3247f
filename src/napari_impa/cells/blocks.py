"""Blocks of cells out of a source: crops cut around the nuclei of whole fields, ready crops, or stored cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.fields import Field
from napari_impa.cells.layouts import GIVEN
from napari_impa.cells.parts import CellsBlock
from napari_impa.cells.segmenters import Segmenter
from napari_impa.cells.source import Source
from napari_impa.cells.store import PLACE, Cells
from napari_impa.errors import CellsError
from napari_impa.watch import Watch
from napari_impa.workers import Workers, cores

BLOCK = 256
"""Crops read before they are written."""

_ON_NOTHING, _FEWEST_LABELS = 0.3, 3  # share of a field's labels from which it is said, and how many there must be

FEW_FIELDS = 8
"""Fields that one process has cut before others would have started."""


@dataclass
class LeftOut:
    """What was left out on the way, for the history of the cells."""

    left_out_at_border: int = 0
    left_out_blank: int = 0
    blank_fields: list[str] = field(default_factory=list)
    fields_without_cells: list[str] = field(default_factory=list)
    fields_smaller_than_crops: list[str] = field(default_factory=list)
    fields_like_labels: list[str] = field(default_factory=list)
    masks_on_nothing: list[str] = field(default_factory=list)

    def so_far(self, done: int) -> dict[str, Any]:
        """What one that goes on behind so many fields or crops has to know."""
        return {"done": done, "left_out": json.loads(json.dumps(vars(self)))}

    def add(self, other: dict[str, Any]) -> None:
        """Add what another process left out."""
        for name, value in other.items():
            setattr(self, name, getattr(self, name) + value)

    def note(self, history: dict[str, Any]) -> None:
        """Write it into a history: what there is, and always how many lay at the border."""
        if len(self.fields_like_labels) == history.get("fields"):
            self.fields_like_labels = []  # images are drawn so here
        history |= {name: value for name, value in vars(self).items() if value or name == "left_out_at_border"}


@dataclass(frozen=True)
class Cutting:
    """How crops are cut out of whole fields.

    Parameters
    ----------
    size
        Crop side in pixels.
    method
        What finds the nuclei.
    nuclei_channel
        Name or number of the channel that shows them; None: by the channels' names.
    border
        What becomes of nuclei too near to the border, as `crop_source` has it.
    """

    size: int
    method: Segmenter
    nuclei_channel: str | int | None = None
    border: Literal["skip", "pad"] = "skip"

    def check(self, source: Source) -> None:
        """Check that the nuclei of a source can be found so.

        Raises
        ------
        CellsError, MissingDependencyError
            If it lacks masks or a channel of nuclei, or the method is not installed.
        """
        if not self.method.takes_masks:
            self.method.require()
            source.nuclei_channel(self.nuclei_channel)
        elif not source.has_masks:
            raise CellsError(
                f"{source.name} has no mask file for every field; let nuclei be found with segment 'nuclei'."
            )

    def nuclei(self, site: Field, source: Source) -> NDArray[Any] | None:
        """Find the nuclei (H, W) of a field; None where it is blank."""
        if self.method.takes_masks:
            return None if _is_blank(site.pixels) else self.method(site.pixels, masks=site.labels)
        channel, pixels = source.nuclei_channel(self.nuclei_channel), site.pixels
        if _is_blank(pixels[channel]):
            return None
        if pixels.dtype.kind == "f":
            pixels = np.nan_to_num(pixels, nan=float(np.nanmin(pixels)), posinf=0.0, neginf=0.0)
        return self.method(pixels, channel, site.pixel_size)


def workers_for(source: Source, jobs: int | None = None, dask: str | None = None) -> Workers:
    """Who cuts the cells of a source: as asked, else a process a core where it has many fields."""
    if jobs is None:
        jobs = cores() if source.kind == "fields" and len(source) >= FEW_FIELDS and dask is None else 1
    return Workers(jobs, dask)


def _is_blank(pixels: NDArray[Any]) -> bool:
    finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    return finite.size == 0 or bool(finite.min() == finite.max())


def _share_on_nothing(pixels: NDArray[Any], labels: NDArray[Any]) -> float:
    """The share of labels (H, W) that lie where no channel (C, H, W) shows more than the ground around all of them.

    Labels of an image differ from its ground in brightness or texture, those of another one, or turned ones, do not.
    """
    pixels, labels = np.nan_to_num(pixels[:, ::2, ::2].astype(np.float32)), labels[::2, ::2]
    inside = labels > 0
    objects, counts = np.unique(labels[inside], return_inverse=True, return_counts=True)[1:]
    if len(counts) < _FEWEST_LABELS or inside.all():
        return 0.0
    nothing = np.ones(len(counts), bool)
    for channel in pixels:
        ground = np.median(channel[~inside])
        spread = 1.5 * 1.4826 * np.median(np.abs(channel[~inside] - ground))
        means = np.bincount(objects, channel[inside]) / counts
        variances = np.bincount(objects, (channel[inside] - means[objects]) ** 2) / counts
        nothing &= (np.abs(means - ground) <= spread) & (variances <= spread**2)
    return float(nothing.mean())


def _is_even(pixels: NDArray[Any]) -> bool:
    """Whether what stands out of a channel (H, W) is even from pixel to pixel, as labels are and no image is."""
    there = pixels > pixels.min()
    both = there[:, :-1] & there[:, 1:]
    even = both & (pixels[:, :-1] == pixels[:, 1:])
    return bool(both.sum() > 100 and even.sum() > 0.9 * both.sum())


def _good(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) which crops hold an image: only finite numbers, and not all the same."""
    flat = pixels.reshape(len(pixels), -1)
    good = flat.min(axis=1) < flat.max(axis=1)
    return np.asarray(good & np.isfinite(flat).all(axis=1) if pixels.dtype.kind == "f" else good)


def blocks_of_fields(
    source: Source, rows: range, cutting: Cutting, tally: LeftOut, watch: Watch, workers: Workers,
    before: tuple[int, int] = (0, 0),
) -> Iterator[CellsBlock]:  # fmt: skip
    """Cut crops around the nuclei of some fields, a block each; a field is a task.

    Parameters
    ----------
    rows
        Of the source's table.
    cutting
        How they are cut.
    tally
        Counts what is left out.
    workers
        Who does it; the blocks are the same.
    before
        Fields and cells that were done before these.

    Raises
    ------
    SourceError
        If a file is damaged.
    WorkersError
        As `Workers.in_order`.
    """
    earlier, found = before
    of = earlier + len(rows)
    # Others are sent what they need of the source, not its table of perhaps thousands of fields.
    tasks = ((source.alone(row), 0, cutting) if workers.are_others else (source, row, cutting) for row in rows)
    for done, (block, left_out) in enumerate(workers.in_order(cut_field, tasks, watch=watch), earlier + 1):
        tally.add(vars(left_out))
        if block is not None:
            found += len(block.table)
            yield block._replace(so_far=tally.so_far(done))
        watch.report(done, of, f"{found:,} cells")


def cut_field(source: Source, row: int, cutting: Cutting) -> tuple[CellsBlock | None, LeftOut]:
    """Cut the crops of one field; None where there is none, and what was left out."""
    from napari_impa.cells.crops import cut

    site = source.field(row, nuclei_channel=cutting.nuclei_channel, masks=cutting.method.takes_masks)
    if min(site.pixels.shape[1:]) < cutting.size and cutting.border == "skip":
        return None, LeftOut(fields_smaller_than_crops=[site.name])
    labels = cutting.nuclei(site, source)
    if labels is None:
        return None, LeftOut(blank_fields=[site.name])
    if not labels.any():
        return None, LeftOut(fields_without_cells=[site.name])
    crops = cut(site.pixels, labels, cutting.size, border=cutting.border)
    good = _good(crops.pixels) if len(crops.pixels) else np.zeros(0, bool)
    left_out = LeftOut(crops.left_out, int((~good).sum()))
    if not cutting.method.takes_masks and _is_even(site.pixels[source.nuclei_channel(cutting.nuclei_channel)]):
        left_out.fields_like_labels.append(site.name)
    if cutting.method.takes_masks and _share_on_nothing(site.pixels, labels) >= _ON_NOTHING:
        left_out.masks_on_nothing.append(site.name)
    if not good.any():
        return None, left_out
    place = crops.table[good]
    columns = {"field": site.name, "y": place["y"], "x": place["x"], "label": place["label"]}
    if site.cells is not None:
        known = site.cells.set_index("label").reindex(place["label"]).drop(columns=["y", "x"])
        columns |= {
            f"{name}{GIVEN}" if name in PLACE else str(name): known[name].to_numpy()
            for name in known.columns
            if name not in site.table
        }
    rows = pd.DataFrame({**columns, **site.table}).reset_index(drop=True)
    return CellsBlock(crops.pixels[good], rows), left_out


def blocks_of_crops(
    source: Source, share: range, size: int, tally: LeftOut, watch: Watch, before: int = 0
) -> Iterator[CellsBlock]:
    """Read a share of ready crops, cut to a side around their centres; what shows nothing is left out and counted.

    `before` of them were read before these.

    Raises
    ------
    SourceError, CellsError
        If a file is damaged, or a crop smaller than the side.
    """
    for start in range(share.start, share.stop, BLOCK):
        rows = np.arange(start, min(start + BLOCK, share.stop))
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
        done = before + int(rows[-1]) + 1 - share.start
        if good.any():
            yield CellsBlock(pixels[good], table[good].reset_index(drop=True), tally.so_far(done))
        watch.check()
        watch.report(done, before + len(share), f"{done:,} crops")


def blocks_of_cells(cells: Cells, share: range, size: int, watch: Watch, before: int = 0) -> Iterator[CellsBlock]:
    """Read a share of stored cells, cut to a side around their centres; `before` of them were read before these."""
    for start in range(share.start, share.stop, BLOCK):
        block = slice(start, min(start + BLOCK, share.stop))
        done = before + block.stop - share.start
        pixels, table = _centre(cells.pixels[block], size), cells.table.iloc[block].reset_index(drop=True)
        yield CellsBlock(np.ascontiguousarray(pixels), table, LeftOut().so_far(done))
        watch.check()
        watch.report(done, before + len(share), f"{done:,} cells")


def _centre(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    y, x = (side // 2 - size // 2 for side in pixels.shape[-2:])
    return pixels[..., y : y + size, x : x + size]


def no_cells(source: Source, tally: LeftOut) -> NoReturn:
    """Say why a source gave no cell at all.

    Raises
    ------
    CellsError
        Always.
    """
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
