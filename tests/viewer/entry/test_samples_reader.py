from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Layer
from npe2 import PluginManifest

import napari_impa
from napari_impa.cells.store import open_cells
from napari_impa.viewer.entry.reader import get_reader
from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.layers.as_layers import limits_to_show


def test_manifest_names_what_exists() -> None:
    manifest = PluginManifest.from_file(Path(napari_impa.__file__).parent / "napari.yaml")
    manifest.validate_imports()
    assert {widget.display_name for widget in manifest.contributions.widgets} == {
        "Perturb cells", "Train on a folder", "Look at a plate", "Explore cells",
    }  # fmt: skip
    assert all(command.title[0].isupper() for command in manifest.contributions.commands)


def test_sample_is_a_control_field_with_pixel_size() -> None:
    layers = [Layer.create(*data) for data in simulated_screen(size=128)]
    assert [layer.name for layer in layers] == ["tubulin", "actin", "DNA"]  # the first channel on top
    for layer in layers:
        assert layer.data.shape == (128, 128)
        assert layer.data.dtype == np.uint16
        assert tuple(layer.scale) == (0.65, 0.65)
        assert str(layer.units[0]) == "micrometer"
        assert layer.metadata["compound"] == "DMSO"


def test_sample_under_a_condition_shows_the_same_cells() -> None:
    control, treated = simulated_screen(size=128), simulated_screen("shrinkage", size=128)
    assert not np.array_equal(control[0][0], treated[0][0])
    assert treated[0][1]["metadata"]["scene"] == control[0][1]["metadata"]["scene"]


def test_cells_open_as_stacks(cells_path: Path) -> None:
    read = get_reader(str(cells_path))
    assert read is not None
    layers = [Layer.create(*data) for data in read(str(cells_path))]
    cells = open_cells(cells_path)
    assert [layer.name for layer in layers] == ["screen · tubulin", "screen · actin", "screen · DNA"]
    assert np.array_equal(layers[-1].data, cells.pixels[:, 0])
    assert tuple(layers[-1].scale) == (1.0, 0.65, 0.65)
    assert layers[-1].axis_labels == ("cell", "y", "x")
    assert layers[-1].metadata["control"] == "DMSO"


def test_other_folders_are_not_ours(tmp_path: Path, cells_path: Path) -> None:
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(cells_path), str(tmp_path)]) is None


@pytest.mark.parametrize("plane", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.arange(16).reshape(4, 4)])
def test_limits_are_always_ascending(plane: np.ndarray) -> None:
    low, high = limits_to_show(plane)
    assert low < high
