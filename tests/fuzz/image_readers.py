"""What reads images: pixels, masks, OME-TIFF, layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .hostile import Input, of_folder
from .reader import Reader


def pixels_of(*shape: int, dtype: Any = np.uint16) -> Any:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def _tiffs(folder: Path) -> dict[str, dict[str, Any]]:
    about = {"axes": "CYX", "Channel": {"Name": ["DNA", "actin"]}, "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    return {
        "ome.ome.tif": {"data": pixels_of(2, 24, 24), "ome": True, "metadata": about},
        "deep.ome.tif": {"data": pixels_of(2, 3, 2, 16, 16), "ome": True, "metadata": {"axes": "TZCYX"}},
        "imagej.tif": {"data": pixels_of(2, 24, 24), "imagej": True, "metadata": {"axes": "CYX", "Labels": ["a", "b"]}},
        "plain.tif": {"data": pixels_of(24, 24), "compression": "zlib"},
        "pages.tif": {"data": pixels_of(3, 24, 24, dtype=np.uint8), "photometric": "minisblack", "compression": "lzw"},
        "colour.tif": {"data": pixels_of(24, 24, 3, dtype=np.uint8), "photometric": "rgb", "tile": (16, 16)},
        "float.tif": {"data": pixels_of(32, 32, dtype=np.float32), "bigtiff": True},
        "labels.tif": {"data": pixels_of(24, 24) // 50, "compression": "packbits"},
    }


def _images(folder: Path, *more: str) -> list[Input]:
    import PIL.Image
    import tifffile

    for name, how in _tiffs(folder).items():
        tifffile.imwrite(folder / name, **how)
    PIL.Image.fromarray(pixels_of(24, 24, dtype=np.uint8)).save(folder / "grey.png")
    PIL.Image.fromarray(pixels_of(24, 24, 3, dtype=np.uint8)).save(folder / "colour.png")
    PIL.Image.fromarray(pixels_of(24, 24, dtype=np.uint8) // 50).convert("P").save(folder / "palette.png")
    np.save(folder / "a.npy", pixels_of(2, 24, 24))
    np.save(folder / "b.npy", pixels_of(24, 24, 3, dtype=np.float32))
    whole = of_folder(folder)
    return [replace(whole, files={name: data}, target=name) for name, data in whole.files.items()]


def _image(path: Path) -> None:
    from napari_impa.cells.readers import probe_image, read_image

    probe_image(path)
    image = read_image(path)
    assert image.pixels.ndim == 3


def _masks(path: Path) -> None:
    from napari_impa.cells.readers import as_labels, read_masks

    for plane in read_masks(path).pixels:
        as_labels(plane, path)


def _saved_pictures(folder: Path) -> list[Input]:
    from napari_impa.cells.store import Cells
    from napari_impa.cells.tiff import TiffPicture, save_cells_ome_tiff, save_ome_tiff

    look = {"colormap": {"name": "cyan", "colors": [[0, 0, 0, 1], [0, 1, 1, 1]]}, "contrast_limits": [0, 9], "gamma": 1}
    view = {
        "title": "t", "axis": "cell", "scale": [0.5, 0.5], "translate": [1, 2], "units": ["um", "um"],
        "looks": [look] * 2, "affine": np.eye(3).tolist(), "made_by": {"model": "m", "condition": "x"},
    }  # fmt: skip
    save_ome_tiff(TiffPicture(pixels_of(2, 24, 24), ("DNA", "actin"), 0.5, view), folder / "f")
    cells = Cells(pixels_of(3, 2, 24, 24), pd.DataFrame({"a": [1, 2, 3]}), ("DNA", "actin"), 0.5)
    save_cells_ome_tiff(cells, folder / "c", view)
    whole = of_folder(folder)
    return [replace(whole, files={name: data}, target=name) for name, data in whole.files.items()]


def _picture(path: Path) -> None:
    from napari_impa.cells.tiff import read_ome_tiff

    read_ome_tiff(path)


def _as_layers(path: Path) -> None:
    from napari_impa.viewer.entry.reader import get_placed_reader, read_placed

    if get_placed_reader(str(path)) is not None:
        read_placed(str(path))


IMAGES = (
    Reader("image", _images, _image),
    Reader("masks", _images, _masks),
    Reader("ome-tiff", _saved_pictures, _picture),
    Reader("layers", _saved_pictures, _as_layers),
)
"""Readers of images."""
