"""An image that is opened while a view has the canvas is offered in a line, and is no pane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_impa.cells.simulated.screen import CHANNELS
from napari_impa.viewer.entry.samples import simulated_screen
from napari_impa.viewer.kit.canvas import show_layers
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.perturb.dock import PerturbDock
from napari_impa.viewer.perturb.new_image_line import BACK, LOOK, TAKE
from napari_impa.viewer.perturb.views import SideBySide, View
from napari_impa.viewer.perturb.views.gallery import GalleryView

Settle = Callable[..., None]
BACK_LINK, LOOK_LINK = (f'href="{link}"' for link in (BACK, LOOK))


@pytest.fixture
def viewer() -> ViewerModel:
    """Layers without a window."""
    viewer = ViewerModel()
    for data in simulated_screen(size=256):
        viewer.add_layer(Layer.create(*data))
    return viewer


@pytest.fixture
def dock(viewer: ViewerModel, model_path: Path, settle: Settle, qtbot: Any) -> Iterator[PerturbDock]:
    dock = PerturbDock(viewer)  # type: ignore[arg-type]
    qtbot.addWidget(dock)
    dock.view.setCurrentIndex(dock.view.values.index(SideBySide))
    dock.use_model(model_path)
    settle(lambda: ready(dock))
    yield dock
    dock.session.close()
    settle(lambda: not dock.session.busy)


def ready(dock: PerturbDock) -> bool:
    return dock.session.result is not None and not dock.session.busy


def shown(viewer: ViewerModel) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


def test_it_is_hidden_and_offered_until_it_goes(viewer: ViewerModel, dock: PerturbDock) -> None:
    before = shown(viewer)
    new = viewer.add_layer(Image(np.zeros((300, 300)), name="new <one>"))
    assert shown(viewer) == before
    assert not dock.new_image.isHidden()
    assert "new &lt;one&gt; was opened" in dock.new_image.text()
    viewer.add_layer(Image(np.zeros((9, 9)), name="two"))
    assert "and 1 more" in dock.new_image.text()
    assert dock.new_image.images == [new, viewer.layers["two"]]
    viewer.layers.remove("two")
    assert "new &lt;one&gt; was opened: " in dock.new_image.text()
    viewer.layers.remove(new)
    assert dock.new_image.isHidden()
    viewer.add_layer(Image(np.zeros((9, 9)), name="three"))
    dock.new_image.linkActivated.emit("no")
    assert dock.new_image.isHidden()
    dock.session.close()
    assert {"three", *CHANNELS} <= shown(viewer)


def test_it_is_looked_at_as_a_field_and_the_view_comes_back(
    viewer: ViewerModel, dock: PerturbDock, settle: Settle
) -> None:
    before = shown(viewer)
    viewer.add_layer(Image(np.zeros((300, 300)), name="new"))
    viewer.add_layer(Image(np.zeros((300, 300)), name="new too"))
    viewer.add_layer(Image(np.zeros((300, 300)), name="not new for long"))
    dock.new_image.linkActivated.emit(LOOK)
    assert shown(viewer) == {"new", "new too", "not new for long"}
    viewer.layers.remove("not new for long")
    assert BACK_LINK in dock.new_image.text()
    assert LOOK_LINK not in dock.new_image.text()
    assert not viewer.canvas.grid.enabled
    assert dock.session.view is None
    dock.new_image.linkActivated.emit(BACK)
    assert shown(viewer) == before
    assert type(dock.session.view) is SideBySide
    dock.new_image.linkActivated.emit(LOOK)
    dock.seed.setValue(5)  # what is asked for meanwhile is shown, too
    settle(lambda: ready(dock) and dock.session.result.request.seed == 5)
    assert shown(viewer) == before
    dock.session.close()
    assert {"new", "new too", *CHANNELS} <= shown(viewer)


def test_the_view_comes_back_where_what_was_looked_at_is_gone(
    viewer: ViewerModel, dock: PerturbDock, settle: Settle
) -> None:
    before = shown(viewer)
    viewer.add_layer(Image(np.zeros((300, 300)), name="new"))
    dock.new_image.linkActivated.emit(LOOK)
    viewer.layers.remove("new")
    settle(lambda: shown(viewer) == before)
    assert dock.new_image.isHidden()


@pytest.mark.parametrize("view", [SideBySide, GalleryView])
def test_the_view_steps_aside_for_layers_of_another_dock(
    viewer: ViewerModel, dock: PerturbDock, settle: Settle, view: type[View]
) -> None:
    dock.view.setCurrentIndex(dock.view.values.index(view))
    settle(lambda: type(dock.session.view) is view)
    before = shown(viewer)
    made = {"metadata": {MADE_BY: {}}}
    show_layers(viewer, [(np.zeros((9, 48, 48)), {**made, "name": name}, "image") for name in ("a", "b")])
    assert shown(viewer) == {"a", "b"}
    assert "a and 1 more were opened: " in dock.new_image.text()
    assert BACK_LINK in dock.new_image.text()
    assert TAKE not in dock.new_image.text()  # which were made here
    dock.new_image.linkActivated.emit(BACK)
    assert shown(viewer) == before
    other = ViewerModel()
    show_layers(other, [(np.zeros((9, 9)), {"name": "elsewhere"}, "image")])
    assert shown(viewer) == before
    show_layers(viewer, [(np.zeros((300, 300)), {"name": "a field"}, "image")])
    assert shown(viewer) == {"a field"}
    assert TAKE in dock.new_image.text()
    assert LOOK_LINK not in dock.new_image.text()


def test_a_mask_belongs_to_its_own_field(viewer: ViewerModel, dock: PerturbDock, settle: Settle) -> None:
    field = viewer.layers["DNA"]
    viewer.add_labels((field.data > np.quantile(field.data, 0.9)).astype(int), name="by hand", scale=field.scale)
    method = dock.cells.method
    method.setCurrentIndex(next(row for row, value in enumerate(method.values) if value[2] is not None))
    settle(lambda: ready(dock))
    for data, options, kind in simulated_screen(size=256):
        viewer.add_layer(Layer.create(data, {**options, "name": f"{options['name']} of another"}, kind))
    dock.new_image.linkActivated.emit(TAKE)
    assert dock.status.said.startswith("'by hand' says where the cells of its own field are")


def test_its_cells_are_taken_where_it_has_all_channels(viewer: ViewerModel, dock: PerturbDock, settle: Settle) -> None:
    viewer.add_layer(Image(np.zeros((300, 300)), name="new"))
    dock.new_image.linkActivated.emit(TAKE)
    assert "3 channels" in dock.status.text()
    assert dock.session.found is not None
    viewer.layers.remove("new")
    for data, options, kind in simulated_screen(size=300):
        viewer.add_layer(Layer.create(data, {**options, "name": f"{options['name']} of another"}, kind))
    assert len(dock.new_image.images) == 3
    dock.new_image.linkActivated.emit(TAKE)
    settle(lambda: ready(dock) and "another" in dock.session.found.layers.names[0])
    assert dock.new_image.isHidden()
    assert [box.currentText() for box in dock.cells.channels] == [f"{name} of another" for name in CHANNELS]


def test_the_slider_says_which_cell_counted_from_one(viewer: ViewerModel, dock: PerturbDock) -> None:
    count = len(dock.session.found.cells)
    dock.session.show_cell(2)
    assert viewer.dims.current_step[0] == 2
    assert viewer.dims.axis_labels[0] == f"cell 3 of {count}"
    dock.session.close()
    assert not any("cell" in label for label in viewer.dims.axis_labels)
