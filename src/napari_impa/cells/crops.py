"""Crops: cut square crops centred on nuclei out of a field, and paste (changed) crops back with soft seams.

The centre of a crop of side S is pixel (S // 2, S // 2) of the crop: an odd crop reaches equally far to all sides, an
even one reaches one pixel further up and to the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage as ndi

from napari_impa.errors import CellsError

Border = Literal["skip", "pad"]


@dataclass(frozen=True, eq=False)
class Cut:
    """What was cut from one field.

    Parameters
    ----------
    pixels
        (n, C, S, S) crops in the field's own type.
    table
        n rows: `y`, `x` (centre pixel in the field) and `label` (of the nucleus in the mask).
    left_out
        How many nuclei were left out because their crop would reach over the border.
    """

    pixels: NDArray[Any]
    table: pd.DataFrame
    left_out: int


def nucleus_centres(labels: NDArray[Any]) -> pd.DataFrame:
    """Return `y`, `x` (centroid rounded to a pixel, int) and `label` of every object of an (H, W) label image."""
    found = np.unique(labels)
    found = found[found > 0]
    if len(found) == 0:
        return pd.DataFrame({"y": np.empty(0, int), "x": np.empty(0, int), "label": np.empty(0, int)})
    centroids = np.asarray(ndi.center_of_mass(np.ones(labels.shape, np.uint8), labels, found))
    rounded = np.floor(centroids + 0.5).astype(int)
    return pd.DataFrame({"y": rounded[:, 0], "x": rounded[:, 1], "label": found.astype(int)})


def parted(labels: NDArray[Any]) -> NDArray[Any]:
    """Give objects that share one number, and lie apart, a number each: the same labels (H, W) where there are none.

    So it is where numbers above 255 began anew, where tiles were put together, or where someone painted on with the
    number before. Parts of which one has less than a quarter of the other's area, or that lie nearer than half a
    diameter, are of one nucleus.
    """
    labels = np.asarray(labels)
    if not labels.any():
        return labels
    numbers = np.maximum(labels, 0).astype(np.int64)
    if numbers.max() > numbers.size:  # as of tracks; the objects are found by small ones
        numbers = np.unique(np.append(0, numbers), return_inverse=True)[1][1:].reshape(labels.shape)
    areas, changed, free = np.bincount(numbers.ravel()), labels, int(labels.max()) + 1
    for number, place in enumerate(ndi.find_objects(numbers), 1):
        if place is None or max(one.stop - one.start for one in place) < 2 * _diameter(areas[number]):
            continue
        parts, count = ndi.label(numbers[place] == number, np.ones((3, 3)))
        if count < 2:
            continue
        sizes = np.bincount(parts.ravel())[1:]
        centres = np.asarray(ndi.center_of_mass(parts > 0, parts, np.arange(1, count + 1)))
        objects: dict[int, int] = {}  # the largest part of each, and its number; that of the first stays
        for part in np.argsort(-sizes, kind="stable"):
            far = [
                np.hypot(*(centres[part] - centres[one])) > 0.75 * (_diameter(sizes[part]) + _diameter(sizes[one]))
                for one in objects
            ]
            if all(far) and (not objects or sizes[part] > sizes.max() / 4):
                objects[part] = free if objects else 0
                free += bool(objects[part])
            elif not all(far):
                objects[part] = list(objects.values())[far.index(False)]
        for part, new in objects.items():
            if new and changed is labels:
                changed = labels.astype(np.int64)
            if new:
                changed[place][parts == part + 1] = new
    return changed


def _diameter(area: NDArray[Any] | int) -> Any:
    return 2 * np.sqrt(np.asarray(area) / np.pi)


def fits(centres: ArrayLike, shape: tuple[int, int], size: int) -> NDArray[np.bool_]:
    """(n,) whether the crop of side `size` around each centre lies wholly inside a field of (H, W) pixels."""
    start = _starts(centres, size)
    return np.asarray(np.all((start >= 0) & (start + size <= np.asarray(shape)), axis=1))


def cut(pixels: NDArray[Any], labels: NDArray[Any], size: int, *, border: Border = "skip") -> Cut:
    """Cut one crop around the centroid of every nucleus; those that share a number are `parted`.

    Parameters
    ----------
    pixels
        (C, H, W) field.
    labels
        (H, W) integers, 0 for background.
    size
        Crop side S in pixels.
    border
        What becomes of nuclei whose crop reaches over the border: `skip` leaves them out (and counts them), `pad`
        completes the crop by reflecting the field.

    Raises
    ------
    CellsError
        If mask and field differ in size, or no crop of this side fits into the field.
    """
    pixels, labels = np.asarray(pixels), np.asarray(labels)
    if pixels.ndim != 3 or labels.shape != pixels.shape[1:]:
        raise CellsError(
            f"A mask of {labels.shape} pixels does not fit a field of {pixels.shape[1:]}; give the field's own."
        )
    table = nucleus_centres(parted(labels))
    left_out = 0
    if border == "skip":
        _check_size(pixels, size)
        inside = fits(table[["y", "x"]].to_numpy(), labels.shape, size)
        left_out = int((~inside).sum())
        table = table[inside].reset_index(drop=True)
    return Cut(cut_at(pixels, table[["y", "x"]].to_numpy(), size, border=border), table, left_out)


def cut_at(pixels: NDArray[Any], centres: ArrayLike, size: int, *, border: Border = "pad") -> NDArray[Any]:
    """Cut (n, C, S, S) crops around (n, 2) centre pixels of a (C, H, W) field; a copy.

    Raises
    ------
    CellsError
        If a crop reaches over the border and `border` is `skip` (centres are given, so none can be left out), or a
        centre lies outside the field.
    """
    pixels = np.asarray(pixels)
    _check_size(pixels, 1 if border == "pad" else size, size)
    height, width = pixels.shape[1:]
    start = _starts(centres, size)
    centre = start + size // 2
    if np.any((centre < 0) | (centre >= (height, width))):
        raise CellsError("A crop's centre lies outside the field; these cells were cut from another image.")
    if border == "skip" and not np.all(fits(centres, (height, width), size)):
        raise CellsError(f"A crop of {size} px reaches over the border; leave such cells out or choose border 'pad'.")
    crops = np.empty((len(start), len(pixels), size, size), pixels.dtype)
    steps = np.arange(size)
    for crop, (y, x) in zip(crops, start, strict=True):
        if y >= 0 and x >= 0 and y + size <= height and x + size <= width:
            crop[...] = pixels[:, y : y + size, x : x + size]
        else:
            crop[...] = pixels[:, _reflected(y + steps, height)[:, None], _reflected(x + steps, width)[None]]
    return crops


def paste(
    pixels: NDArray[Any],
    crops: NDArray[Any],
    centres: ArrayLike,
    *,
    masks: NDArray[Any] | None = None,
    softness: float = 0.25,
) -> NDArray[Any]:
    """Paste crops back where they were cut.

    Each crop's weight is 1 in its middle and falls to nothing at its sides along a raised cosine; where crops overlap
    they blend as a mean weighted by it, and where the weights sum to less than 1 the field shows through by the rest.
    Crops that were not changed give back the field exactly.

    Parameters
    ----------
    pixels
        (C, H, W) field the crops come from; not modified.
    crops
        (n, C, S, S) of any real type.
    centres
        (n, 2) centre pixels in the field. What of a crop lies over the border is dropped.
    masks
        Optional (n, S, S) weights in 0…1, e.g. the cell alone, that the window is multiplied by.
    softness
        Share of the side over which a crop fades at each of its sides, 0 (hard) to 0.5.

    Returns
    -------
    (C, H, W) of the field's type; rounded and clipped for integers, untouched outside every crop.

    Raises
    ------
    CellsError
        If crops, centres, masks and field do not fit each other.
    """
    pixels, crops = np.asarray(pixels), np.asarray(crops)
    centres = np.asarray(centres).reshape(-1, 2)
    if crops.ndim != 4 or crops.shape[1] != pixels.shape[0] or len(crops) != len(centres):
        raise CellsError(
            f"Crops of shape {crops.shape} with {len(centres)} centres do not fit a field of {pixels.shape}."
        )
    size = crops.shape[-1]
    if masks is not None and masks.shape != (len(crops), size, size):
        raise CellsError(f"Masks of shape {masks.shape} do not fit {len(crops)} crops of {size} px.")
    window = soft_window(size, softness)
    height, width = pixels.shape[1:]
    # What is added up is the change, so that crops that did not change leave no trace of rounding.
    change = np.zeros(pixels.shape, np.float64)
    total = np.zeros((height, width), np.float64)
    for index, (y, x) in enumerate(_starts(centres, size)):
        y0, y1, x0, x1 = max(y, 0), min(y + size, height), max(x, 0), min(x + size, width)
        if y0 >= y1 or x0 >= x1:
            continue
        field, crop = np.s_[y0:y1, x0:x1], np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
        weight = window[crop] if masks is None else window[crop] * masks[index][crop]
        total[field] += weight
        change[(slice(None), *field)] += weight * (
            crops[index][(slice(None), *crop)] - pixels[(slice(None), *field)].astype(np.float64)
        )
    change /= np.maximum(total, 1.0)
    if not np.issubdtype(pixels.dtype, np.integer):
        return np.where(change == 0, pixels, pixels + change).astype(pixels.dtype)
    limits = np.iinfo(pixels.dtype)
    return np.clip(np.rint(pixels + change), limits.min, limits.max).astype(pixels.dtype)


def without_old_bodies(
    pixels: NDArray[Any], crops: NDArray[Any], centres: ArrayLike, cells: NDArray[Any], numbers: ArrayLike
) -> NDArray[Any]:
    """Let what of changed cells lies outside their crops, or at their soft seams, fade as it does at the crops' sides.

    A cell larger than its crop would leave its old body around the new one. Where a crop became darker at its sides,
    what lies beyond them and belongs to the same cell is darkened by as much, less and less up to half a crop further
    out. Nothing is brightened, and cells that did not change stay as they are.

    Parameters
    ----------
    pixels
        (C, H, W) field; not modified.
    crops, centres
        As `paste` takes them, which then pastes the crops into what is returned.
    cells
        (H, W) where each cell is, or its nucleus, by its number; 0 elsewhere. A pixel belongs to the nearest cell.
    numbers
        (n,) of the crops' cells in it. Others, which were left out, keep their bodies.

    Returns
    -------
    (C, H, W) of the field's type.
    """
    pixels, crops = np.asarray(pixels), np.asarray(crops)
    if not len(crops) or not np.any(cells):
        return pixels
    clean = np.nan_to_num(pixels)
    nearest = ndi.distance_transform_edt(cells == 0, return_distances=False, return_indices=True)
    owner = np.asarray(cells)[tuple(nearest)]
    size, (height, width) = crops.shape[-1], pixels.shape[1:]
    out, inset = size // 2, max(1, size // 8)
    ground = np.quantile(clean[:, ::4, ::4].reshape(len(pixels), -1), 0.05, axis=1)[:, None, None]
    fade = soft_window(size + 2 * out, out / (size + 2 * out))
    faded = pixels.astype(np.float64)
    for crop, number, (y, x) in zip(crops, np.asarray(numbers), _starts(centres, size), strict=True):
        y0, y1, x0, x1 = max(y - out, 0), min(y + size + out, height), max(x - out, 0), min(x + size + out, width)
        mine = owner[y0:y1, x0:x1] == number
        if not mine.any():
            continue
        before = clean[:, _clamped(y, size, height)[:, None], _clamped(x, size, width)[None]].astype(np.float64)
        kept = _share_kept(before - ground, crop - ground, size / 24)
        kept = np.pad(kept[:, inset : size - inset, inset : size - inset], ((0, 0), *((out + inset,) * 2,) * 2), "edge")
        part = np.s_[y0 - y + out : y1 - y + out, x0 - x + out : x1 - x + out]
        lost = (1 - kept[:, *part]) * fade[part] * mine
        field = faded[:, y0:y1, x0:x1]
        field -= lost * np.maximum(field - ground, 0)
    if not np.issubdtype(pixels.dtype, np.integer):
        return np.where(faded == pixels, pixels, faded).astype(pixels.dtype)
    return np.rint(faded).astype(pixels.dtype)


def _share_kept(before: NDArray[Any], after: NDArray[Any], sigma: float) -> NDArray[np.float64]:
    """(C, S, S) how much of its light above the ground each part keeps, 0 to 1; 1 where there was none."""
    smooth = [ndi.gaussian_filter(np.maximum(one, 0), (0, sigma, sigma)) for one in (before, after)]
    least = 0.02 * smooth[0].max(axis=(1, 2), keepdims=True) + 1e-12
    kept = np.where(smooth[0] > least, smooth[1] / np.maximum(smooth[0], least), 1.0)
    return np.asarray(np.clip(kept, 0, 1))


def _clamped(start: int, size: int, length: int) -> NDArray[np.intp]:
    return np.clip(np.arange(start, start + size), 0, length - 1)


def soft_window(size: int, softness: float = 0.25) -> NDArray[np.float64]:
    """(S, S) weights: 1 in the middle, falling to the sides along a raised cosine over `softness` of the side."""
    if not 0 <= softness <= 0.5:
        raise CellsError(f"Softness is a share of the crop's side from 0 to 0.5, not {softness}.")
    ramp = softness * size
    from_side = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    line = np.ones(size) if ramp == 0 else 0.5 - 0.5 * np.cos(np.pi * np.minimum(from_side, ramp) / ramp)
    return line[:, None] * line[None]


def _starts(centres: ArrayLike, size: int) -> NDArray[np.intp]:
    points = np.asarray(centres).reshape(-1, 2)
    return np.floor(points + 0.5).astype(np.intp) - size // 2


def _reflected(index: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Fold positions beyond the ends back in, not repeating the end pixel (as numpy's mode `reflect`)."""
    if length == 1:
        return np.zeros_like(index)
    period = 2 * (length - 1)
    folded = np.mod(index, period)
    return np.where(folded < length, folded, period - folded)


def _check_size(pixels: NDArray[Any], needed: int, size: int | None = None) -> None:
    size = needed if size is None else size
    if size < 1:
        raise CellsError(f"A crop's side is a number of pixels, at least 1, not {size}.")
    if min(pixels.shape[1:]) < needed:
        raise CellsError(
            f"A crop of {size} px does not fit into a field of {pixels.shape[1]}×{pixels.shape[2]} px; "
            "choose a smaller side."
        )
