"""Cells and fields that were read from files, as the data of napari's image layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_impa.viewer.layers.sources import MADE_BY, channel_colormaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_impa.cells.store import Cells

LayerData = tuple[Any, dict[str, Any], str]
"""What napari makes a layer of: its data, its options, its type."""


def cells_layers(cells: Cells, prefix: str = "") -> list[LayerData]:
    """Show cells as stacks: one image layer a channel, the first channel last and so on top.

    Cells that were saved from the Perturb dock lie, look and are named as they were there.
    """
    from napari_impa.analysis.kept_prediction import VIEW

    view = cells.history.get(VIEW, {})
    name = f"{view['title']} · " if "title" in view else prefix
    about = {"table": cells.table, "label": cells.label, "control": cells.control}
    return stack_layers(cells.pixels, cells.channels, cells.pixel_size, view, name, about)


def stack_layers(
    pixels: NDArray[Any],
    channels: Sequence[str],
    pixel_size: float | None,
    view: Mapping[str, Any],
    prefix: str,
    metadata: Mapping[str, Any],
) -> list[LayerData]:
    """Layers of (C, H, W), or (N, C, H, W) whose first axis is cells, placed as a view says."""
    size, leading = pixel_size or 1.0, pixels.ndim - 3
    units = ["um", "um"] if pixel_size else ["pixel", "pixel"]
    colours, looks = channel_colormaps(channels), view.get("looks") or [{}] * len(channels)
    axis = "step" if "title" in view and view.get("axis") != "cell" else "cell"
    affine = None
    if view.get("affine"):
        affine = np.eye(leading + 3)
        affine[leading:, leading:] = view["affine"]
    made_by = {MADE_BY: dict(view["made_by"])} if view.get("made_by") else {}
    layers: list[LayerData] = []
    for channel in reversed(range(len(channels))):
        planes, look = pixels[..., channel, :, :], looks[channel]
        options = {
            "name": f"{prefix}{channels[channel]}",
            "scale": (1.0,) * leading + tuple(view.get("scale", (size, size))),
            "translate": (0.0,) * leading + tuple(view.get("translate", (0.0, 0.0))),
            "units": ("pixel",) * leading + tuple(view.get("units", units)),
            "axis_labels": (axis,) * leading + ("y", "x") if leading else None,
            "colormap": _colormap(look.get("colormap", colours[channel]), channels[channel]),
            "contrast_limits": tuple(look.get("contrast_limits") or limits_to_show(planes[:200])),
            "gamma": look.get("gamma", 1.0),
            "blending": "additive",
            "affine": affine,
            "metadata": {**metadata, **made_by},
        }
        layers.append((planes, options, "image"))
    return layers


def _colormap(colours: Any, channel: str) -> Any:
    """A colormap by name, where this napari knows the same; else as it was saved, under a name of the channel's own."""
    from napari.utils import Colormap
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    if not isinstance(colours, Mapping):
        return colours
    saved = Colormap(**{**colours, "name": f"{channel} (saved)"})
    known = AVAILABLE_COLORMAPS.get(colours.get("name"))
    if (
        known is not None
        and known.colors.shape == saved.colors.shape
        and np.allclose(known.colors, saved.colors, atol=1e-3)
    ):
        return known.name
    return saved


def limits_to_show(plane: Any) -> tuple[float, float]:
    """Contrast limits that show cells, not single hot pixels: the 1 % and 99.8 % quantiles."""
    low, high = np.quantile(np.nan_to_num(np.asarray(plane)), (0.01, 0.998))
    return float(low), float(max(high, low + 1e-6))
