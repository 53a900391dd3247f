"""The search for cells in layers: nuclei found here, a Labels or Points layer, or stacks that already are crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.crops import cut_at, fits, nucleus_centres, parted
from napari_impa.cells.store import Cells
from napari_impa.cells.tables import condition_names, shortest
from napari_impa.errors import CellsError, ModelError
from napari_impa.viewer.layers.channels import ChannelLayers, Plane
from napari_impa.viewer.layers.geometry import Region, Window
from napari_impa.viewer.layers.masks import Centres
from napari_impa.viewer.layers.sources import channel_looks, thumbnail
from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari_impa.cells.segmenters import Segmenter
from napari_impa.viewer.layers.found_cells import BEYOND, BORDER, CROPS, LABELS, OUTSIDE, PARTLY, POINTS, SMALL, Found


def find_cells(
    token: Token,
    layers: ChannelLayers,
    channels: Sequence[str],
    size: int,
    method: str,
    nuclei_channel: int = 0,
    mask: Plane | Centres | NDArray[Any] | None = None,
    region: Region | None = None,
    segmenter: Segmenter | None = None,
    task: str = "perturbation",
) -> Found:
    """Cut the cells that a model of the given channels and crop side takes.

    Parameters
    ----------
    layers
        One layer a channel.
    channels
        The model's names for them.
    size
        The model's crop side in pixels.
    method
        The name of one of `segmenters.SEGMENTERS`, `labels`, `points` or `crops`.
    nuclei_channel
        Which channel shows nuclei.
    mask
        For `labels` a plane to be read, or (H, W) labels on the first channel's pixels; for `points` their centres.
    region
        Where cells are wanted; what lies further away is not read.
    segmenter
        With its settings, one of the kind that `method` names; of labels only `minimum_area` counts.
    task
        The model's: one that corrects batches turns controls and treated cells alike.

    Raises
    ------
    CellsError, ModelError
        If no cell is found, or the layers do not fit.
    """
    if method == CROPS:
        return _crops(layers, channels, size, task)
    window = layers.window if region is None else layers.window & region.window(size // 2 + size % 2 + 1)
    if 0 in window.shape:
        raise CellsError("The region lies outside the image; draw it where the cells are.")
    if min(window.shape) < size:
        raise CellsError(
            f"The model takes crops of {size} px, more than the image of {window.height}×{window.width} px holds."
        )
    if method == LABELS:
        _require_all_steps(mask, layers)
    least = 0 if segmenter is None else segmenter.minimum_area
    parts = []
    for step in range(layers.steps) if layers.steps is not None else [None]:
        token.check()
        pixels = layers.read(window, step)
        token.check()
        labels, seen = _candidates(pixels, layers, window, step, method, nuclei_channel, mask, segmenter)
        seen["reason"] = _reasons(seen, layers, window, size, region, least, step)
        seen.insert(0, "step", step or 0)
        parts.append((pixels, labels, seen))
    found = _assembled(parts, layers, channels, size, method, nuclei_channel, window, segmenter)
    beyond = int((~_in_image(mask, layers)).sum()) if isinstance(mask, Centres) else 0
    return replace(found, task=task, left_out={**found.left_out, **({BEYOND: beyond} if beyond else {})})


def _require_all_steps(mask: Any, layers: ChannelLayers) -> None:
    """Require labels of every step, or one image of them for all; those of another step would be of other cells."""
    if not isinstance(mask, Plane) or mask.free is None or layers.steps is None:
        return
    count = int(mask.data.shape[mask.free])
    at = mask.at
    if count == layers.steps and at is not None and -1 in at:
        raise CellsError(
            f"The labels do not lie at the same steps in the viewer as {layers.names[0]!r}; move them to where they "
            "belong, or take a single step."
        )
    moved = at is not None and at != tuple(range(layers.steps))
    if count not in (1, layers.steps) and not (moved and at is not None and -1 not in at):
        raise CellsError(
            f"The labels have {count} steps and {layers.names[0]!r} has {layers.steps}; choose labels of as many, or "
            "take a single step."
        )


def _in_image(mask: Centres, layers: ChannelLayers) -> NDArray[np.bool_]:
    """(n,) whether points lie on the image, at one of its steps; those that are no numbers do not."""
    inside: NDArray[np.bool_] = np.all(
        (mask.points >= -0.5) & (mask.points < np.array(layers.planes[0].shape) - 0.5), 1
    )
    if mask.steps is not None and layers.steps is not None:
        inside &= (mask.steps >= 0) & (mask.steps < layers.steps)
    return inside


def _candidates(
    pixels: NDArray[Any],
    layers: ChannelLayers,
    window: Window,
    step: int | None,
    method: str,
    nuclei_channel: int,
    mask: Any,
    segmenter: Segmenter | None,
) -> tuple[NDArray[Any] | None, pd.DataFrame]:
    """Nuclei (h, w), where there are any, and `y`, `x`, `label`, `area` of every cell in the window."""
    if method == POINTS:
        here = slice(None) if mask.steps is None else mask.steps == (step or 0)
        there = _in_image(mask, layers)[here]
        at = np.floor(np.where(there[:, None], mask.points[here], 0) + 0.5).astype(int) - (window.top, window.left)
        inside = there & np.all((at >= 0) & (at < window.shape), axis=1)
        numbers = np.flatnonzero(inside) + 1
        table = pd.DataFrame({"y": at[inside, 0], "x": at[inside, 1], "label": numbers})
        return None, table.assign(area=np.inf)
    if method == LABELS:
        labels = parted(_labels(mask, layers, window, step))
    else:
        from napari_impa.cells.segmenters import as_segmenter

        find = replace(segmenter or as_segmenter(method), minimum_area=0)  # so that it can be said how many are smaller
        labels = find(np.nan_to_num(pixels), nuclei_channel, layers.place.pixel_size)
    table = nucleus_centres(labels)
    return labels, table.assign(area=np.unique(labels[labels > 0], return_counts=True)[1])


def _labels(mask: Any, layers: ChannelLayers, window: Window, step: int | None) -> NDArray[Any]:
    if isinstance(mask, Plane):
        return mask.read(window, step, nearest=True)
    if mask.shape != layers.planes[0].shape:
        raise CellsError(
            f"The labels have {mask.shape} pixels and the channels {layers.planes[0].shape}; choose its own labels."
        )
    return np.asarray(mask)[window.slices]


def _reasons(
    seen: pd.DataFrame,
    layers: ChannelLayers,
    window: Window,
    size: int,
    region: Region | None,
    least: int,
    step: int | None,
) -> NDArray[np.object_]:
    """(n,) why each cell is left out, or an empty text."""
    centres = seen[["y", "x"]].to_numpy()
    in_image = centres + np.array([window.top, window.left])
    reasons = np.full(len(seen), "", object)
    reasons[~layers.holds_crops(in_image, size)] = PARTLY
    # A crop that reaches beyond the window reaches beyond the image: the window of a region is that much larger.
    reasons[~fits(centres, window.shape, size)] = BORDER
    reasons[seen["area"].to_numpy() < least] = SMALL
    if region is not None:
        reasons[~region.holds(in_image, step)] = OUTSIDE
    return reasons


def _assembled(
    parts: list[tuple[NDArray[Any], NDArray[Any] | None, pd.DataFrame]],
    layers: ChannelLayers,
    channels: Sequence[str],
    size: int,
    method: str,
    nuclei_channel: int,
    window: Window,
    segmenter: Segmenter | None,
) -> Found:
    candidates = pd.concat([seen for _, _, seen in parts], ignore_index=True)
    rows = np.flatnonzero(candidates["reason"] == "")
    why = candidates["reason"][candidates["reason"] != ""].value_counts()
    left_out = {str(reason): int(count) for reason, count in why.items()}
    if not len(rows):
        raise CellsError(_nothing(left_out, layers, method, nuclei_channel, size))
    taken = [seen[seen["reason"] == ""] for _, _, seen in parts]
    crops = [
        cut_at(pixels, seen[["y", "x"]].to_numpy(), size, border="skip")
        for (pixels, _, _), seen in zip(parts, taken, strict=True)
    ]
    table = pd.concat(taken, ignore_index=True)[["y", "x", "label", "step"]].assign(field=layers.names[0])
    if layers.steps is None:
        table = table.drop(columns="step")
    history = _history(layers, method, segmenter) | {"origin": [window.top, window.left]}
    cells = Cells(np.concatenate(crops), table, tuple(channels), layers.place.pixel_size, history=history)
    marks, start = [], 0
    for _, labels, seen in parts:
        marks.append(_marks(labels, seen, start, window.shape, size))
        start += len(seen)
    layers = replace(_shown_as_cells(layers, cells), place=layers.place.at(window))
    whole = [labels for _, labels, _ in parts if labels is not None]
    one = layers.steps is None
    return Found(
        cells,
        layers,
        parts[0][0] if one else np.stack([pixels for pixels, _, _ in parts]),
        None if not whole else whole[0] if one else np.stack(whole),
        left_out,
        method,
        candidates.drop(columns="area"),
        rows,
        marks[0] if one else np.stack(marks),
        tuple(thumbnail(pixels, layers.looks) for pixels, _, _ in parts),
    )


def _marks(
    labels: NDArray[Any] | None, seen: pd.DataFrame, start: int, shape: tuple[int, int], size: int
) -> NDArray[np.int32]:
    """(h, w) the number of each candidate, from `start` + 1; a disk where there is no nucleus."""
    marks = np.zeros(shape, np.int32)
    numbers = np.arange(start + 1, start + 1 + len(seen), dtype=np.int32)
    if labels is not None:
        names = seen["label"].to_numpy()
        there = labels > 0
        marks[there] = numbers[np.searchsorted(names, labels[there].astype(names.dtype))]
        return marks
    radius = max(3, size // 8)
    disk = np.hypot(*np.ogrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    for number, y, x in zip(numbers, seen["y"], seen["x"], strict=True):
        top, left = max(y - radius, 0), max(x - radius, 0)
        part = marks[top : y + radius + 1, left : x + radius + 1]
        inner = disk[top - (y - radius) :, left - (x - radius) :][: part.shape[0], : part.shape[1]]
        part[inner] = number
    return marks


def _nothing(left_out: Mapping[str, int], layers: ChannelLayers, method: str, nuclei_channel: int, size: int) -> str:
    if left_out:
        if set(left_out) == {BORDER}:
            return f"All {left_out[BORDER]} cells are nearer to the border than half a crop of {size} px."
        return "All cells are left out: " + ", ".join(f"{count} {reason}" for reason, count in left_out.items()) + "."
    source = {LABELS: "in the Labels layer", POINTS: "in the Points layer"}
    where = source.get(method, f"in {layers.names[nuclei_channel]!r}")
    return f"No cell was found {where}; choose another channel, a Labels or a Points layer."


def _crops(layers: ChannelLayers, channels: Sequence[str], size: int, task: str) -> Found:
    height, side = layers.planes[0].shape
    if height != side or side < size:
        raise ModelError(
            f"The model takes square crops of at least {size} px, and the layers have "
            f"{height}×{side} px; choose how cells are found in them."
        )
    rows = np.arange(layers.steps or 0)
    table = pd.DataFrame({"field": layers.names[0], "crop": rows})
    if layers.table is not None:
        table = layers.table.reset_index(drop=True)
    label, control = layers.label, layers.control
    if label and control is not None and task != "batch":
        rows = np.flatnonzero(condition_names(table, label, control) == shortest(control))
        if not len(rows):
            raise CellsError(f"None of these cells is a control ({control}); open a stack that has some.")
    else:
        layers = replace(layers, control=None)
    cells = Cells(
        layers.read_cells(rows, size),
        table.iloc[rows].reset_index(drop=True),
        tuple(channels),
        layers.place.pixel_size,
        label,
        control,
        history=_history(layers, CROPS),
    )
    return Found(cells, _shown_as_cells(layers, cells), None, None, {}, CROPS, task=task)


def _shown_as_cells(layers: ChannelLayers, cells: Cells) -> ChannelLayers:
    """Show channels in the colours that they have in all pictures, on the contrast of the cells."""
    looks = channel_looks(cells.channels, cells.pixels, [look.gamma for look in layers.looks])
    return replace(layers, looks=looks)


def _history(layers: ChannelLayers, method: str, segmenter: Segmenter | None = None) -> dict[str, Any]:
    tuned = {} if segmenter is None or not segmenter.changed else {"segmenter_settings": segmenter.changed}
    return {"layers": list(layers.names), "segmenter": method, **tuned}
