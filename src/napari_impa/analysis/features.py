"""Numbers that describe a cell: fixed deep features for distances and classifiers, and the nuclear to ring ratio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed
from torch import Tensor
from torch.nn import functional as F

from napari_impa.errors import CellsError

SEED = 1
"""Seed of the random weights; part of the definition of the features."""

BANDS = 3  # octaves of detail; what is coarser is left in the low-pass image
FIRST, OWN, CROSS = 6, 3, 6  # maps: first layer a channel, second layer a channel, second layer across channels
FLOOR = 0.005  # of the channel's range: fainter responses hardly count
BATCH = 64


# ---- fixed deep features ----------------------------------------------------------------------------------------


def deep_features(
    pixels: NDArray[Any], limits: NDArray[np.float64], *, check: Callable[[], object] = lambda: None
) -> NDArray[np.float64]:
    """Describe cells by a small convolutional network with fixed random weights.

    Networks that were never trained serve to compare image distributions, and where images are unlike photographs they
    do so more faithfully than ImageNet networks (Naeem et al., ICML 2020); nothing has to be downloaded. Each channel,
    clipped to its limits and scaled to 0…1, is parted into three octaves of detail and a low-pass image (Laplacian
    pyramid; Burt & Adelson 1983). On each, 5×5 filters a channel and a ReLU are followed by 3×3 filters, some within a
    channel, some across channels, whose modulus is pooled to mean and standard deviation over the crop. Their
    logarithm is the feature, as in scattering networks (Bruna & Mallat 2013), so that halving faint detail counts as
    much as halving the stain; responses below 0.5 % of a channel's range hardly count.

    The weights come from the raw PCG64 stream, the same on every platform and in every version of NumPy and torch.

    Parameters
    ----------
    pixels
        (N, C, S, S) in the camera's units; NaN counts as the lower limit.
    limits
        (C, 2) lower and upper intensity of each channel.
    check
        Called before every few cells; what it raises ends the work.

    Returns
    -------
    (N, D) with D = 8 · (3 C + 6): 120 for three channels.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    """
    pixels, limits = np.asarray(pixels), np.asarray(limits, np.float64)
    if pixels.ndim != 4:
        raise CellsError(f"Features need pixels of shape (cells, channels, side, side), not {pixels.shape}.")
    channels = pixels.shape[1]
    if limits.shape != (channels, 2) or not (limits[:, 1] > limits[:, 0]).all():
        raise CellsError(f"Features need a lower and a higher limit for each of the {channels} channels.")
    weights = [_weights(level, channels) for level in range(BANDS + 1)]
    lower, span = limits[:, 0, None, None], limits[:, 1, None, None] - limits[:, 0, None, None]
    out = np.empty((len(pixels), 2 * (BANDS + 1) * (OWN * channels + CROSS)))
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH):
            check()
            block = (pixels[start : start + BATCH] - lower) / span
            block = np.clip(np.nan_to_num(block, copy=False, nan=0.0), 0, 1).astype(np.float32)
            out[start : start + BATCH] = _describe(torch.from_numpy(block), weights).numpy()
    return out


def _describe(images: Tensor, weights: list[tuple[Tensor, Tensor]]) -> Tensor:
    """(n, C, S, S) → (n, D)."""
    channels, pooled = images.shape[1], []
    for level, (first, second) in enumerate(weights):
        smooth = _smoothed(images)
        hidden = F.conv2d(images - smooth if level < BANDS else images, first, padding=2, groups=channels).relu_()
        maps = F.conv2d(hidden, second, padding=1).abs_().flatten(2)
        pooled += [maps.mean(2), maps.std(2, correction=0)]
        images = smooth[:, :, ::2, ::2]
    return torch.log(torch.cat(pooled, 1) + FLOOR)


def _smoothed(images: Tensor) -> Tensor:
    """Binomial 5×5 low-pass, edges repeated."""
    channels = images.shape[1]
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    rows, columns = kernel.view(1, 1, 5, 1).repeat(channels, 1, 1, 1), kernel.view(1, 1, 1, 5).repeat(channels, 1, 1, 1)
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    return F.conv2d(F.conv2d(padded, rows, groups=channels), columns, groups=channels)


def _weights(level: int, channels: int) -> tuple[Tensor, Tensor]:
    """Filters of a level: (6 C, 1, 5, 5), and (3 C + 6, 6 C, 3, 3), the first 3 C of them within a channel."""
    first = np.concatenate([_filters(level, 0, c, FIRST, 1, 5) for c in range(channels)])
    second = np.zeros((OWN * channels + CROSS, FIRST * channels, 3, 3))
    for c in range(channels):
        maps = slice(FIRST * c, FIRST * (c + 1))
        second[OWN * c : OWN * (c + 1), maps] = _filters(level, 1, c, OWN, FIRST, 3)
        second[OWN * channels :, maps] = _filters(level, 2, c, CROSS, FIRST, 3) / np.sqrt(channels)
    return torch.from_numpy(first.astype(np.float32)), torch.from_numpy(second.astype(np.float32))


def _filters(level: int, layer: int, channel: int, count: int, depth: int, side: int) -> NDArray[np.float64]:
    """(count, depth, side, side) uniform random filters of unit norm."""
    # Raw output of a bit generator is the one stream that NumPy promises never to change (NEP 19).
    raw = np.random.PCG64([SEED, level, layer, channel]).random_raw(count * depth * side * side)
    values = ((raw >> np.uint64(11)) * 2.0**-52 - 1).reshape(count, depth, side, side)
    return values / np.sqrt((values**2).sum(axis=(1, 2, 3), keepdims=True))


# ---- nucleus and ring -------------------------------------------------------------------------------------------


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
        bright = ndi.binary_fill_holes(smooth > threshold_otsu(smooth))
        depth = ndi.gaussian_filter(ndi.distance_transform_edt(bright), 1)
        peaks = (depth == ndi.maximum_filter(depth, size=7)) & bright
        parts = watershed(-depth, ndi.label(peaks, np.ones((3, 3)))[0], mask=bright)
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
    return np.divide(inside, around, out=np.full(len(inside), np.nan), where=around > 0)


def _means(channel: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) mean of the finite pixels under each mask; NaN where there are none."""
    mask = mask & np.isfinite(channel)
    count = mask.sum((1, 2))
    total = np.where(mask, channel, 0).sum((1, 2), dtype=float)
    return np.divide(total, count, out=np.full(len(channel), np.nan), where=count > 0)
