"""Cells and fields that were read from files, as the data of napari's image layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import ensure_colormap
from napari.utils.notifications import show_warning
from pint import application_registry

from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.layers.sources import MADE_BY, channel_colormaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_impa.cells.store import Cells

LayerData = tuple[Any, dict[str, Any], str]
"""What napari makes a layer of: its data, its options, its type."""


def cells_layers(cells: Cells, prefix: str = "") -> list[LayerData]:
    """Show cells as stacks: one image layer a channel, the first channel last and so on top.

    Cells that were saved from the Perturb dock lie, look and are named as they were there. The metadata say all that
    makes them cells again.
    """
    from napari_impa.analysis.kept_prediction import VIEW

    view = cells.history.get(VIEW, {})
    name = f"{view['title']} · " if "title" in view else prefix
    about = {"table": cells.table, "label": cells.label, "control": cells.control}
    about |= {"channels": cells.channels, "history": dict(cells.history)}
    return stack_layers(cells.pixels, cells.channels, cells.pixel_size, view, name, about)


def stack_layers(
    pixels: NDArray[Any],
    channels: Sequence[str],
    pixel_size: float | None,
    view: Mapping[str, Any],
    prefix: str,
    metadata: Mapping[str, Any],
) -> list[LayerData]:
    """Layers of (C, H, W), or (N, C, H, W) whose first axis is cells, placed as a view says that came from a file.

    What of it no layer can be placed or shown by is left out, with a warning.
    """
    view = _sound(view, channels, prefix)
    size, leading = pixel_size or 1.0, pixels.ndim - 3
    units = ["um", "um"] if pixel_size else ["pixel", "pixel"]
    colours, looks = channel_colormaps(channels), view.get("looks", [{}] * len(channels))
    axis = "step" if "title" in view and view.get("axis") != "cell" else "cell"
    affine = None
    if "affine" in view:
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


def _sound(view: Mapping[str, Any], channels: Sequence[str], prefix: str) -> Mapping[str, Any]:
    """What of a view can be used: it comes from a file, and napari takes whatever it is given."""
    given = {key: value for key, value in view.items() if value is not None}
    unsound = [key for key, fits in _FITS.items() if key in given and not _holds(fits, given[key])]
    if "looks" in given and "looks" not in unsound and len(given["looks"]) != len(channels):
        unsound.append("looks")
    if unsound:
        name = prefix.removesuffix(" · ") or "The file"
        said = f"{name} was saved with a {' and a '.join(unsound)} that no layer can have; it is shown without."
        show_warning(plain(said))
    return {key: value for key, value in given.items() if key not in unsound}


def _holds(fits: Callable[[Any], object], value: Any) -> bool:
    try:
        return bool(fits(value))
    except Exception:  # whatever a library raises at a stranger's value: pint's parser of units has assertions
        return False


def _numbers(value: Any, *shape: int) -> NDArray[Any] | None:
    found = np.array(value, float)
    return found if found.shape == shape and np.isfinite(found).all() else None


def _fits_look(look: Mapping[str, Any]) -> bool:
    limits = look.get("contrast_limits")
    rising = not limits or ((ends := _numbers(limits, 2)) is not None and ends[0] < ends[1])
    gamma = _numbers(look.get("gamma", 1.0))
    colours = ensure_colormap(_colormap(look.get("colormap", "gray"), ""))
    return rising and gamma is not None and bool(gamma > 0 and colours)


_FITS: dict[str, Callable[[Any], object]] = {
    "scale": lambda value: (found := _numbers(value, 2)) is not None and (found > 0).all(),
    "translate": lambda value: _numbers(value, 2) is not None,
    "units": lambda value: len([application_registry.Unit(name) for name in value]) == 2,
    "affine": lambda value: (found := _numbers(value, 3, 3)) is not None and abs(np.linalg.det(found)) > 0,
    "made_by": lambda value: {**value},
    "looks": lambda value: all(_fits_look(look) for look in value),
}
"""What a layer can be placed and shown by, of each part of a view."""


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
