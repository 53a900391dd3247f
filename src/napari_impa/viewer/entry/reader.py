"""Readers: `.cells` and OME-TIFF that the Perturb dock saved become layers; a `.impa` model opens the dock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_impa.cells.store import Cells

LayerData = tuple[Any, dict[str, Any], str]
NOTHING: list[Any] = [(None,)]
"""What a reader returns that has done its work without layers."""


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return `read` where every path is a `.cells` folder."""
    return read if all((Path(one) / "meta.json").is_file() for one in _paths(path)) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Open `.cells` folders, memory-mapped: image layers (N, S, S) with the cells' table in the metadata."""
    from napari_impa.cells.store import open_cells

    return [layer for one in _paths(path) for layer in cells_layers(open_cells(one), f"{Path(one).stem} · ")]


def get_placed_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]]:
    """Return the reader of OME-TIFF files that were saved from the Perturb dock."""
    return read_placed


def read_placed(path: str | Sequence[str]) -> list[LayerData]:
    """Open fields or cells that were saved as OME-TIFF: one layer a channel, where it was."""
    from napari_impa.cells.tiff import read_ome_tiff

    layers: list[LayerData] = []
    for one in _paths(path):
        picture = read_ome_tiff(one)
        about = {"title": Path(one).name.partition(".")[0], **picture.about}
        pixels = picture.pixels
        if about.get("axis") == "cell" and pixels.ndim == 3:  # one cell is a stack too
            pixels = pixels[None]
        layers += _layers(pixels, picture.channels, picture.pixel_size, about, f"{about['title']} · ", {})
    return layers


def get_model_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[Any]]:
    """Return `open_model`."""
    return open_model


def open_model(path: str | Sequence[str]) -> list[Any]:
    """Open the Perturb dock of the current viewer with a `.impa` model; there are no layers to add."""
    import napari

    from napari_impa.viewer.perturb.dock import open_dock

    viewer = napari.current_viewer()
    if viewer is not None:
        open_dock(viewer).use_model(_paths(path)[-1])
    return NOTHING


def cells_layers(cells: Cells, prefix: str = "") -> list[LayerData]:
    """Show cells as stacks: one image layer a channel, the first channel last and so on top.

    Cells that were saved from the Perturb dock lie, look and are named as they were there.
    """
    from napari_impa.analysis.result import VIEW

    view = cells.history.get(VIEW, {})
    name = f"{view['title']} · " if "title" in view else prefix
    about = {"table": cells.table, "label": cells.label, "control": cells.control}
    return _layers(cells.pixels, cells.channels, cells.pixel_size, view, name, about)


def _layers(
    pixels: NDArray[Any],
    channels: Sequence[str],
    pixel_size: float | None,
    view: Mapping[str, Any],
    prefix: str,
    metadata: Mapping[str, Any],
) -> list[LayerData]:
    """Layers of (C, H, W), or (N, C, H, W) whose first axis is cells, placed as a view says."""
    import numpy as np

    from napari_impa.analysis.montage import channel_colours
    from napari_impa.viewer.entry.samples import limits_to_show
    from napari_impa.viewer.layers.sources import MADE_BY

    size, leading = pixel_size or 1.0, pixels.ndim - 3
    units = ["um", "um"] if pixel_size else ["pixel", "pixel"]
    colours, looks = channel_colours(channels), view.get("looks") or [{}] * len(channels)
    axis = "step" if "title" in view and view.get("axis") != "cell" else "cell"
    affine = None
    if view.get("affine"):
        affine = np.eye(leading + 3)
        affine[leading:, leading:] = view["affine"]
    made_by = {MADE_BY: dict(view["made_by"])} if view.get("made_by") else {}
    layers: list[LayerData] = []
    for channel in reversed(range(len(channels))):
        planes, look = pixels[..., channel, :, :], looks[channel]
        colour = "gray" if colours[channel] == "grey" else colours[channel]
        options = {
            "name": f"{prefix}{channels[channel]}",
            "scale": (1.0,) * leading + tuple(view.get("scale", (size, size))),
            "translate": (0.0,) * leading + tuple(view.get("translate", (0.0, 0.0))),
            "units": ("pixel",) * leading + tuple(view.get("units", units)),
            "axis_labels": (axis,) * leading + ("y", "x") if leading else None,
            "colormap": _colormap(look.get("colormap", colour), channels[channel]),
            "contrast_limits": tuple(look["contrast_limits"] if look else limits_to_show(planes[:200])),
            "gamma": look.get("gamma", 1.0),
            "blending": "additive",
            "affine": affine,
            "metadata": {**metadata, **made_by},
        }
        layers.append((planes, options, "image"))
    return layers


def _colormap(colours: Any, channel: str) -> Any:
    """A colormap by name, where this napari knows the same; else as it was saved, under a name of the channel's own."""
    import numpy as np
    from napari.utils import Colormap
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    if isinstance(colours, str):
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


def _paths(path: str | Sequence[str]) -> list[str]:
    return [path] if isinstance(path, str) else list(path)
