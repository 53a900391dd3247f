"""Nuclei: the built-in segmenter, bright blobs on a dark ground by smoothing, thresholds and a watershed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.filters import threshold_otsu
from skimage.measure import label as connected
from skimage.measure import regionprops
from skimage.morphology import convex_hull_image, h_maxima
from skimage.segmentation import watershed

from napari_impa.errors import CellsError

_NUCLEUS_UM = (4.0, 40.0)  # diameters that a nucleus can have
_NUCLEUS_PX = (5.0, 200.0)


def segment_nuclei(
    image: NDArray[Any],
    *,
    pixel_size: float | None = None,
    diameter: float | None = None,
    threshold: float = 1.0,
) -> NDArray[np.int32]:
    """Find bright nuclei on a dark ground.

    The scale is measured in the image (or given as `diameter`) and the image smoothed at it. Where the background is
    uneven, it is subtracted, which makes the threshold a local one. Otsu's threshold on the logarithm finds dim nuclei
    beside bright ones; then every place is cut at about half the height of the brightest one around it. Holes are
    filled, touching nuclei parted by a watershed on depth and intensity and joined again where they form one convex
    even patch. What is far smaller or larger than the median nucleus, or hardly above the noise, is dropped.

    Parameters
    ----------
    image
        (H, W) of any real type; values that are not finite count as background.
    pixel_size
        µm; keeps the scale within 4 to 40 µm.
    diameter
        Of a typical nucleus in pixels; measured where None.
    threshold
        Times the threshold that is measured; more takes fewer nuclei.

    Returns
    -------
    (H, W) labels 1…n, 0 for background; all 0 where there is nothing to find.

    Raises
    ------
    CellsError
        If the image is not two-dimensional or the diameter not positive.
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise CellsError(f"Nuclei are found in one channel (rows, columns), not in an image of shape {image.shape}.")
    if diameter is not None and not diameter > 0:
        raise CellsError(f"A nucleus has a diameter above 0 px, not {diameter}.")
    nothing = np.zeros(image.shape, np.int32)
    finite = np.isfinite(image)
    if not finite.any() or min(image.shape) < 3:
        return nothing
    values = np.where(finite, image, np.min(image[finite])).astype(np.float32)
    if values.max() <= values.min():
        return nothing
    values = np.minimum(values, np.quantile(values, 0.9999))
    values = _without_slope(values)
    noise = _noise(values)
    if diameter is None:
        diameter = _typical_diameter(values, noise, pixel_size)
        if diameter is None:
            return nothing
    smooth = ndi.gaussian_filter(values, diameter / 24)
    flat = _without_background(smooth, diameter)
    if flat.max() <= 0:
        return nothing
    mask = flat > threshold * _threshold(flat, noise)
    mask = _at_half_height(flat, mask, diameter) & finite
    mask = ndi.binary_opening(ndi.binary_fill_holes(mask), _disk(max(1, round(diameter / 14))))
    labels = _parted(flat, mask, diameter)
    return _plausible(labels, flat, noise, diameter)


def _noise(image: NDArray[np.float32]) -> float:
    """Standard deviation of pixel noise, from second differences, which structure hardly touches (Immerkær 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(ndi.convolve(image, kernel))) / 0.6745 / 6)


def _threshold(flat: NDArray[np.float32], noise: float) -> float:
    """Otsu's threshold on the logarithm of height over a floor, so that bright nuclei do not hide dim ones."""
    high = float(np.quantile(flat, 0.995))
    floor = max(0.02 * high, noise, 1e-12)
    scaled = np.log(np.maximum(flat, 0) + floor)
    if scaled.max() <= scaled.min():
        return float("inf")
    otsu = float(threshold_otsu(scaled))  # type: ignore[no-untyped-call]
    return max(float(np.exp(otsu) - floor), 0.05 * high)


def _typical_diameter(image: NDArray[np.float32], noise: float, pixel_size: float | None) -> float | None:
    """Diameter of a circle as large as a typical nucleus of a first rough mask; None where it holds nothing.

    Depth within the mask says how wide nuclei are even where they touch; those that stand alone (convex patches, if
    there are a few) say how large they are even where they are long.
    """
    smooth = ndi.gaussian_filter(image, 1.0)
    flat = smooth - np.quantile(smooth, 0.05)
    if flat.max() <= 0:
        return None
    otsu = threshold_otsu(flat)  # type: ignore[no-untyped-call]
    mask = ndi.binary_fill_holes(ndi.binary_opening(flat > max(otsu, 3 * noise)))
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(mask).astype(np.float32), 1.0)
    depths = np.sort(depth[(depth == ndi.maximum_filter(depth, 9)) & (depth > 1.5)])
    if len(depths) == 0:
        return None
    # Specks are many and small: every peak counts by the area it stands for.
    share = np.cumsum(depths**2)
    typical = 2.3 * float(depths[np.searchsorted(share, share[-1] / 2)])
    circle = np.pi / 4 * typical**2
    found = regionprops(connected(mask))  # type: ignore[no-untyped-call]
    patches = (patch for patch in found if 0.3 * circle < patch.area < 5 * circle)
    alone = [patch.area for patch in patches if patch.solidity > 0.92]
    if len(alone) >= 5:
        typical = float(np.clip(2 * np.sqrt(np.median(alone) / np.pi), typical, 2 * typical))
    low, high = _NUCLEUS_PX if pixel_size is None else (um / pixel_size for um in _NUCLEUS_UM)
    return float(np.clip(typical, max(low, _NUCLEUS_PX[0]), max(high, _NUCLEUS_PX[0])))


def _without_slope(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract a slope or bowl of the background, where there is one worth it.

    A quadratic surface is fitted to the lower edge of the values (their 5 % expectile, Newey & Powell 1987).
    """
    step = max(1, min(values.shape) // 64)
    small = ndi.gaussian_filter(values, step / 2)[::step, ::step].astype(np.float64)
    y, x = np.meshgrid(np.linspace(-1, 1, small.shape[0]), np.linspace(-1, 1, small.shape[1]), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    target, surface = small.ravel(), np.full(small.size, np.median(small))
    for _ in range(12):
        weight = np.where(target > surface, 0.05, 0.95)
        fit = np.linalg.solve((terms * weight[:, None]).T @ terms + 1e-9 * np.eye(6), terms.T @ (weight * target))
        surface = terms @ fit
    height = float(np.quantile(values, 0.995) - np.quantile(values, 0.05))
    if np.ptp(surface) < 0.1 * height:
        return values
    y, x = np.linspace(-1, 1, values.shape[0])[:, None], np.linspace(-1, 1, values.shape[1])[None]
    surface = fit[0] + fit[1] * x + fit[2] * y + fit[3] * x * x + fit[4] * x * y + fit[5] * y * y
    return np.asarray(values - surface, np.float32)


def _without_background(smooth: NDArray[np.float32], diameter: float) -> NDArray[np.float32]:
    """Subtract the background that is left: one level where it is even, a smooth surface where it is not."""
    level = float(np.quantile(smooth, 0.2))
    step = max(1, int(diameter // 4))
    reach = max(3, round(3 * diameter / step)) | 1
    surface = ndi.percentile_filter(smooth[::step, ::step], 12, size=reach, mode="nearest")
    surface = ndi.gaussian_filter(surface, reach / 2)
    height = float(np.quantile(smooth, 0.995)) - level
    low, high = np.quantile(surface, [0.05, 0.95])
    if high - low < 0.08 * height:
        return smooth - level
    grid = np.meshgrid(np.arange(smooth.shape[0]) / step, np.arange(smooth.shape[1]) / step, indexing="ij")
    return np.asarray(smooth - ndi.map_coordinates(surface, grid, order=1, mode="nearest").astype(np.float32))


def _at_half_height(flat: NDArray[np.float32], mask: NDArray[np.bool_], diameter: float) -> NDArray[np.bool_]:
    """Keep what reaches half the height of the brightest part around it, so that glow around a bright nucleus goes."""
    reach = max(3, round(0.6 * diameter)) | 1
    top = ndi.maximum_filter(ndi.gaussian_filter(np.where(mask, flat, 0), diameter / 10), footprint=_disk(reach // 2))
    return np.asarray(mask & (flat > 0.45 * top))


def _parted(flat: NDArray[np.float32], mask: NDArray[np.bool_], diameter: float) -> NDArray[np.int32]:
    """Part touching nuclei by a watershed on depth within the mask and on how blob-like the image is at their scale."""
    depth = ndi.gaussian_filter(ndi.distance_transform_edt(mask).astype(np.float32), diameter / 16)
    blobs = np.maximum(-ndi.gaussian_laplace(flat, diameter / 3.5), 0)
    around = ndi.gaussian_filter(ndi.maximum_filter(blobs, int(diameter) | 1), diameter / 2)
    relief = depth / (diameter / 2) + blobs / np.maximum(around, 1e-6 * max(float(blobs.max()), 1e-30))
    relief = np.where(mask, relief, 0)
    tops = h_maxima(relief, 0.07)  # type: ignore[no-untyped-call]
    seeds, _ = ndi.label(tops > 0, np.ones((3, 3)))
    labels: NDArray[np.int32] = watershed(-relief, seeds, mask=mask).astype(np.int32)  # type: ignore[no-untyped-call]
    for _ in range(4):
        joined = _joined(labels, flat)
        if joined is labels:
            break
        labels = joined
    return labels


def _joined(labels: NDArray[np.int32], flat: NDArray[np.float32]) -> NDArray[np.int32]:
    """Join neighbours that together are convex with no darker line between them; the same array if there are none."""
    count = int(labels.max())
    sides = [(np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:])]
    touching = []
    for one, other in sides:
        a, b, low = labels[one], labels[other], np.minimum(flat[one], flat[other])
        border = (a != b) & (a > 0) & (b > 0)
        touching.append(np.stack([np.minimum(a, b)[border], np.maximum(a, b)[border], low[border]]))
    first, second, low = np.concatenate(touching, axis=1).astype(np.float64)
    if len(first) == 0:
        return labels
    pairs, at = np.unique(np.stack([first, second], axis=1).astype(np.intp), axis=0, return_inverse=True)
    ridge = np.bincount(at.ravel(), low) / np.bincount(at.ravel())
    boxes = ndi.find_objects(labels)
    size = np.bincount(labels.ravel(), minlength=count + 1)
    mean = np.bincount(labels.ravel(), flat.ravel(), minlength=count + 1) / np.maximum(size, 1)
    candidates = []
    for (a, b), line in zip(pairs.tolist(), ridge, strict=True):
        if line < 0.93 * min(mean[a], mean[b]):
            continue
        box = tuple(
            slice(min(s.start, t.start), max(s.stop, t.stop)) for s, t in zip(boxes[a - 1], boxes[b - 1], strict=True)
        )
        both = np.isin(labels[box], (a, b))
        solidity = both.sum() / convex_hull_image(both).sum()  # type: ignore[no-untyped-call]
        if solidity > 0.9:
            candidates.append((solidity, a, b))
    new = np.arange(count + 1, dtype=np.int32)
    taken: set[int] = set()
    for _, a, b in sorted(candidates, reverse=True):
        if not taken & {a, b}:
            taken |= {a, b}
            new[b] = a
    return new[labels] if taken else labels


def _plausible(
    labels: NDArray[np.int32], flat: NDArray[np.float32], noise: float, diameter: float
) -> NDArray[np.int32]:
    """Drop objects by size and contrast, fill holes, number the rest from 1."""
    count = int(labels.max())
    if count == 0:
        return labels
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    height = np.bincount(labels.ravel(), flat.ravel(), minlength=count + 1)[1:] / np.maximum(area, 1)
    expected = np.pi / 4 * diameter**2
    good = (area > 0.12 * expected) & (area < 8 * expected) & (height > 4 * noise)
    if good.any():
        median = np.median(area[good])
        good &= (area > 0.15 * median) & (area < 8 * median) & (height > 0.08 * np.median(height[good]))
    numbers = np.zeros(count + 1, np.int32)
    numbers[1:][good] = np.arange(1, good.sum() + 1)
    return numbers[labels]


def _disk(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(y * y + x * x <= radius * radius + radius)
