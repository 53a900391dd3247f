"""Quick features: a small convolutional network with fixed random weights; nothing is fetched, nothing was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.space import FeatureSpace, checked_crops
from napari_impa.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from torch import Tensor

SEED = 1
"""Seed of the random weights; part of the definition of the features."""

BANDS = 3  # octaves of detail; what is coarser is left in the low-pass image
FIRST, OWN, CROSS = 6, 3, 6  # maps: first layer a channel, second layer a channel, second layer across channels
FLOOR = 0.005  # of the channel's range: fainter responses hardly count
BATCH = 64


def deep_features(
    pixels: NDArray[Any], limits: NDArray[np.float64], /, *, nuclei: int = 0, watch: Watch = UNWATCHED
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
    nuclei
        Of no account: all channels are described alike.
    watch
        Asked before every few cells whether to go on.

    Returns
    -------
    (N, D) with D = 8 · (3 C + 6): 120 for three channels.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    """
    import torch

    pixels, limits = checked_crops(pixels, limits)
    channels = pixels.shape[1]
    weights = [_weights(level, channels) for level in range(BANDS + 1)]
    lower, span = limits[:, 0, None, None], limits[:, 1, None, None] - limits[:, 0, None, None]
    out = np.empty((len(pixels), 2 * (BANDS + 1) * (OWN * channels + CROSS)))
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH):
            watch.check()
            block = (pixels[start : start + BATCH] - lower) / span
            block = np.clip(np.nan_to_num(block, copy=False, nan=0.0), 0, 1).astype(np.float32)
            out[start : start + BATCH] = _describe(torch.from_numpy(block), weights).numpy()
    return out


def _describe(images: Tensor, weights: list[tuple[Tensor, Tensor]]) -> Tensor:
    """(n, C, S, S) → (n, D)."""
    import torch
    from torch.nn import functional as F

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
    import torch
    from torch.nn import functional as F

    channels = images.shape[1]
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    rows, columns = kernel.view(1, 1, 5, 1).repeat(channels, 1, 1, 1), kernel.view(1, 1, 1, 5).repeat(channels, 1, 1, 1)
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate")
    return F.conv2d(F.conv2d(padded, rows, groups=channels), columns, groups=channels)


def _weights(level: int, channels: int) -> tuple[Tensor, Tensor]:
    """Filters of a level: (6 C, 1, 5, 5), and (3 C + 6, 6 C, 3, 3), the first 3 C of them within a channel."""
    import torch

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
    return np.asarray(values / np.sqrt((values**2).sum(axis=(1, 2, 3), keepdims=True)))


QUICK = FeatureSpace("quick", "quick features: a network of random weights", deep_features)
