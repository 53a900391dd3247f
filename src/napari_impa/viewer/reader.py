"""Reader of `.cells` folders: one stack of crops a channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_impa.cells.store import Cells

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return `read` where every path is a `.cells` folder."""
    paths = [path] if isinstance(path, str) else list(path)
    return read if all((Path(one) / "meta.json").is_file() for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Open `.cells` folders, memory-mapped: image layers (N, S, S) with the cells' table in the metadata."""
    from napari_impa.cells.store import open_cells

    paths = [path] if isinstance(path, str) else path
    return [layer for one in paths for layer in cells_layers(open_cells(one), f"{Path(one).stem} · ")]


def cells_layers(cells: Cells, prefix: str = "") -> list[LayerData]:
    """Show cells as stacks: one image layer a channel, the first channel last and so on top."""
    from napari_impa.analysis.montage import channel_colours
    from napari_impa.viewer.samples import limits_to_show

    size = cells.pixel_size
    colours = channel_colours(cells.channels)
    layers: list[LayerData] = []
    for channel in reversed(range(len(cells.channels))):
        planes = cells.pixels[:, channel]
        options = {
            "name": f"{prefix}{cells.channels[channel]}",
            "scale": (1.0, size or 1.0, size or 1.0),
            "units": ("pixel", "um", "um") if size else ("pixel",) * 3,
            "axis_labels": ("cell", "y", "x"),
            "colormap": "gray" if colours[channel] == "grey" else colours[channel],
            "contrast_limits": limits_to_show(planes[:200]),
            "blending": "additive",
            "metadata": {"table": cells.table, "label": cells.label, "control": cells.control},
        }
        layers.append((planes, options, "image"))
    return layers
