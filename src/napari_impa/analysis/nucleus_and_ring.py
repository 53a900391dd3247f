"""A cell's nucleus and the ring around it: their masks, and the ratio of a stain's intensity in one to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from napari_impa.analysis.ratio import ratio_or_nan
from napari_impa.errors import CellsError


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
    nuclei = np.asarray(nuclei, np.float32)
    out = np.zeros(nuclei.shape, bool)
    centre = nuclei.shape[-1] // 2
    for mask, crop in zip(out, nuclei, strict=True):
        smooth = ndi.gaussian_filter(np.nan_to_num(crop), 1)
        if smooth.min() == smooth.max():
            continue
        bright = ndi.binary_fill_holes(smooth > threshold_otsu(smooth))  # type: ignore[no-untyped-call]
        depth = ndi.gaussian_filter(ndi.distance_transform_edt(bright), 1)
        peaks = (depth == ndi.maximum_filter(depth, size=7)) & bright
        seeds = ndi.label(peaks, np.ones((3, 3)))[0]
        parts = watershed(-depth, seeds, mask=bright)  # type: ignore[no-untyped-call]
        away, (rows, columns) = ndi.distance_transform_edt(parts == 0, return_indices=True)
        if away[centre, centre] <= nuclei.shape[-1] / 4:
            mask[:] = parts == parts[rows[centre, centre], columns[centre, centre]]
    return out


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
