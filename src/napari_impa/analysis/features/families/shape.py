"""Size and form of a mask (CellProfiler's MeasureObjectSizeShape)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.families.under_mask import Columns, UnderMask

LENGTHS = {5: 1, 7: 1, 15: 1, 17: 1, 25: 1, 27: 1, 21: np.sqrt(2), 33: np.sqrt(2)} | dict.fromkeys(
    (13, 23), (1 + np.sqrt(2)) / 2
)
"""Length of the outline in a pixel of it by how its neighbours lie (Benkrid & Crookes 2000, as in scikit-image)."""

DIRECTIONS = 64
"""In which the hull of a mask is looked at: its area is found to a few tenths of a per cent."""


def shape(under: UnderMask) -> Columns:
    """Area, perimeter, form, axes of the ellipse of the same moments, solidity, and the width of the mask.

    Where a mask runs into the edge of the crop, as bodies of large cells do, its form is that of what the crop shows.
    """
    area, perimeter = under.count, _perimeters(under.masks)
    major, minor = _axes(under)
    hull, least, most = _hulls(under)
    with np.errstate(invalid="ignore", divide="ignore"):
        numbers = {
            "Area": ("area of the", area),
            "Perimeter": ("perimeter of the", perimeter),
            "FormFactor": ("roundness (form factor) of the", 4 * np.pi * area / perimeter**2),
            "Eccentricity": ("eccentricity of the", np.sqrt(np.maximum(1 - (minor / major) ** 2, 0))),
            "MajorAxisLength": ("length of the", major),
            "MinorAxisLength": ("breadth of the", minor),
            "Solidity": ("solidity (share of its convex hull) of the", area / np.maximum(hull, area)),
            "Extent": ("share of its bounding box of the", area / _box_areas(under)),
            "MinFeretDiameter": ("least width of the", least),
            "MaxFeretDiameter": ("greatest width of the", most),
            "MaximumRadius": ("greatest distance from the edge in the", under.depth.max((1, 2), initial=0)),
            "MeanRadius": ("mean distance from the edge in the", under.depth.sum((1, 2)) / area),
        }
    return [
        under.named("shape", f"AreaShape_{key}", title, np.where(np.isfinite(value), value, np.nan))
        for key, (title, value) in numbers.items()
    ]


def _perimeters(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,)."""
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    inner = (
        padded[:, 1:-1, 1:-1] & padded[:, 2:, 1:-1] & padded[:, :-2, 1:-1] & padded[:, 1:-1, 2:] & padded[:, 1:-1, :-2]
    )
    outline = np.pad(masks & ~inner, ((0, 0), (1, 1), (1, 1))).view(np.uint8)
    middle = outline[:, 1:-1, 1:-1]
    sides = outline[:, 2:, 1:-1] + outline[:, :-2, 1:-1] + outline[:, 1:-1, 2:] + outline[:, 1:-1, :-2]
    corners = outline[:, 2:, 2:] + outline[:, 2:, :-2] + outline[:, :-2, 2:] + outline[:, :-2, :-2]
    table = np.zeros(51)
    table[list(LENGTHS)] = list(LENGTHS.values())
    return np.asarray(table[middle + 2 * sides + 10 * corners].sum((1, 2)))


def _axes(under: UnderMask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) lengths of the major and minor axis of the ellipse with the mask's second moments."""
    places = under.rows.astype(np.float64), under.columns.astype(np.float64)
    down, across = (at - under.mean(at)[under.crop] for at in places)
    a, c = (under.mean(away**2) for away in (down, across))
    b = under.mean(down * across)
    root = np.sqrt(((a - c) / 2) ** 2 + b**2)
    return 4 * np.sqrt((a + c) / 2 + root), 4 * np.sqrt(np.maximum((a + c) / 2 - root, 0))


def _box_areas(under: UnderMask) -> NDArray[np.float64]:
    """(n,)."""
    boxes = [(box[0].stop - box[0].start) * (box[1].stop - box[1].start) if box else 1 for box in under.boxes]
    return np.array(boxes, np.float64)


def _hulls(under: UnderMask) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(n,) area of the convex hull of the pixels, each with the middles of its sides, and its least and greatest width.

    From how far the pixels reach in each of some directions: the hull is what all those half planes share.
    """
    masks = under.masks
    if not masks.size:
        return (np.zeros(len(masks)),) * 3
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    down, across = np.sin(angle), np.cos(angle)
    filled: NDArray[np.bool_] = np.asarray(masks.any(2))
    rows = np.arange(masks.shape[1])[:, None]
    left, right = masks.argmax(2), masks.shape[2] - 1 - masks[:, :, ::-1].argmax(2)
    outer = np.where(across > 0, right[..., None], left[..., None])
    reach = np.where(filled[..., None], down * rows + across * outer, -np.inf).max(1)
    reach[~filled.any(1)] = 0
    width = reach + np.roll(reach, DIRECTIONS // 2, axis=1)
    reach = reach + np.maximum(np.abs(down), np.abs(across)) / 2
    # The polygon around the hull whose sides face those directions: half of each side times its distance.
    step = 2 * np.pi / DIRECTIONS
    before, after = np.roll(reach, 1, axis=1), np.roll(reach, -1, axis=1)
    sides = (before + after - 2 * reach * np.cos(step)) / np.sin(step)
    return (reach * sides).sum(1) / 2, width.min(1), width.max(1)
