"""Sample data: the simulated screen and a plate in two batches, offline; BBBC014 and BBBC022, fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_impa.fetching.image_sets import BBBC014, BBBC022, ImageSet
from napari_impa.viewer.layers.as_layers import LayerData, limits_to_show
from napari_impa.viewer.layers.sources import channel_colormaps

_BBBC022_PIXEL = 0.656
_GAP = 40
"""Pixels between two fields side by side."""


def simulated_screen(condition: str | None = None, *, seed: int = 0, size: int = 512) -> list[LayerData]:
    """Draw a field of the simulated screen.

    Returns
    -------
    One image layer a channel, with pixel size in µm and the well it comes from in the metadata.
    """
    from napari_impa.cells.simulated.screen import CONTROL, simulated_field

    field = simulated_field(condition or CONTROL, seed=seed, size=size)
    layers: list[LayerData] = []
    colours = channel_colormaps(field.channels)
    for name, colour, plane in reversed(list(zip(field.channels, colours, field.pixels, strict=True))):
        layers.append(_image(plane, name, colour, dict(field.table), pixel_size=field.pixel_size))
    return layers


def simulated_batches(*, seed: int = 0, size: int = 512) -> list[LayerData]:
    """Draw control cells as each of two batches would show them: what a batch model is to bring about is known.

    Returns
    -------
    One image layer (2, size, size) a channel, whose first axis is the batch.
    """
    import numpy as np

    from napari_impa.cells.simulated.screen import BATCHES, simulated_field

    fields = [simulated_field(seed=seed, batch=batch, size=size) for batch in range(len(BATCHES))]
    about = {**fields[0].table, "batch": [field.table["batch"] for field in fields]}
    stacks = np.stack([field.pixels for field in fields], axis=1)
    layers: list[LayerData] = []
    colours = channel_colormaps(fields[0].channels)
    for name, colour, stack in reversed(list(zip(fields[0].channels, colours, stacks, strict=True))):
        layers.append(_image(stack, name, colour, about, pixel_size=fields[0].pixel_size, axis="batch"))
    return layers


def bbbc014() -> list[LayerData]:
    """Open BBBC014, fetched in the background where it is not here yet."""
    return _here_or_fetched(BBBC014)


def bbbc022() -> list[LayerData]:
    """Open three fields of BBBC022 with their masks, fetched in the background where they are not here yet."""
    return _here_or_fetched(BBBC022)


def bbbc014_layers(paths: list[Path]) -> list[LayerData]:
    """Lay the untreated well beside the one under TNFα: NFκB and DAPI of each.

    Of each well, the untreated one first, `paths` has NFκB and DAPI.
    """
    import tifffile

    planes = [tifffile.imread(path) for path in paths]
    layers: list[LayerData] = []
    for at, (well, compound) in enumerate((("A12", "untreated"), ("A01", "TNFα"))):
        about = {"plate": "BBBC014", "well": well, "compound": compound, "control": int(at == 0), **_terms(BBBC014)}
        for channel, colour in enumerate(channel_colormaps(BBBC014.channels)):
            plane = planes[2 * at + channel]
            name = f"{BBBC014.channels[channel]} · {compound}"
            layers.append(_image(plane, name, colour, about, left=at * (plane.shape[1] + _GAP)))
    return layers


def bbbc022_layers(paths: list[Path]) -> list[LayerData]:
    """Stack fields: one image layer (fields, H, W) a channel, cells and nuclei as Labels that are hidden at first.

    `paths` has the image and the masks of each field in turn.
    """
    import numpy as np
    import tifffile

    images = np.stack([tifffile.imread(path) for path in paths[::2]], axis=1)
    masks = np.stack([tifffile.imread(path) for path in paths[1::2]], axis=1)
    fields = [path.stem for path in paths[::2]]
    about = {"plate": "plate1", "fields": fields, "compound": "untreated", "control": 1, **_terms(BBBC022)}
    layers: list[LayerData] = []
    colours = channel_colormaps(BBBC022.channels)
    for name, colour, stack in reversed(list(zip(BBBC022.channels, colours, images, strict=True))):
        layers.append(_image(stack, name, colour, about, pixel_size=_BBBC022_PIXEL, axis="field"))
    placed = {key: layers[0][1][key] for key in ("scale", "units", "axis_labels")}
    shown = {"visible": False, "metadata": about, **placed}
    hidden = [
        (masks[at].astype(np.int32), {"name": name, **shown}, "labels") for at, name in ((0, "cells"), (2, "nuclei"))
    ]
    return [*hidden, *layers]


def _here_or_fetched(images: ImageSet) -> list[LayerData]:
    """Read what is here; else fetch it, in the background where there is a viewer, whose placeholder is returned."""
    import napari

    from napari_impa.viewer.library.fetching import fetch_sample
    from napari_impa.viewer.library.settings import cache_folder

    folder, viewer = cache_folder(), napari.current_viewer()
    if viewer is None or images.is_whole(folder):
        return READERS[images.name](images.fetch(folder))
    return [fetch_sample(viewer, images, folder, READERS[images.name])]


READERS = {BBBC014.name: bbbc014_layers, BBBC022.name: bbbc022_layers}
"""What makes layers of the files of a set."""


def _terms(images: ImageSet) -> dict[str, str]:
    return {"licence": images.licence, "citation": images.citation, "source": images.source}


def _image(
    data: Any,
    name: str,
    colormap: Any,
    metadata: dict[str, Any],
    *,
    pixel_size: float | None = None,
    axis: str = "",
    left: float = 0,
) -> LayerData:
    """Make an image layer (H, W), or (N, H, W) along a named axis, `left` pixels to the right."""
    leading = 1 if axis else 0
    side, unit = (pixel_size, "um") if pixel_size else (1.0, "pixel")
    options = {
        "name": name,
        "scale": (1.0,) * leading + (side, side),
        "translate": (0.0,) * leading + (0.0, left * side),
        "units": ("pixel",) * leading + (unit, unit),
        "axis_labels": (axis, "y", "x") if axis else None,
        "colormap": colormap,
        "contrast_limits": limits_to_show(data),
        "blending": "additive",
        "metadata": metadata,
    }
    return data, options, "image"
