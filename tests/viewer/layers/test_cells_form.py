"""Cells from anything that lies in a viewer; no window is opened."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import QPointF, Qt

from napari_impa.cells.segmenters import Nuclei
from napari_impa.cells.simulated.screen import CHANNELS, simulated_cells, simulated_field
from napari_impa.viewer.layers.as_layers import cells_layers
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.cells_form import CellsForm
from napari_impa.viewer.layers.found_cells import BORDER, BY_HAND, CROPS, OUTSIDE, SMALL, Found
from napari_impa.viewer.layers.outlines import Outlines
from napari_impa.viewer.layers.sources import MADE_BY
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


def add_labels(viewer: Any, form: CellsForm, **more: Any) -> None:
    viewer.add_labels(FIELD.labels, name="by hand", **(UM | more))
    choose(form.method, "Labels: by hand")


def test_it_follows_the_layer_list(viewer: Any, form: CellsForm) -> None:
    changes = []
    form.changed.connect(lambda: changes.append(form.choice))
    assert "Open an image" in form.missing
    add_field(viewer)
    assert [box.currentText() for box in form.channels] == list(CHANNELS)
    assert isinstance(changes[-1], CellChoice)
    count = len(changes)
    viewer.add_image(np.zeros((9, 9)), name="ours", metadata={MADE_BY: {}})
    viewer.layers.move(0, 3)
    assert len(changes) == count
    viewer.layers["actin"].name = "phalloidin"
    assert form.channels[1].currentText() == "phalloidin"
    viewer.layers.remove("phalloidin")
    assert form.choice is None
    assert form.missing == "Choose the layer that shows actin."
    assert changes[-1] is None


def test_a_colour_picture_is_no_channel(viewer: Any, form: CellsForm) -> None:
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), name="photo", rgb=True)
    assert "photo" in form.missing
    assert "RGB" in form.missing


def test_mixed_types_and_scales(viewer: Any, form: CellsForm) -> None:
    viewer.add_image(FIELD.pixels[0], name="DNA", **UM)
    viewer.add_image(FIELD.pixels[1].astype(np.int32), name="actin", **UM)
    viewer.add_image(FIELD.pixels[2][::2, ::2], name="tubulin", scale=(1.3, 1.3), units=("um", "um"))
    add_labels(viewer, form)
    found = find(form)
    assert found.cells.pixels.dtype == np.int32
    assert np.array_equal(found.field[:2], FIELD.pixels[:2, : found.field.shape[1], : found.field.shape[2]])
    assert "tubulin resampled to the pixels of DNA" in found.details()
    assert "channels converted to int32" in found.details()
    correlation = np.corrcoef(
        found.field[2].ravel(), FIELD.pixels[2][: found.field.shape[1], : found.field.shape[2]].ravel()
    )
    assert correlation[0, 1] > 0.9


def test_one_layer_with_a_channel_axis(viewer: Any, form: CellsForm) -> None:
    viewer.add_image(FIELD.pixels, name="plate", **(UM | {"scale": (1, 0.65, 0.65), "units": ("pixel", "um", "um")}))
    assert [box.currentText() for box in form.channels] == ["plate · channel 1", "", ""]
    choose(form.channels[1], "plate · channel 2")
    assert [box.currentText() for box in form.channels] == [f"plate · channel {number}" for number in (1, 2, 3)]
    assert not form.axes
    assert np.array_equal(find(form).field, FIELD.pixels)


def test_one_step_of_a_series_and_all(viewer: Any, form: CellsForm) -> None:
    for name, plane in zip(FIELD.channels, FIELD.pixels, strict=True):
        series = np.stack([plane, plane[::-1], plane[:, ::-1]])
        viewer.add_image(series, name=name, axis_labels=("t", "y", "x"))
    for layer in viewer.layers:
        layer.scale, layer.translate = (5.0, 1.0, 1.0), (-3.0, 0.0, 0.0)
    viewer.dims.set_current_step(0, 1)
    form.set_model(CHANNELS, SIZE)
    assert len(form.axes) == 1
    row = form.axes[0]
    assert form.form.labelForField(row).text() == "Time"
    row.spin.setValue(1)
    one = find(form)
    assert np.array_equal(one.field, FIELD.pixels[:, ::-1])
    assert "step" not in one.cells.table
    viewer.dims.set_current_step(0, 2)  # the slider pages through our crops as well: it changes nothing here
    assert form.choice.steps == (1,)
    row.all.setChecked(True)
    every = find(form)
    assert every.field.shape == (3, 3, 320, 320)
    assert sorted(set(every.cells.table["step"])) == [0, 1, 2]
    assert every.marks.shape == (3, 320, 320)
    outlines = Outlines(viewer, every, lambda row, out: None, lambda row: None)
    assert np.array_equal(outlines.layer.extent.world, viewer.layers["DNA"].extent.world)  # at the times of the source
    outlines.close()
    at = every.cells.table["step"].to_numpy() == 1
    assert np.array_equal(every.cells.pixels[at], one.cells.pixels)
    back = every.paste(every.cells.pixels)
    assert np.array_equal(back, every.field)
    bright = every.paste(every.cells.pixels + 100)
    row_of_step = every.cells.table[at].iloc[0]
    assert (
        bright[1, 0, row_of_step["y"], row_of_step["x"]] == every.field[1, 0, row_of_step["y"], row_of_step["x"]] + 100
    )


def test_of_a_large_lazy_image_only_the_region_is_read(viewer: Any, form: CellsForm) -> None:
    read: set[tuple[int, ...]] = set()

    def chunk(block_info: Any = None) -> Any:
        at = tuple(block_info[None]["chunk-location"])
        read.add(at)
        y, x = (number * 80 for number in at[1:])
        return FIELD.pixels[0][None, y % 320 : y % 320 + 80, x % 320 : x % 320 + 80]

    lazy = da.map_blocks(
        chunk, chunks=((1,) * 4, (80,) * 12, (80,) * 12), dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16)
    )
    for name in CHANNELS:
        viewer.add_image(lazy, name=name, axis_labels=("t", "y", "x"), contrast_limits=(0, 3000))
    viewer.add_shapes([np.array([[400, 600], [400, 700], [500, 700], [500, 600]])], name="here")
    choose(form.region, "here")
    form.axes[0].spin.setValue(2)
    read.clear()
    found = find(form)
    rows, columns = range((400 - 25) // 80, (500 + 25) // 80 + 1), range((600 - 25) // 80, (700 + 25) // 80 + 1)
    assert read == {(2, row, column) for row in rows for column in columns}
    top, left = found.cells.history["origin"]
    centres = found.cells.table[["y", "x"]].to_numpy() + np.array([top, left])
    assert (centres >= (399.5, 599.5)).all()
    assert (centres <= (500.5, 700.5)).all()
    assert found.layers.place.translate == (float(top), float(left))
    assert found.left_out.get(OUTSIDE, 0) + len(found.cells) + found.left_out.get(BORDER, 0) == len(found.candidates)


def test_a_region_that_is_moved(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    shapes = viewer.add_shapes(
        [np.array([[40.0, 40], [40, 120], [120, 120], [120, 40]])], name="here", units=("um", "um")
    )
    changes: list[Any] = []
    choose(form.region, "here")
    before = len(find(form).cells)
    form.changed.connect(lambda: changes.append(1))
    shapes.data = [np.array([[0.0, 0], [0, 208], [208, 208], [208, 0]])]
    assert changes
    assert len(find(form).cells) > before
    viewer.layers.remove("here")
    assert form.choice.region is None


def test_labels_from_elsewhere(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    coarse = FIELD.labels[::2, ::2].astype(np.uint64) + np.where(
        FIELD.labels[::2, ::2] > 0, np.uint64(10**6), np.uint64(0)
    )
    viewer.add_labels(coarse, name="by hand", scale=(1.3, 1.3), translate=(0.325, 0.325), units=("um", "um"))
    choose(form.method, "Labels: by hand")
    found = find(form)
    assert found.labels.shape == (320, 320)
    assert found.cells.table["label"].min() > 10**6
    assert (found.labels > 0)[FIELD.labels > 0].mean() > 0.9
    form.segmenter.rows.row("minimum_area").setValue(int(np.median(np.bincount(FIELD.labels.ravel())[1:])))
    fewer = find(form)
    assert fewer.left_out[SMALL] > 0
    assert "smaller than the minimum area" in fewer.details()


def test_points_are_centres(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    viewer.add_points(np.array([[65.0, 65.0], [130.0, 100.0], [1.0, 1.0]]), name="spots", units=("um", "um"))
    choose(form.method, "Points: spots")
    found = find(form)
    assert found.cells.table[["y", "x"]].to_numpy().tolist() == [[100, 100], [200, 154]]
    assert found.left_out == {BORDER: 1}
    assert found.labels is None
    assert np.array_equal(found.cells.pixels[0], FIELD.pixels[:, 76:124, 76:124])


def test_settings_of_the_segmenter_chosen(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    names = ["diameter", "threshold", "minimum_area"]
    boxes = [form.segmenter.rows.row(name) for name in names]
    assert [form.fine.getWidgetPosition(box)[0] for box in boxes] == [1, 2, 3]  # below the region
    assert all(box.toolTip() for box in boxes)
    changes: list[Any] = []
    form.changed.connect(lambda: changes.append(1))
    boxes[2].setValue(300)
    assert changes
    assert form.choice.segmenter == Nuclei(minimum_area=300)
    viewer.add_points(np.zeros((1, 2)), name="spots")
    choose(form.method, "Points: spots")
    assert form.segmenter.rows is None
    assert form.choice.segmenter is None
    assert form.fine.rowCount() == 1
    choose(form.method, "nuclei in DNA")
    assert form.segmenter.rows.row("minimum_area").value() == 300
    found = find(form)
    assert found.cells.history["segmenter_settings"] == {"minimum_area": 300}
    assert found.left_out[SMALL] > 0


def test_what_is_tuned_in_one_form_is_there_in_another(viewer: Any, form: CellsForm, qtbot: Any) -> None:
    add_field(viewer)
    other = CellsForm(viewer)
    qtbot.addWidget(other)
    other.set_segmenters([Nuclei])
    other.set_model(CHANNELS, SIZE)
    changes: list[Any] = []
    other.changed.connect(lambda: changes.append(1))
    form.segmenter.rows.row("threshold").setValue(1.4)
    assert changes == [1]
    assert other.segmenter.rows.row("threshold").value() == pytest.approx(1.4)
    assert other.choice.segmenter == form.choice.segmenter == Nuclei(threshold=1.4)
    other.close_form()


def test_labelled_crops_are_controls_and_treated(viewer: Any, form: CellsForm) -> None:
    cells = simulated_cells(8, size=SIZE, conditions=("DMSO", "shrinkage"))
    for data, options, kind in cells_layers(cells, "screen · "):
        viewer.add_layer(Image.create(data, options, kind))
    assert form.choice.method == CROPS
    found = find(form)
    assert np.array_equal(found.cells.pixels, cells.controls().pixels)
    assert np.array_equal(found.treated("shrinkage"), cells.treated("shrinkage").pixels)
    assert found.treated("mitotic arrest") is None
    assert "control cells" in found.describe()
    assert list(found.cells.table.columns) == list(cells.table.columns)
    assert len(find(form, "batch").cells) == len(cells)


def test_fewer_cells(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    add_labels(viewer, form)
    found = find(form)
    keep = np.ones(len(found.cells), bool)
    keep[[0, 3]] = False
    fewer = found.taking(keep)
    assert len(fewer.cells) == len(found.cells) - 2
    assert fewer.left_out[BY_HAND] == 2
    assert (fewer.candidates["reason"][found.rows[[0, 3]]] == BY_HAND).all()
    for row, candidate in enumerate(fewer.rows):
        assert fewer.cells.table["label"][row] == fewer.candidates["label"][candidate]
    assert BY_HAND not in set(found.candidates["reason"])


def test_a_click_in_the_field(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    add_labels(viewer, form)
    found = find(form)
    asked: list[tuple[int, bool]] = []
    brought_up: list[int] = []
    outlines = Outlines(viewer, found, lambda row, out: asked.append((row, out)), brought_up.append)
    assert outlines.layer.name == "cells found (Labels)"
    row = int(found.rows[2])
    at = found.candidates.iloc[row][["y", "x"]].to_numpy(float) * 0.65

    def click(*modifiers: str) -> None:
        event = SimpleNamespace(type="mouse_press", button=1, modifiers=modifiers, pos=(5, 5), position=tuple(at))
        for step in outlines._on_click(viewer, event):
            assert step is None
            event.type = "mouse_release"

    click()
    assert (asked, brought_up) == ([], [2])
    click("Shift")
    assert (asked, brought_up) == ([(row, True)], [2])
    outlines.layer.visible = False  # as while crops are shown
    click()
    assert brought_up == [2]
    features = outlines.layer.features
    assert features["cell"][row + 1] == "taken"  # napari takes a label's number for its row
    assert features["index"].tolist() == list(range(len(found.candidates) + 1))
    assert BORDER in set(features["cell"])
    callbacks = len(viewer.mouse_drag_callbacks)
    outlines.close()
    assert len(viewer.mouse_drag_callbacks) == callbacks - 1
    assert outlines.layer not in viewer.layers


def test_a_row_of_naparis_features_table(viewer: Any, form: CellsForm, qtbot: Any) -> None:
    from napari_builtins._qt.features_table import FeaturesTable

    add_field(viewer)
    add_labels(viewer, form)
    found = find(form)
    brought_up: list[int] = []
    outlines = Outlines(viewer, found, lambda row, out: None, brought_up.append)
    viewer.layers.selection = {outlines.layer}
    widget = FeaturesTable(viewer)
    qtbot.addWidget(widget)
    widget.table.selectRow(int(found.rows[3]) + 1)
    assert brought_up == [3]
    outlines.mark(1)  # the other way round: the cell in sight is the row that is chosen
    assert brought_up == [3]
    assert {index.row() for index in widget.table.selectedIndexes()} == {int(found.rows[1]) + 1}
    widget.table.selectRow(0)  # the background
    assert brought_up == [3]
    outlines.close()


def test_the_overview(viewer: Any, form: CellsForm, qtbot: Any) -> None:
    add_field(viewer)
    add_labels(viewer, form)
    found = find(form)
    form.show_found(found)
    overview = form.overview
    overview.resize(200, 150)
    clicked, toggled = [], []
    overview.cell_clicked.connect(clicked.append)
    overview.toggled.connect(lambda row, out: toggled.append((row, out)))
    at = overview.place_of(int(found.rows[4])).toPoint()
    qtbot.mouseClick(overview, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseClick(overview, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier, pos=at)
    assert clicked == [4]
    assert toggled == [(found.rows[4], True)]
    assert overview.candidate_at(QPointF(-50, -50)) is None
    assert not overview.grab().toImage().isNull()
    overview.set_found(None)
    assert overview.isHidden()


def test_no_layer_is_kept(viewer: Any, form: CellsForm) -> None:
    add_field(viewer)
    layer = weakref.ref(viewer.layers["actin"])
    viewer.layers.clear()
    form.close_form()
    gc.collect()
    assert layer() is None


def test_outlines_of_a_series_with_channels_behind_its_steps(viewer: Any, form: CellsForm) -> None:
    series = np.stack([FIELD.pixels, FIELD.pixels[:, ::-1]])  # (t, c, y, x)
    viewer.add_image(series, name="movie", axis_labels=("t", "c", "y", "x"), scale=(2.0, 1.0, 1.0, 1.0))
    form.set_model(CHANNELS, SIZE)
    choose(form.channels[1], "movie · channel 2")
    form.axes[0].all.setChecked(True)
    found = find(form)
    outlines = Outlines(viewer, found, lambda row, out: None, lambda row: None)
    assert outlines.layer.data.shape == (2, 3, 320, 320)
    for row in (0, len(found.rows) - 1):
        step, y, x = found.candidates.iloc[found.rows[row]][["step", "y", "x"]]
        for channel in (0, 2):
            assert outlines.candidate_at((2.0 * step, channel, y, x)) == found.rows[row]
    outlines.close()
    painted = np.zeros((2, 3, 320, 320), int)  # as on a new Labels layer, while the second channel was in sight
    painted[1, 1] = FIELD.labels[::-1]
    viewer.add_labels(painted, name="painted", scale=(2.0, 1.0, 1.0, 1.0))
    form.axes[0].all.setChecked(False)
    form.axes[0].spin.setValue(1)
    choose(form.method, "Labels: painted")
    mine = find(form)
    assert np.array_equal(mine.labels, FIELD.labels[::-1])
    assert len(mine.cells) > 5
