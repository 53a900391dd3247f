from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image

from napari_impa.analysis.pictures.training_preview import MOST_ROWS, Picture, arrange_rows, compose
from napari_impa.engine.training.events import Samples
from napari_impa.viewer.layers.sources import is_source
from napari_impa.viewer.train import preview as previewing
from napari_impa.viewer.train.preview import Preview

Settle = Callable[..., None]
CHANNELS = ("DAPI", "actin")


def samples(brightness: float = 500, conditions: tuple[str, ...] = ("a", "b") * 4, side: int = 24) -> Samples:
    rng = np.random.default_rng(0)
    count = len(conditions)
    control, real = (rng.integers(100, 1000, (count, 2, side, side)).astype(np.uint16) for _ in range(2))
    return Samples(control, np.full_like(control, brightness), real, conditions)


@pytest.fixture
def viewer(qapp: Any) -> ViewerModel:
    return ViewerModel()


def state_of(viewer: Any) -> tuple[Any, ...]:
    camera, dims, grid = viewer.scene.camera, viewer.dims, viewer.canvas.grid
    return (
        camera.center, camera.zoom, camera.angles, dims.current_step, dims.order, dims.ndisplay,
        grid.enabled, grid.shape, grid.stride, set(viewer.layers.selection),
    )  # fmt: skip


def open_stack(viewer: Any, **how: Any) -> Image:
    layer = viewer.add_image(np.zeros((5, 100, 80), np.uint16), name="mine", **how)
    viewer.add_image(np.zeros((100, 80), np.uint16), name="other")
    viewer.layers.selection = {layer}
    viewer.dims.set_current_step(0, 3)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, 12.0, 34.0), 2.5
    return layer


def test_rows_are_conditions_and_columns_control_predicted_real() -> None:
    picture = compose(samples(), CHANNELS)
    assert picture.pixels.dtype == np.uint8
    assert picture.conditions == ("a", "a", "b", "b")
    assert picture.zoom == 6
    few = compose(samples(conditions=("a", "b", "c")), CHANNELS)
    assert few.conditions == ("a", "b", "c")
    assert few.pixels.shape[1] < picture.pixels.shape[1]


def test_the_contrast_is_that_of_real_cells_and_stays() -> None:
    dark, bright = compose(samples(0), CHANNELS), compose(samples(60_000), CHANNELS)
    assert np.array_equal(dark.limits, bright.limits)
    assert bright.pixels.mean() > dark.pixels.mean() + 20
    fixed = np.array([[0.0, 60_000.0]] * 2)
    assert compose(samples(), CHANNELS, fixed).pixels.mean() < dark.pixels.mean()


def test_a_scale_bar_where_the_pixel_size_is_known() -> None:
    plain, with_bar = compose(samples(), CHANNELS), compose(samples(), CHANNELS, None, 0.5)
    assert plain.pixels.shape == with_bar.pixels.shape
    different = np.argwhere((plain.pixels != with_bar.pixels).any(2))
    assert different[:, 0].min() > 0.9 * plain.pixels.shape[0]  # at the foot alone
    assert different[:, 1].min() > 0.5 * plain.pixels.shape[1]


@pytest.mark.parametrize("name", ["", "5-fluorouracil at a very high concentration indeed, twice", "x" * 80, "µm × –"])
def test_any_name_fits_at_the_left(name: str) -> None:
    picture = compose(samples(conditions=(name, "b")), CHANNELS)
    assert picture.pixels.shape[1] < 1000


@pytest.mark.parametrize("side", [24, 64, 96, 200])
def test_cells_of_any_side_are_about_as_large(side: int) -> None:
    assert 700 < compose(samples(side=side), CHANNELS).pixels.shape[1] < 1300


@given(st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=24))
def test_rows_have_as_many_cells_of_their_own_condition(conditions: list[str]) -> None:
    rows = arrange_rows(conditions)
    assert 1 <= len(rows) <= MOST_ROWS
    assert len({len(members) for _, members in rows}) == 1
    shown = [member for _, members in rows for member in members]
    assert len(shown) == len(set(shown))
    assert all(conditions[member] == name for name, members in rows for member in members)


def test_camera_selection_dims_and_grid_are_left_alone(viewer: Any) -> None:
    open_stack(viewer)
    before = state_of(viewer)
    preview = Preview(viewer, CHANNELS)
    for step in (1, 50):
        preview.show(compose(samples(step), CHANNELS), step)
        assert state_of(viewer) == before
    assert preview.layer is not None
    assert preview.layer.name == "training preview · step 50"
    assert preview.layer.metadata["napari-impa"] == {"step": 50, "conditions": ["a", "a", "b", "b"]}
    assert not is_source(preview.layer)
    assert len(viewer.layers) == 3


def test_a_removed_layer_comes_back_only_when_asked_for(viewer: Any) -> None:
    preview = Preview(viewer, CHANNELS)
    assert not preview.available
    preview.show(compose(samples(), CHANNELS), 1)
    viewer.layers.remove(preview.layer)
    preview.show(compose(samples(), CHANNELS), 50)
    assert len(viewer.layers) == 0
    assert preview.available
    preview.look_at()
    assert [layer.name for layer in viewer.layers] == ["training preview · step 50"]
    preview.show(compose(samples(), CHANNELS), 100)
    assert [layer.name for layer in viewer.layers] == ["training preview · step 100"]


def test_a_hidden_or_moved_layer_stays_so(viewer: Any) -> None:
    open_stack(viewer)
    preview = Preview(viewer, CHANNELS)
    preview.show(compose(samples(), CHANNELS), 1)
    assert preview.layer is not None
    preview.layer.visible, preview.layer.translate = False, (7, 8)
    viewer.layers.move(2, 0)
    preview.show(compose(samples(), CHANNELS), 2)
    assert not preview.layer.visible
    assert tuple(preview.layer.translate) == (7, 8)
    assert viewer.layers[0] is preview.layer
    preview.look_at()
    assert preview.layer.visible
    assert preview.layer.interpolation2d == "linear"


def test_the_picture_of_the_training_before_goes(viewer: Any) -> None:
    mine = open_stack(viewer)
    first = Preview(viewer, CHANNELS)
    first.show(compose(samples(), CHANNELS), 3)
    second = Preview(viewer, CHANNELS, replaces=first.layer)
    assert first.shown
    second.show(compose(samples(), CHANNELS), 1)
    assert not first.shown
    assert [layer.name for layer in viewer.layers] == ["mine", "other", "training preview · step 1"]
    assert viewer.layers.selection == {mine}


def test_it_does_not_push_itself_into_the_grid(viewer: Any) -> None:
    open_stack(viewer)
    viewer.canvas.grid.enabled = True
    preview = Preview(viewer, CHANNELS)
    preview.show(compose(samples(), CHANNELS), 1)
    assert preview.layer is None
    viewer.canvas.grid.enabled = False
    preview.show(compose(samples(), CHANNELS), 2)
    assert preview.layer is not None


def test_it_stands_beside_the_layers_true_to_scale(viewer: Any) -> None:
    viewer.add_image(np.zeros((100, 80)), scale=(500, 500), units=("nm", "nm"))
    preview = Preview(viewer, CHANNELS, 0.25)
    picture = compose(samples(), CHANNELS, None, 0.25)
    preview.show(picture, 1)
    assert preview.layer is not None
    assert tuple(preview.layer.scale) == pytest.approx((250 / picture.zoom,) * 2)
    assert {str(unit) for unit in preview.layer.units} == {"nanometer"}
    assert preview.layer.translate[1] > 80 * 500


def test_beside_layers_without_a_unit_it_is_as_tall_as_they_are(viewer: Any) -> None:
    viewer.add_image(np.zeros((100, 80)))
    preview = Preview(viewer, CHANNELS, 0.25)
    preview.show(compose(samples(), CHANNELS), 1)
    assert preview.layer is not None
    assert preview.layer.scale[0] * preview.layer.data.shape[0] == pytest.approx(100, rel=0.02)


def test_alone_it_is_true_to_scale(viewer: Any) -> None:
    preview = Preview(viewer, CHANNELS, 0.3)
    preview.show(compose(samples(), CHANNELS), 1)
    assert preview.layer is not None
    assert tuple(preview.layer.scale) == pytest.approx((0.05, 0.05))
    assert {str(unit) for unit in preview.layer.units} == {"micrometer"}
    preview.look_at()
    low, high = preview.layer.extent.world
    assert tuple(viewer.scene.camera.center[-2:]) == pytest.approx(tuple((low + high) / 2))


def test_it_is_composed_in_the_background(viewer: Any, settle: Settle, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def compose_slowly(*how: Any) -> Picture:
        threads.append(threading.current_thread().name)
        return compose(*how)

    monkeypatch.setattr(previewing, "compose", compose_slowly)
    preview = Preview(viewer, CHANNELS)
    preview.draw(samples(0), 1)
    settle(lambda: preview.layer is not None)
    preview.draw(samples(60_000), 50)
    settle(lambda: preview.layer is not None and preview.layer.name.endswith("50"))
    assert threading.main_thread().name not in threads
    assert len(threads) == 2
    assert preview._limits is not None
    assert preview._limits[0, 1] < 1100


def test_a_closed_viewer_gets_no_picture(viewer: Any, settle: Settle) -> None:
    preview = Preview(viewer, CHANNELS)
    preview.draw(samples(), 1)
    preview.composing.cancel()
    settle(lambda: not preview.composing.busy)
    assert not preview.available
