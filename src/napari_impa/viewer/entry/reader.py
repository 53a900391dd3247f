"""Readers: `.cells` and OME-TIFF that the Perturb dock saved become layers; a plate or a model opens its dock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_impa.viewer.layers.as_layers import LayerData, cells_layers, stack_layers

if TYPE_CHECKING:
    from napari_impa.cells.layouts import LayoutChoice

NOTHING: list[Any] = [(None,)]
"""What a reader returns that has done its work without layers."""


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return `read` where every path is a `.cells` folder."""
    return read if all((Path(one) / "meta.json").is_file() for one in _paths(path)) else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Open `.cells` folders, memory-mapped: image layers (N, S, S) with the cells' table in the metadata."""
    from napari_impa.cells.store import open_cells

    return [layer for one in _paths(path) for layer in cells_layers(open_cells(one), f"{Path(one).stem} · ")]


def get_plate_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[Any]] | None:
    """Return `open_plate` for one folder that is a plate by its files' names; other folders are not ours."""
    from napari_impa.viewer.plate.places import plate_choice

    paths = _paths(path)
    choice = plate_choice(Path(paths[0])) if len(paths) == 1 else None
    return None if choice is None else partial(open_plate, choice=choice)


def open_plate(path: str | Sequence[str], choice: LayoutChoice | None = None) -> list[Any]:
    """Open the Plate dock of the current viewer, which shows a field at a time; without a viewer, the first field."""
    import napari

    from napari_impa.cells.layouts import AS_FOUND
    from napari_impa.viewer.plate.dock import PlateDock, field_layers
    from napari_impa.viewer.plate.places import read_field, read_plate

    (one,) = _paths(path)
    viewer, choice = napari.current_viewer(), choice or AS_FOUND
    if viewer is None:
        return field_layers(*read_field(read_plate(Path(one), choice), 0))
    PlateDock.open_in(viewer).open_plate(one, choice)
    return NOTHING


def get_folder_reader(path: str | Sequence[str]) -> Callable[[Any], list[Any]] | None:
    """Return napari's own reader of a folder that is none of ours, so that napari need not ask who opens it."""
    from napari_builtins.io import napari_get_reader

    (one, *others) = _paths(path)
    return None if others or not Path(one).is_dir() else napari_get_reader(path)


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
        layers += stack_layers(pixels, picture.channels, picture.pixel_size, about, f"{about['title']} · ", {})
    return layers


def get_model_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[Any]]:
    """Return `open_model`."""
    return open_model


def open_model(path: str | Sequence[str]) -> list[Any]:
    """Open the Perturb dock of the current viewer with a `.impa` model; there are no layers to add."""
    import napari

    from napari_impa.viewer.perturb.dock import PerturbDock

    viewer = napari.current_viewer()
    if viewer is not None:
        PerturbDock.open_in(viewer).use_model(_paths(path)[-1])
    return NOTHING


def _paths(path: str | Sequence[str]) -> list[str]:
    return [path] if isinstance(path, str) else list(path)
