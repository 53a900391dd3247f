from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_impa.analysis import certainty
from napari_impa.analysis.pictures.composite import channel_colours, composite, display_limits
from napari_impa.cells.simulated.screen import simulated_field
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.channels import channel_layers
from napari_impa.viewer.layers.found_cells import LABELS, Found
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.library.settings import Settings
from napari_impa.viewer.perturb.prediction import EncodedCells, predict_cells
from napari_impa.viewer.perturb.request import Predicted, PredictedBlock, Request, made_by
from napari_impa.viewer.perturb.views import (
    VIEWS,
    ChannelsApart,
    Difference,
    Flicker,
    InPlace,
    SideBySide,
    Uncertainty,
    View,
)
from napari_impa.viewer.perturb.views import view as view_module
from napari_impa.viewer.perturb.views.difference import round_reach
from napari_impa.viewer.perturb.views.flicker import FlickerControls
from napari_impa.viewer.perturb.views.in_place import paste_cells
from napari_impa.viewer.perturb.views.panes import Panes
from napari_impa.viewer.perturb.views.uncertainty import DRAWS, SpreadBlock, spread_cells
from napari_impa.viewer.perturb.views.view import LONGEST
from napari_impa.watch import Token

FIELD = simulated_field(seed=3, size=320)
REQUEST = Request(("shrinkage",), strength=0.7, variability=0.3, seed=5)


def loaded(model: IMPA) -> Loaded:
    return Loaded("small", model, model.hash, "CPU")


@pytest.fixture
def viewer() -> ViewerModel:
    viewer = ViewerModel()
    for name, plane, colour in zip(FIELD.channels, FIELD.pixels, ("blue", "red", "green"), strict=True):
        options = {"scale": (0.65, 0.65), "units": ("um", "um"), "translate": (10, 20), "contrast_limits": (100, 2100)}
        viewer.add_image(plane, name=name, colormap=colour, metadata={"control": 1}, **options)
    viewer.add_image(FIELD.pixels[0], name="something else")
    return viewer


@pytest.fixture
def found(viewer: ViewerModel) -> Found:
    sources = channel_layers([viewer.layers[name] for name in FIELD.channels])
    return find_cells(Token(), sources, FIELD.channels, 48, LABELS, 0, FIELD.labels)


@pytest.fixture
def predicted(model: IMPA, found: Found) -> Predicted:
    return predict_cells(Token(), EncodedCells(loaded(model), found), REQUEST)


@pytest.fixture
def about(model: IMPA) -> Callable[[int], dict[str, object]]:
    return lambda number: made_by(loaded(model), REQUEST, number)


def shown_as(found: Found, channel: int) -> tuple[str, list[float]]:
    """Colour of a channel in all pictures, and contrast of the cells."""
    name = channel_colours(FIELD.channels)[channel]
    return f"impa {name}", display_limits(found.cells.pixels[:, :, ::2, ::2])[channel].tolist()


def panes_of(viewer: ViewerModel) -> list[list[str]]:
    """Names of the visible layers in each pane of the grid, from the left, from the top of the list down."""
    grid, layers = viewer.canvas.grid, viewer.layers
    rows, columns = grid.actual_shape(layers)
    assert rows == 1
    inside = [
        [layers[i].name for i in grid.contents_at((0, column), layers) if layers[i].visible]
        for column in range(columns)
    ]
    return [names[::-1] for names in inside]


def test_side_by_side_in_two_panes_whatever_else_is_open(viewer, found, predicted, about) -> None:
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    left = [f"control · {name}" for name in FIELD.channels]
    right = [f"shrinkage ×0.7 · {name}" for name in FIELD.channels]
    assert panes_of(viewer) == [left, right]
    viewer.layers["something else"].visible = True
    viewer.layers["tubulin"].visible = True
    assert panes_of(viewer)[:2] == [left, right]
    viewer.add_image(np.zeros((9, 9)), name="opened later")
    assert panes_of(viewer)[:2] == [left, right]


def test_side_by_side_keeps_what_belongs_to_the_source(viewer, found, predicted, about) -> None:
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    for channel, name in enumerate(FIELD.channels):
        source, control = viewer.layers[name], viewer.layers[f"control · {name}"]
        after = viewer.layers[f"shrinkage ×0.7 · {name}"]
        for layer in (control, after):
            assert layer.data.dtype == source.data.dtype
            assert layer.data.shape == (len(found.cells), 48, 48)
            assert np.array_equal(layer.scale[1:], source.scale)
            assert np.array_equal(layer.translate[1:], source.translate)
            assert layer.units[1:] == source.units
            assert (layer.colormap.name, layer.contrast_limits) == shown_as(found, channel)
            assert layer.blending == "additive"
            assert layer.name_overlay.visible
        assert np.array_equal(control.data, found.cells.pixels[:, channel])
        assert np.array_equal(after.data, predicted.pixels[0, :, channel])
        assert after.metadata[MADE_BY] == about(0)
    assert viewer.dims.axis_labels[0] == f"cell 1 of {len(found.cells)}"  # napari's own slider counts from 0


def test_contrast_limits_are_linked_in_pairs(viewer, found, predicted, about) -> None:
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    viewer.layers["control · actin"].contrast_limits = (7, 77)
    assert viewer.layers["shrinkage ×0.7 · actin"].contrast_limits == [7, 77]
    assert viewer.layers["shrinkage ×0.7 · DNA"].contrast_limits == shown_as(found, 0)[1]
    assert viewer.layers["actin"].contrast_limits == [100, 2100]


def test_blocks_are_shown_as_they_come(viewer, found, predicted, about) -> None:
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    view.show_block(PredictedBlock(REQUEST, 0, slice(2, 4), predicted.pixels[0, 2:4]), about)
    after = viewer.layers["shrinkage ×0.7 · DNA"].data
    assert np.array_equal(after[2:4], predicted.pixels[0, 2:4, 0])
    assert not after[:2].any()
    assert not after[4:].any()


def test_difference_is_predicted_minus_control(viewer, found, predicted, about) -> None:
    view = Difference(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    assert panes_of(viewer) == [[f"Δ {name} · shrinkage ×0.7"] for name in FIELD.channels]
    for channel, name in enumerate(FIELD.channels):
        layer = viewer.layers[f"Δ {name} · shrinkage ×0.7"]
        expected = predicted.pixels[0, :, channel].astype(int) - found.cells.pixels[:, channel]
        assert np.array_equal(layer.data, expected)
        low, high = shown_as(found, channel)[1]
        assert layer.contrast_limits == [-round_reach((high - low) / 2), round_reach((high - low) / 2)]
        assert np.allclose(layer.colormap.map(np.array([0.5])), (0, 0, 0, 1), atol=0.01)


def test_in_place_replaces_the_field_and_nothing_else(viewer, found, predicted, about, model) -> None:
    sources = [viewer.layers[name] for name in FIELD.channels]
    view = InPlace(viewer, found, REQUEST, sources)
    fields = paste_cells(Token(), EncodedCells(loaded(model), found), predicted)
    view.show_further(predicted, fields, about)
    assert not viewer.canvas.grid.enabled
    assert not any(layer.visible for layer in sources)
    assert viewer.layers["something else"].visible
    for channel, source in enumerate(sources):
        layer = viewer.layers[f"shrinkage ×0.7 · {source.name}"]
        assert np.array_equal(layer.data, fields[0][channel])
        assert layer.data.dtype == source.data.dtype
        assert np.array_equal(layer.extent.world, source.extent.world)
        assert layer.units == source.units
        assert layer.metadata[MADE_BY] == about(0)


@pytest.mark.parametrize("kind", VIEWS)
def test_closing_puts_the_viewer_back(viewer, found, predicted, about, model, qapp, kind: type[View]) -> None:
    grid, camera = viewer.canvas.grid, viewer.scene.camera
    grid.enabled, grid.stride, grid.shape, grid.spacing = True, 2, (3, 1), 0.1
    camera.center, camera.zoom = (0.0, 12.0, 34.0), 5.0
    viewer.layers["tubulin"].visible = False
    before = [(layer.name, layer.visible) for layer in viewer.layers]
    view = kind(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    if kind.further is not None and not kind.missing(found, loaded(model)):
        encoded = EncodedCells(loaded(model), found)
        view.show_further(predicted, kind.further.of_all(Token(), encoded, predicted), about)
    assert [(layer.name, layer.visible) for layer in viewer.layers] != before
    view.close()
    assert (grid.enabled, grid.stride, tuple(grid.shape), grid.spacing) == (True, 2, (3, 1), 0.1)
    assert (tuple(camera.center), camera.zoom) == ((0.0, 12.0, 34.0), 5.0)
    assert [(layer.name, layer.visible) for layer in viewer.layers] == before


def test_layers_are_freed(viewer, found, predicted, about) -> None:
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    alive = [weakref.ref(layer) for layer in view.panes.layers]
    view.close()
    del view
    viewer.layers.selection.active = viewer.layers["DNA"]  # napari itself keeps the layer that was active last
    gc.collect()
    assert [layer() for layer in alive] == [None] * 6


def test_a_deleted_layer_is_noticed(viewer, found, predicted, about) -> None:
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    assert view.whole
    viewer.layers.remove("control · DNA")
    assert not view.whole
    view.close()
    assert len(viewer.layers) == 4


def test_camera_follows_the_window_unless_the_user_moved_it() -> None:
    viewer = ViewerModel()
    panes = Panes(viewer)
    panes.show([Image(np.zeros((4, 48, 48))), Image(np.zeros((4, 48, 48)))], stride=1)
    camera, before = viewer.scene.camera, viewer.scene.camera.zoom
    viewer.canvas.size = (1600, 1200)
    assert camera.zoom == pytest.approx(2 * before, rel=0.05)
    camera.zoom = 3.0
    viewer.canvas.size = (800, 600)
    assert camera.zoom == 3.0


TWO = Request(("shrinkage", NewCondition("new", vector=[0.0, 1.0])), strength=0.7, variability=0.3, seed=5)


def two(found: Found) -> Predicted:
    pixels = np.stack([found.cells.pixels // 2, found.cells.pixels // 3])
    return Predicted(TWO, pixels, 0.1)


def tell(number: int) -> dict[str, object]:
    return {"condition": TWO.name(number)}


def test_a_pane_for_each_target_and_for_real_cells_beside_it(viewer, found) -> None:
    real = {"shrinkage": found.cells.pixels + 1, "new": None}
    view = SideBySide(viewer, found, TWO, list(viewer.layers), real)
    view.show(two(found), tell)
    assert names_in_panes(viewer) == [
        [f"{text} · {name}" for name in FIELD.channels]
        for text in ("control", "shrinkage ×0.7", "real shrinkage", "new ×0.7")
    ]
    assert np.array_equal(viewer.layers["new ×0.7 · actin"].data, found.cells.pixels[:, 1] // 3)
    assert np.array_equal(viewer.layers["real shrinkage · actin"].data, found.cells.pixels[:, 1] + 1)
    assert viewer.layers["new ×0.7 · DNA"].metadata[MADE_BY] == {"condition": "new"}
    viewer.layers["new ×0.7 · actin"].contrast_limits = (7, 77)
    for text in ("control", "shrinkage ×0.7", "real shrinkage"):
        assert viewer.layers[f"{text} · actin"].contrast_limits == [7, 77]
    assert view.fits(TWO, real)
    assert not view.fits(REQUEST, real)
    assert not view.fits(TWO, {"shrinkage": None, "new": None})


def names_in_panes(viewer: ViewerModel) -> list[list[str]]:
    """As `panes_of`, whatever the rows of the grid."""
    grid, layers = viewer.canvas.grid, viewer.layers
    rows, columns = grid.actual_shape(layers)
    places = [(row, column) for row in range(rows) for column in range(columns)]
    return [
        names[::-1]
        for place in places
        if (names := [layers[i].name for i in grid.contents_at(place, layers) if layers[i].visible])
    ]


def test_channels_apart_have_a_row_each_in_colours_and_in_grey(viewer, found) -> None:
    real = {"shrinkage": found.cells.pixels + 1, "new": None}
    view = ChannelsApart(viewer, found, TWO, list(viewer.layers), real)
    view.show(two(found), tell)
    rows = ("control", "shrinkage ×0.7", "real shrinkage", "new ×0.7")
    assert viewer.canvas.grid.actual_shape(viewer.layers) == (4, 4)
    each = [[text, *(f"{text} · {name}" for name in FIELD.channels)] for text in rows]
    assert names_in_panes(viewer) == [[name] for names in each for name in names]
    grey = viewer.layers["new ×0.7 · actin"]
    assert (grey.colormap.name, grey.blending) == ("gray", "opaque")
    assert np.array_equal(grey.data, found.cells.pixels[:, 1] // 3)
    mixed, limits = viewer.layers["real shrinkage"], display_limits(found.cells.pixels[:, :, ::2, ::2])
    view.panes.viewer.dims.set_current_step(0, 2)
    expected = composite(found.cells.pixels[2:3] + 1, limits, channel_colours(FIELD.channels))[0]
    assert np.array_equal(np.asarray(mixed.data[2]), expected)
    assert np.array_equal(np.asarray(mixed.data[1:3])[1], expected)
    viewer.layers["control · actin"].contrast_limits = (0, 10)  # for all rows, and what is mixed of them
    assert grey.contrast_limits == [0, 10]
    limits[1] = 0, 10
    brighter = composite(found.cells.pixels[2:3] + 1, limits, channel_colours(FIELD.channels))[0]
    assert np.array_equal(np.asarray(mixed.data[2, 5:9, :, 0]), brighter[5:9, :, 0])
    assert view.looks_now() is None
    titles = [layer.name for layer in view.panes.layers[::-1] if layer.name_overlay.visible]
    assert titles == [*each[0], *rows[1:]]  # of columns and rows; those of all panes would be cut off
    view.close()


def test_the_mixed_picture_has_the_gamma_and_the_colours_of_its_channels(viewer, found) -> None:
    looks = [
        replace(look, colormap=name) for look, name in zip(found.layers.looks, ("red", "green", "blue"), strict=True)
    ]
    found = replace(found, layers=replace(found.layers, looks=tuple(looks)))
    view = ChannelsApart(viewer, found, TWO, list(viewer.layers))
    view.show(two(found), tell)
    assert viewer.layers["new ×0.7"].thumbnail[..., :3].any()
    mixed, drawn = viewer.layers["control"], []
    mixed.events.set_data.connect(lambda event: drawn.append(event))
    viewer.layers["new ×0.7 · actin"].gamma = 0.5  # which is one for all rows
    assert drawn
    red, green, blue = (
        viewer.layers["control · DNA"],
        viewer.layers["control · actin"],
        viewer.layers["control · tubulin"],
    )
    places = [
        np.clip((one.data[2] - one.contrast_limits[0]) / np.ptp(one.contrast_limits), 0, 1)
        for one in (red, green, blue)
    ]
    places[1] = places[1] ** 0.5
    shares = np.stack(places, axis=-1)
    expected = shares * (shares.max(axis=-1) / np.maximum(shares.sum(axis=-1), 1e-9))[..., None]
    np.testing.assert_allclose(np.asarray(mixed.data[2]), 255 * expected, atol=1)
    view.close()


def test_titles_of_many_channels_fit_into_narrow_panes(viewer, found) -> None:
    names = tuple(f"a stain of channel number {number}" for number in range(7))
    pixels = np.repeat(found.cells.pixels[:, :1], 7, axis=1)
    layers = replace(found.layers, looks=found.layers.looks[:1] * 7)
    found = replace(found, cells=replace(found.cells, pixels=pixels, channels=names), layers=layers)
    request = Request((NewCondition("4-hydroxyphenylretinamide", vector=[0.0, 1.0]),))
    view = ChannelsApart(viewer, found, request, list(viewer.layers))
    view.show(Predicted(request, pixels[None], 0.1), tell)
    titles = [layer.name for layer in view.panes.layers[::-1] if layer.name_overlay.visible]
    assert len(titles) == 9
    assert max(map(len, titles)) <= LONGEST / 2  # of eight columns, where four have room for all of it
    assert titles[0] == "control"
    assert titles[-1].startswith("4-hyd")
    view.close()


def test_colours_that_are_added_up_are_never_cut_off(viewer, found, predicted, about) -> None:
    """Nuclei, which are bright in all channels, would be white."""
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    bright = sum(layer.colormap.map(np.array([0.8]))[0, :3] for layer in view.panes.layers[:3])
    assert 0.8 < bright.max() < 0.95
    dim = viewer.layers["control · actin"].colormap
    assert np.allclose(dim.map(np.array([0.5])), 0.7 * dim.map(np.array([1.0])) + [0, 0, 0, 0.3], atol=0.01)
    view.close()


def test_names_in_panes_are_the_legend_and_there_is_one_scale_bar(viewer, found, predicted, about) -> None:
    bar = viewer.canvas.overlays.scale_bar
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    assert bar.visible
    colours = [viewer.layers[f"control · {name}"].name_overlay.color[:3] for name in FIELD.channels]
    assert colours[0].argmax() == 2  # nuclei are blue
    assert colours[1].argmax() == 0  # then orange
    assert min(map(max, colours)) == pytest.approx(1)
    view.close()
    assert not bar.visible
    bar.visible = True  # the user's own
    SideBySide(viewer, found, REQUEST, list(viewer.layers)).close()
    assert bar.visible


def test_long_names_are_shortened_in_the_middle(viewer, found) -> None:
    name = "4-hydroxyphenylretinamide at fifty micromolar"
    request = Request((NewCondition(name, vector=[0.0, 1.0]),))
    view = SideBySide(viewer, found, request, list(viewer.layers))
    view.show(Predicted(request, found.cells.pixels[None], 0.1), lambda number: {"condition": name})
    layer = next(layer for layer in viewer.layers if layer.metadata.get(MADE_BY, {}).get("condition") == name)
    title = layer.name.split(" · ")[0]
    assert len(title) <= LONGEST
    assert title[0] == "4"
    assert title.endswith("micromolar")
    view.close()


@pytest.mark.parametrize(("chosen", "drawn"), [("smooth", "linear"), ("squares", "nearest")])
def test_pixels_are_drawn_as_the_preferences_say(viewer, found, monkeypatch, chosen: str, drawn: str) -> None:
    monkeypatch.setattr(view_module, "read_settings", lambda: Settings(interpolation=chosen))
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    assert {layer.interpolation2d for layer in view.panes.layers} == {drawn}
    view.close()


def test_difference_has_a_row_a_target_and_a_column_a_channel(viewer, found) -> None:
    view = Difference(viewer, found, TWO, list(viewer.layers))
    view.show(two(found), tell)
    assert viewer.canvas.grid.actual_shape(viewer.layers) == (2, 3)
    assert names_in_panes(viewer) == [
        [f"Δ {name} · {text}"] for text in ("shrinkage ×0.7", "new ×0.7") for name in FIELD.channels
    ]


def test_in_place_has_a_pane_a_target(viewer, found) -> None:
    view = InPlace(viewer, found, TWO, list(viewer.layers))
    view.show_further(two(found), [found.field // 2, found.field // 3], tell)
    assert names_in_panes(viewer) == [
        [f"{text} · {name}" for name in FIELD.channels] for text in ("shrinkage ×0.7", "new ×0.7")
    ]
    assert np.array_equal(viewer.layers["new ×0.7 · DNA"].data, found.field[0] // 3)


def test_flicker_has_the_first_target_on_the_left(viewer, found) -> None:
    view = Flicker(viewer, found, Request(("shrinkage", "mitotic arrest")), [])
    on_top = [view.panes.layers[-1], view.panes.layers[-7]]
    assert on_top == [view.control_stacks[0][0], view.control_stacks[1][0]]
    view.close()


def test_flicker_shows_one_of_the_two_and_says_which(viewer, found, predicted, about, qtbot) -> None:
    view = Flicker(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    assert len(names_in_panes(viewer)) == 1

    def on_canvas() -> set[str]:
        return {layer.name.split(" · ")[0] for layer in view.panes.layers if layer.name_overlay.visible}

    def seen() -> set[str]:
        return {layer.name.split(" · ")[0] for layer in view.panes.layers if layer.opacity and layer.visible}

    assert on_canvas() == seen() == {"shrinkage ×0.7"}
    view.turn()
    assert on_canvas() == seen() == {"control"}
    viewer.layers["control · actin"].visible = False  # the user's choice, which turns leave alone
    view.turn()
    assert not viewer.layers["shrinkage ×0.7 · actin"].visible
    view.steer(FlickerControls(99))
    assert view._timer.interval() >= 333  # never more than three flashes a second
    before = view.predicted_on_turn
    qtbot.waitUntil(lambda: view.predicted_on_turn is not before, timeout=5000)
    view.steer(FlickerControls(0))
    assert not view._timer.isActive()
    view.close()
    assert len(viewer.layers) == 4


def test_uncertainty_shows_the_spread_and_says_its_limits(viewer, found, predicted, about, model) -> None:
    view = Uncertainty(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    encoded = EncodedCells(loaded(model), found)
    blocks: list[SpreadBlock] = []
    result = spread_cells(Token(blocks.append), encoded, predicted)
    for block in blocks:
        view.show_block(block, about)
    layer = viewer.layers["± actin · shrinkage ×0.7"]
    assert np.array_equal(layer.data, result[0, :, 1])
    assert layer.data.max() > 0
    assert layer.contrast_limits[0] == 0
    assert layer.contrast_limits[1] == pytest.approx(np.quantile(result[0, 0, 1], 0.999), rel=1e-3)
    assert layer.colorbar.visible


def test_dims_come_back(found) -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((7, 320, 320)), name="movie", axis_labels=("t", "y", "x"))
    viewer.dims.current_step = (5, 0, 0)
    viewer.dims.ndisplay = 3
    view = SideBySide(viewer, found, REQUEST, list(viewer.layers))
    assert viewer.dims.ndisplay == 2
    viewer.dims.set_current_step(0, 2)
    assert view.panes.cell == 2
    assert view.panes.step_before[0] == 5
    view.close()
    assert viewer.dims.current_step[0] == 5
    assert viewer.dims.ndisplay == 3
    assert viewer.dims.axis_labels == ("t", "y", "x")


def test_a_view_says_what_it_is_and_what_it_needs(found, model) -> None:
    assert len({view.title for view in VIEWS}) == len(VIEWS)
    assert all(view.tip.endswith(".") for view in VIEWS)
    crops = replace(found, field=None)
    assert [view.title for view in VIEWS if view.missing(found, loaded(model))] == ["what mattered"]  # no real cells
    assert [view.title for view in VIEWS if view.missing(crops, loaded(model))] == ["in place", "what mattered"]
    assert VIEWS[0].needs == ()  # it takes the place of the others


def test_the_spread_is_over_as_many_draws_as_a_script_takes() -> None:
    assert DRAWS == certainty.DRAWS
    assert f"over {DRAWS} draws" in Uncertainty.tip
