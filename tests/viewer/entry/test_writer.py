"""Stacks of cells that are saved from napari's File menu, without a window."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import napari_builtins
import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from napari.settings import get_settings
from npe2 import PluginManifest

import napari_impa
from napari_impa.analysis.kept_prediction import VIEW
from napari_impa.cells.store import Cells, open_cells
from napari_impa.errors import CellsError
from napari_impa.viewer.entry.reader import read
from napari_impa.viewer.entry.writer import write_cells

LOOK = {"colormap": {"name": "c", "colors": [[0, 0, 0, 1], [0, 1, 1, 1]]}, "contrast_limits": [0, 9], "gamma": 1.5}
PLACE = {"scale": [0.65, 0.65], "translate": [3.0, 4.0], "units": ["micrometer", "micrometer"]}


@pytest.fixture(autouse=True)
def plugin(npe2pm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings().plugins, "extension2reader", {})
    npe2pm.register(PluginManifest.from_file(Path(napari_impa.__file__).parent / "napari.yaml"))


@pytest.fixture
def opened(cells_path: Path) -> ViewerModel:
    """A viewer in which a `.cells` folder was opened."""
    return shown(cells_path)


def shown(path: Path) -> ViewerModel:
    viewer = ViewerModel()
    for pixels, options, _ in read(str(path)):
        viewer.add_image(pixels, **options)
    return viewer


def save(viewer: ViewerModel, path: Path, **options: Any) -> Cells:
    """What was saved, opened again."""
    assert viewer.layers.save(str(path), plugin="napari-impa", **options) == [str(path)]
    return open_cells(path)


def assert_same(saved: Cells, cells: Cells) -> None:
    np.testing.assert_array_equal(saved.pixels, cells.pixels)
    assert saved.pixels.dtype == cells.pixels.dtype
    pd.testing.assert_frame_equal(saved.table, cells.table)
    for name in ("channels", "pixel_size", "label", "control", "history"):
        assert getattr(saved, name) == getattr(cells, name), name


def test_what_was_opened_is_saved_as_it_was(
    opened: ViewerModel, cells_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_impa.viewer.entry.writer._BLOCK_BYTES", 100_000)  # several blocks
    opened.layers.reverse()  # the order of layers says nothing while their names are the channels'
    assert_same(save(opened, tmp_path / "again.cells"), open_cells(cells_path))
    assert os.listdir(tmp_path) == ["again.cells"]


@pytest.mark.parametrize("pixel_size", [None, 0.65])
def test_cells_of_the_dock_keep_how_they_lie_and_look(
    cells_path: Path, tmp_path: Path, pixel_size: float | None
) -> None:
    cells = open_cells(cells_path)
    units = ["micrometer" if pixel_size else "pixel"] * 2
    view = {"title": "control", **PLACE, "units": units, "looks": [LOOK] * 3, "made_by": {"model": "m"}, "axis": "cell"}
    history = {**cells.history, VIEW: view}
    path = replace(cells, pixel_size=pixel_size, history=history).save(tmp_path / "kept.cells")
    viewer = shown(path)
    viewer.layers[0].gamma = 0.5
    saved = save(viewer, tmp_path / "again.cells")
    assert saved.pixel_size == pixel_size
    again = shown(tmp_path / "again.cells")
    assert [layer.gamma for layer in again.layers] == [0.5, 1.5, 1.5]
    for one, other in zip(viewer.layers, again.layers, strict=True):
        assert one.name == other.name
        assert one.metadata["napari-impa"] == other.metadata["napari-impa"]
        np.testing.assert_allclose(one.data_to_world((0, 2, 2)), other.data_to_world((0, 2, 2)))
        np.testing.assert_allclose(one.colormap.colors, other.colormap.colors)


def test_pixels_names_and_cells_are_those_of_the_layers(opened: ViewerModel, cells_path: Path, tmp_path: Path) -> None:
    cells, kept = open_cells(cells_path), [0, 5, 7]
    tubulin, _, dna = opened.layers
    for layer in (tubulin, dna):
        layer.data = np.array(layer.data[kept])
        layer.metadata["table"] = cells.table.iloc[kept]
    dna.data[1, :4] = 7
    dna.name = "nuclei"
    opened.layers.selection = {tubulin, dna}
    saved = save(opened, tmp_path / "some.cells", selected=True)
    assert saved.channels == ("nuclei", "tubulin")
    np.testing.assert_array_equal(saved.pixels[:, 1], cells.pixels[kept, 2])
    assert (saved.pixels[1, 0, :4] == 7).all()
    pd.testing.assert_frame_equal(saved.table, cells.table.iloc[kept].reset_index(drop=True))


def test_the_same_folder_opened_twice_has_channels_of_the_same_names(
    opened: ViewerModel, cells_path: Path, tmp_path: Path
) -> None:
    for pixels, options, _ in read(str(cells_path)):
        opened.add_image(pixels, **options)
    opened.layers.selection = set(opened.layers[3:])
    assert opened.layers[3].name.endswith("[1]")
    assert_same(save(opened, tmp_path / "again.cells", selected=True), open_cells(cells_path))


def change(layer: Image, what: str) -> None:
    if what == "shorter":
        layer.data = layer.data[:5]
    elif what == "both shorter":
        layer.data, layer.metadata["table"] = layer.data[:5], layer.metadata["table"][:5]
    elif what == "no squares":
        layer.data = layer.data[:, :5]
    elif what == "field":
        layer.data = layer.data[0]
    elif what == "type":
        layer.data = layer.data.astype(np.float32)
    elif what == "truth values":
        layer.data = layer.data > 5
    elif what == "scale":
        layer.scale = (1, 2, 2)
    elif what == "control":
        layer.metadata["control"] = "other"
    elif what == "name":
        layer.name = "kept · actin"
    else:
        del layer.metadata[what]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("shorter", "has 5 cells, but the table in its metadata has 24 rows"), ("both shorter", "shapes and tables"),
        ("no squares", "no stack of cells"), ("field", "no stack of cells"), ("type", "differ in their pixel types;"),
        ("truth values", "of type bool"), ("scale", "differ in their pixel sizes;"), ("control", "their conditions;"),
        ("name", "both called 'actin'"), ("table", "no stack of cells"), ("history", "or choose another type of file"),
    ],
)  # fmt: skip
def test_what_are_no_channels_of_one_stack_is_refused(
    opened: ViewerModel, tmp_path: Path, what: str, said: str
) -> None:
    change(opened.layers[0], what)
    with pytest.raises(CellsError, match=said):
        opened.layers.save(str(tmp_path / "new.cells"), plugin="napari-impa")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "layer",
    [
        (np.zeros((8, 8, 3), np.uint8), {"name": "other", "rgb": True}, "image"),
        (np.zeros((24, 48, 48), np.uint8), {"name": "other"}, "labels"),
        ([np.zeros((4, 2))], {"name": "other"}, "shapes"),
    ],
    ids=lambda layer: str(layer[2]),
)
def test_layers_of_other_kinds_are_refused(cells_path: Path, tmp_path: Path, layer: Any) -> None:
    with pytest.raises(CellsError, match="'other' is no stack of cells"):
        write_cells(str(tmp_path / "new.cells"), [*read(str(cells_path)), layer])
    assert not os.listdir(tmp_path)


def test_a_folder_that_is_there_stays(opened: ViewerModel, cells_path: Path) -> None:
    before = open_cells(cells_path, in_memory=True)
    with pytest.raises(CellsError, match="exists already; choose another name"):
        opened.layers.save(str(cells_path), plugin="napari-impa")
    assert_same(open_cells(cells_path), before)


def test_plain_images_are_saved_as_without_us(npe2pm: Any) -> None:
    npe2pm.register(PluginManifest.from_file(Path(napari_builtins.__file__).parent / "builtins.yaml"))
    first, *_, last = (writer.command for writer in npe2pm.iter_compatible_writers(["image"]))
    assert (first, last) == ("napari.write_image", "napari.write_directory")
    assert npe2pm.get_writer("plain", ["image"])[1] == "plain.tif"
    assert npe2pm.get_writer("plain", ["image", "image"])[0].command == "napari.write_directory"
