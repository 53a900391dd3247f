"""Reader of `.cells` folders: one stack of crops a channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return `read` where every path is a `.cells` folder."""
    paths = [path] if isinstance(path, str) else list(path)
    return read if all((Path(one) / "meta.json").is_file() for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Open `.cells` folders, memory-mapped: image layers (N, S, S) with the cells' table in the metadata."""
    from napari_impa.analysis.montage import channel_colours
    from napari_impa.cells.store import open_cells
    from napari_impa.viewer.samples import limits_to_show

    layers: list[LayerData] = []
    for one in [path] if isinstance(path, str) else path:
        cells = open_cells(one)
        size = cells.pixel_size
        names = list(zip(cells.channels, channel_colours(cells.channels), strict=True))
        for channel, (name, colour) in reversed(list(enumerate(names))):
            planes = cells.pixels[:, channel]
            options = {
                "name": f"{Path(one).stem} · {name}",
                "scale": (1.0, size or 1.0, size or 1.0),
                "units": ("pixel", "um", "um") if size else ("pixel",) * 3,
                "axis_labels": ("cell", "y", "x"),
                "colormap": "gray" if colour == "grey" else colour,
                "contrast_limits": limits_to_show(planes[:200]),
                "blending": "additive",
                "metadata": {"table": cells.table, "label": cells.label, "control": cells.control},
            }
            layers.append((planes, options, "image"))
    return layers
