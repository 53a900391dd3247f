"""A cell's nucleus and the ring around it: their masks, and the ratio of a stain's intensity in one to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from napari_impa.analysis.ratio import ratio_or_nan
from napari_impa.errors import CellsError

FLAT = np.zeros((3, 3, 3), bool)
FLAT[1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
"""What touches within a crop of a stack, and never from crop to crop: pixels that share a side."""

CORNERS = np.zeros((3, 3, 3), bool)
CORNERS[1] = True
"""The same, with pixels that share a corner."""

BINS = 256


def central_nucleus_mask(nuclei: NDArray[Any]) -> NDArray[np.bool_]:
    """Find the nucleus at the centre of each crop of a nuclear stain.

    Otsu's threshold of the smoothed crop; touching nuclei are parted by a watershed on the distance from the
    background; the part under the centre is the nucleus, or the nearest one within a quarter of the crop.

    Parameters
    ----------
    nuclei
        (n, S, S) crops of the nuclear channel.

    Returns
    -------
    (n, S, S), all False where there is no nucleus near the centre.
    """
    return central_nucleus_and_others(nuclei)[0]


def central_nucleus_and_others(nuclei: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks (n, S, S) of the nucleus at the centre of each crop, as above, and of whatever other nuclei it holds."""
    nuclei = np.nan_to_num(np.asarray(nuclei, np.float32))
    if not nuclei.size:
        return np.zeros(nuclei.shape, bool), np.zeros(nuclei.shape, bool)
    smooth = ndi.gaussian_filter(nuclei, (0, 1, 1))
    bright = _without_holes(smooth > _otsu(smooth)[:, None, None])
    depth = ndi.gaussian_filter(np.stack([ndi.distance_transform_edt(mask) for mask in bright]), (0, 1, 1))
    peaks = (depth == ndi.maximum_filter(depth, size=(1, 7, 7))) & bright
    seeds, parts = ndi.label(peaks, CORNERS)[0], ndi.label(bright, FLAT)[0]
    seeds_of = np.bincount(np.unique(np.stack([parts[peaks], seeds[peaks]]), axis=1)[0], minlength=parts.max() + 1)

    centre, crop = nuclei.shape[-1] // 2, np.arange(len(nuclei))
    rows, columns = np.indices(nuclei.shape[1:]) - centre
    away = rows**2 + columns**2
    from_centre = np.where(bright, away, away.max() + 1).reshape(len(nuclei), -1)
    nearest = from_centre.argmin(1)
    found = from_centre[crop, nearest] <= (nuclei.shape[-1] / 4) ** 2
    own = np.where(found, parts.reshape(len(nuclei), -1)[crop, nearest], -1)
    out = parts == own[:, None, None]
    # Only what holds several nuclei has to be parted: a watershed takes longer than all the rest.
    for number in np.flatnonzero(found & (seeds_of[own] > 1)):
        part = out[number]
        several = watershed(-depth[number], np.where(part, seeds[number], 0), mask=part)  # type: ignore[no-untyped-call]
        out[number] = several == several.ravel()[np.where(part, away, away.max() + 1).argmin()]
    return out, bright & ~out


def _otsu(crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) Otsu's threshold of each crop, as scikit-image finds it; its brightest value where it is constant."""
    flat = crops.reshape(len(crops), -1).astype(np.float64)
    low, high = flat.min(1), flat.max(1)
    span = np.where(high > low, high - low, 1.0)
    bins = np.minimum(((flat - low[:, None]) * (BINS / span)[:, None]).astype(np.intp), BINS - 1)
    bins += BINS * np.arange(len(crops))[:, None]
    counts = np.bincount(bins.ravel(), minlength=BINS * len(crops)).reshape(len(crops), BINS).astype(np.float64)
    centres = low[:, None] + span[:, None] * (np.arange(BINS) + 0.5) / BINS
    below, above = counts.cumsum(1), counts[:, ::-1].cumsum(1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_below = (counts * centres).cumsum(1) / below
        mean_above = (counts * centres)[:, ::-1].cumsum(1)[:, ::-1] / above
        between = below[:, :-1] * above[:, 1:] * (mean_below[:, :-1] - mean_above[:, 1:]) ** 2
    found = centres[np.arange(len(crops)), np.nan_to_num(between).argmax(1)]
    return np.asarray(np.where(high > low, found, high), np.float32)


def _without_holes(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Masks (n, S, S) with all that they enclose."""
    grounds, count = ndi.label(~masks, FLAT)
    open_ground = np.zeros(count + 1, bool)
    for edge in (grounds[:, 0], grounds[:, -1], grounds[:, :, 0], grounds[:, :, -1]):
        open_ground[edge] = True
    open_ground[0] = False
    return np.asarray(~open_ground[grounds])


def nuclear_to_ring_ratio(
    channel: NDArray[Any],
    nuclei: NDArray[Any],
    *,
    ring_width: int = 6,
    gap: int = 2,
    background: float = 0.0,
) -> NDArray[np.float64]:
    """Mean intensity in the nucleus over that in a ring around it.

    Parameters
    ----------
    channel
        (n, S, S) crops of the channel to measure.
    nuclei
        (n, S, S) masks of each crop's own nucleus, or labels, of which the one nearest to the centre is taken and the
        others are left out of the ring.
    ring_width, gap
        Pixels: width of the ring, and of what is left out between nucleus and ring.
    background
        Intensity where there is no cell, subtracted from both means. It is for you to give (say, a low quantile of
        the whole field): a crop out of a crowded field may hold no empty ground to take it from.

    Returns
    -------
    (n,), NaN where there is no nucleus, no room for a ring, or no signal in the ring.

    Raises
    ------
    CellsError
        If crops and masks differ in shape.
    """
    channel, nuclei = np.asarray(channel), np.asarray(nuclei)
    if channel.shape != nuclei.shape or channel.ndim != 3:
        raise CellsError(f"Crops of shape {channel.shape} need masks of the same shape, not {nuclei.shape}.")
    nuclei, rings = nuclei_and_rings(nuclei, ring_width=ring_width, gap=gap)
    return ratio_of_means(channel, nuclei, rings, background=background)


def nuclei_and_rings(
    nuclei: NDArray[Any], *, ring_width: int = 6, gap: int = 2
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks (n, S, S) of each crop's own nucleus and of the ring around it, as `nuclear_to_ring_ratio` takes them."""
    nuclei = np.asarray(nuclei)
    own, rings = np.zeros(nuclei.shape, bool), np.zeros(nuclei.shape, bool)
    for number, labels in enumerate(nuclei):
        if not labels.any():
            continue
        centre = labels.shape[0] // 2
        nearest = ndi.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
        own[number] = labels == labels[tuple(nearest[:, centre, centre])]
        away = ndi.distance_transform_edt(~own[number])
        rings[number] = (away > gap) & (away <= gap + ring_width) & (labels == 0)
    return own, rings


def ratio_of_means(
    channel: NDArray[Any], nuclei: NDArray[np.bool_], rings: NDArray[np.bool_], *, background: float = 0.0
) -> NDArray[np.float64]:
    """(n,) mean of crops (n, S, S) in one mask over that in another, both less the background; NaN as above."""
    inside, around = (_means(channel, mask) - background for mask in (nuclei, rings))
    return ratio_or_nan(inside, around)


def _means(channel: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) mean of the finite pixels under each mask; NaN where there are none."""
    mask = mask & np.isfinite(channel)
    count = mask.sum((1, 2))
    total = np.where(mask, channel, 0).sum((1, 2), dtype=float)
    return ratio_or_nan(total, count)
