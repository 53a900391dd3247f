"""Which layer is taken for which channel, where nuclei are found, and what cells are called; no window is opened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari.layers import Image

from napari_impa.cells.segmenters import Nuclei
from napari_impa.cells.simulated.screen import CHANNELS, simulated_cells, simulated_field
from napari_impa.viewer.layers.as_layers import cells_layers
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.cells_form import CellsForm
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.watch import Token

FIELD = simulated_field(seed=3, size=320)
SIZE = 48
UM: dict[str, Any] = {"scale": (0.65, 0.65), "units": ("um", "um")}


def add_field(viewer: Any, **more: Any) -> None:
    for name, plane in zip(FIELD.channels, FIELD.pixels, strict=True):
        viewer.add_image(plane, name=name, **(UM | more))


def find(form: CellsForm, task: str = "perturbation") -> Found:
    choice = form.choice
    assert choice is not None, form.missing
    return find_cells(Token(), *choice.plain(CHANNELS, SIZE, task))


def choose(box: Any, text: str) -> None:
    assert box.findText(text) >= 0, [box.itemText(at) for at in range(box.count())]
    box.setCurrentIndex(box.findText(text))


def test_another_model_finds_nuclei_in_the_channel_that_shows_them(viewer: Any, form: CellsForm) -> None:
    """The first of its channels shows something else, so that the number of the old choice would be wrong."""
    add_field(viewer)
    assert form.method.currentText() == "nuclei in DNA"
    form.set_model(("NFκB", "DNA"), SIZE)
    assert form.method.currentText() == "nuclei in DNA"
    assert form.method.value == ("nuclei", "DNA", None)


def test_a_choice_is_kept_by_the_name_of_its_channel(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    choose(form.method, f"nuclei in {CHANNELS[1]}")
    form.set_model((CHANNELS[1], CHANNELS[0]), SIZE)
    assert form.method.currentText() == f"nuclei in {CHANNELS[1]}"
    form.set_model(("NFκB", "DAPI"), SIZE)  # shows no such channel
    assert form.method.currentText() == "nuclei in DAPI"


class OtherNuclei(Nuclei):
    """Finds them in another way."""

    name, title = "other", "Other"


def test_the_way_that_nuclei_are_found_stays(viewer: Any, form: CellsForm) -> None:
    form.set_segmenters([Nuclei, OtherNuclei])
    add_field(viewer)
    choose(form.method, f"Other: nuclei in {CHANNELS[0]}")
    form.set_model(("NFκB", "DAPI"), SIZE)  # shows no such channel
    assert form.method.currentText() == "Other: nuclei in DAPI"


def marks(form: CellsForm) -> list[bool]:
    return [not mark.isHidden() for mark in form.marks]


def test_layers_without_names_are_guessed_by_what_they_show_and_marked(viewer: Any, form: CellsForm) -> None:
    form.set_model(CHANNELS[:2], SIZE)
    for number, at in enumerate((1, 0), 1):
        viewer.add_image(FIELD.pixels[at], name=f"Channel {number}", **UM)
    assert [box.currentText() for box in form.channels] == ["Channel 2", "Channel 1"]
    assert marks(form) == [True, True]
    choose(form.channels[0], "Channel 1")  # the other way round
    assert [box.currentText() for box in form.channels] == ["Channel 1", "Channel 2"]
    assert marks(form) == [False, False]
    add_field(viewer)
    assert [box.currentText() for box in form.channels] == ["Channel 1", "Channel 2"]


def test_what_is_not_clear_is_left_empty_and_told(viewer: Any, form: CellsForm) -> None:
    for number, plane in enumerate(FIELD.pixels, 1):
        viewer.add_image(plane, name=f"Channel {number}", **UM)
    assert [box.currentText() for box in form.channels] == ["Channel 1", "", ""]
    assert marks(form) == [True, False, False]
    assert form.choice is None
    assert form.missing == "Choose the layer that shows actin, tubulin; neither names nor pictures tell."
    choose(form.channels[1], "Channel 3")
    assert [box.currentText() for box in form.channels] == ["Channel 1", "Channel 3", "Channel 2"]
    assert marks(form) == [True, False, True]
    assert form.choice is not None


@pytest.mark.parametrize(
    ("metadata", "task", "name"),
    [
        ({}, "perturbation", "input"),
        ({"control": 1}, "perturbation", "control"),
        ({"control": 0}, "perturbation", "input"),
        ({"compound": "dmso", "dose": 0.5}, "perturbation", "control"),
        ({"compound": "taxol"}, "perturbation", "input"),
        ({"control": 1}, "batch", "uncorrected"),
    ],
)
def test_cells_are_called_control_only_where_that_is_known(
    viewer: Any, form: CellsForm, metadata: dict[str, Any], task: str, name: str
) -> None:
    add_field(viewer, metadata=metadata)
    assert find(form, task).as_it_is == name


def test_crops_are_controls_where_their_table_has_one(viewer: Any, form: CellsForm) -> None:
    for data in cells_layers(simulated_cells(2, size=SIZE)):
        viewer.add_layer(Image(data[0], **data[1]))
    assert find(form).as_it_is == "control"


def test_the_batch_that_cells_are_of(viewer: Any, form: CellsForm) -> None:
    series = {"axis_labels": ("batch", "y", "x"), "metadata": {"batch": ["a", "b"]}}
    for name, plane in zip(FIELD.channels, FIELD.pixels, strict=True):
        viewer.add_image(np.stack([plane, plane]), name=name, **series)
    assert find(form, "batch").said_condition(["batch"]) == "a"
    form.axes[0].spin.setValue(1)
    assert find(form, "batch").said_condition(["batch"]) == "b"
    assert find(form, "batch").said_condition(["plate"]) is None
