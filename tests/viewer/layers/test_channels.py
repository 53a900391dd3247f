from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image, Labels

from napari_impa.cells.simulated.screen import simulated_cells, simulated_field
from napari_impa.errors import CellsError
from napari_impa.viewer.layers.channel_guess import SourceGuess, guess_channels, guess_sources
from napari_impa.viewer.layers.channels import channel_layers
from napari_impa.viewer.layers.geometry import Window
from napari_impa.viewer.layers.masks import labels_plane
from napari_impa.viewer.layers.sources import (
    MADE_BY,
    Channel,
    are_crops,
    is_mask,
    is_source,
    offered_channels,
    place_of,
)

STAINS = ["DNA", "actin", "tubulin", "mito"]
OTHERS = {"DNA": "w1 Hoechst", "actin": "Phalloidin 568", "tubulin": "c3-tubulin", "mito": "MitoTracker"}


@given(st.permutations(STAINS), st.lists(st.sampled_from(["brightfield", "mask", "x"]), max_size=2, unique=True))
def test_stains_are_found_under_other_names_in_any_order(order: list[str], more: list[str]) -> None:
    layers = more + [OTHERS[name] for name in order]
    assert [layers[at] for at in guess_channels(STAINS, layers)] == [OTHERS[name] for name in STAINS]


def test_same_name_beats_an_alike_one() -> None:
    assert guess_channels(["DNA"], ["DAPI", "DNA"]) == [1]


def test_a_number_is_no_name() -> None:
    assert guess_channels(["DNA", "actin"], ["Channel 1", "Channel 2"]) == [None, None]
    assert guess_channels(["channel 1", "channel 2"], ["Channel 2", "Channel 1"]) == [1, 0]


def test_nothing_to_guess_from() -> None:
    assert guess_channels(["DNA"], []) == [None]
    assert guess_channels([], ["DNA"]) == []


def plane(name: str = "DNA", shape: tuple[int, ...] = (20, 30), dtype: type = np.uint16, **more: object) -> Image:
    data = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    return Image(data, name=name, **{"scale": (0.5,) * len(shape), **more})


SCREEN = simulated_field(seed=5, size=256)


def two_layers(order: tuple[int, int], names: tuple[str, str] = ("Channel 1", "Channel 2")) -> list[Channel]:
    return offered_channels([Image(SCREEN.pixels[at], name=name) for at, name in zip(order, names, strict=True)])


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 2), (2, 0)])
def test_where_names_say_nothing_nuclei_are_known_by_their_look(order: tuple[int, int]) -> None:
    offered = two_layers(order)
    nuclei = offered[order.index(0)]
    found = guess_sources(["DNA", "tubulin"], offered)
    assert found[0] == SourceGuess(nuclei, by_name=False)
    assert found[1] == SourceGuess(next(one for one in offered if one is not nuclei), by_name=False)


def test_what_pictures_do_not_tell_stays_open() -> None:
    offered = offered_channels([Image(SCREEN.pixels[at], name=f"C{at}") for at in (2, 0, 1)])
    assert guess_sources(SCREEN.channels, offered) == [SourceGuess(offered[1], by_name=False), None, None]
    assert guess_sources(["DNA", "tubulin"], two_layers((1, 2))) == [None, None]
    assert guess_sources(["NFkB", "tubulin"], two_layers((0, 1))) == [None, None]
    held = guess_sources(SCREEN.channels, offered, [offered[1], offered[2], None])
    assert held == [None, None, SourceGuess(offered[0], by_name=False)]


def test_a_layer_that_is_named_after_another_stain_is_not_guessed() -> None:
    offered = two_layers((0, 1), ("tubulin", "x"))
    assert guess_sources(["DNA", "actin"], offered) == [None, None]
    assert guess_sources(["DNA"], offered[:1]) == [None]


def test_crops_are_looked_at_too() -> None:
    cells = simulated_cells(6, size=48, seed=1)
    stacks = [Image(cells.pixels[:, at], name=f"C{at}") for at in (1, 0)]
    found = guess_sources(["DNA", "actin"], offered_channels(stacks))
    assert [one and one.channel.layer for one in found] == stacks[::-1]


def test_pixels_place_and_looks_are_taken_over() -> None:
    layers = [
        plane(name, units=("um", "um"), translate=(3, 4), colormap=colour, contrast_limits=(1, 99))
        for name, colour in (("DNA", "blue"), ("actin", "red"))
    ]
    found = channel_layers(layers)
    assert found.read().shape == (2, 20, 30)
    assert found.read().dtype == np.uint16
    assert found.place.scale == (0.5, 0.5)
    assert found.place.translate == (3.0, 4.0)
    assert found.place.pixel_size == pytest.approx(0.5)
    assert not found.remarks
    assert [look.colormap.name for look in found.looks] == ["blue", "red"]
    assert found.looks[0].contrast_limits == (1.0, 99.0)
    assert not found.are_stacks


def test_nanometres_are_converted_and_pixels_are_no_length() -> None:
    assert channel_layers([plane(units=("nm", "nm"), scale=(650, 650))]).place.pixel_size == pytest.approx(0.65)
    assert channel_layers([plane()]).place.pixel_size is None


def test_steps_of_a_series() -> None:
    movie = plane(shape=(5, 20, 30))
    assert np.array_equal(channel_layers([movie], steps=(3,)).read()[0], movie.data[3])
    assert np.array_equal(channel_layers([movie], steps=(2, 3)).read()[0], movie.data[3])
    assert np.array_equal(channel_layers([movie], steps=(99,)).read()[0], movie.data[4])
    assert np.array_equal(channel_layers([movie]).read()[0], movie.data[0])
    still = plane(shape=(20, 30))
    found = channel_layers([movie, still], steps=(None,))
    assert found.steps == 5
    assert np.array_equal(found.read(step=2), [movie.data[2], still.data])
    with pytest.raises(CellsError, match="5 and 4 steps"):
        channel_layers([movie, plane("b", (4, 20, 30))], steps=(None,))


def test_stacks_are_read_row_by_row_and_cut_at_the_centre() -> None:
    stack = plane(shape=(6, 21, 21))
    found = channel_layers([stack, stack], stacks=True)
    cells = found.read_cells(np.array([4, 1]), 9)
    assert np.array_equal(cells[:, 0], stack.data[[4, 1], 6:15, 6:15])
    assert found.steps == 6
    assert found.read_cells(np.array([], int), 9).shape == (0, 2, 9, 9)
    with pytest.raises(CellsError, match="differ in size"):
        channel_layers([stack, plane("b", (5, 21, 21))], stacks=True)
    with pytest.raises(CellsError, match="no stack of crops"):
        channel_layers([plane()], stacks=True)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("u1", "u2", "u2"), ("u2", "i2", "i4"), ("u2", "f4", "f4"), ("u4", "f4", "f8"), ("?", "u2", "u2")],
)
def test_types_are_mixed_without_losing_values(one: str, other: str, expected: str) -> None:
    a = np.array([[0, 1], [1, 0]]).astype(one)
    high = np.finfo(other).max if other == "f4" else np.iinfo(other).max
    b = np.full((2, 2), high, other)
    found = channel_layers([Image(a.astype(np.uint8) if one == "?" else a, name="a"), Image(b, name="b")])
    assert found.dtype == np.dtype(expected)
    assert np.array_equal(found.read()[0], a)
    assert np.array_equal(found.read()[1], b)
    assert found.remarks == (f"channels converted to {found.dtype}",)


def test_a_coarser_channel_is_resampled_to_the_first() -> None:
    y, x = np.mgrid[:20, :30]
    fine = (10.0 * y + x).astype(np.float32)
    coarse = fine.reshape(10, 2, 15, 2).mean(axis=(1, 3))
    layers = [
        Image(fine, name="fine", scale=(0.5, 0.5), units=("um", "um")),
        Image(coarse, name="coarse", scale=(1000, 1000), translate=(250, 250), units=("nm", "nm")),
    ]
    found = channel_layers(layers)
    assert found.window == Window(0, 0, 20, 30)
    pixels = found.read()
    assert np.allclose(pixels[0], fine)
    assert np.allclose(pixels[1, 1:-1, 1:-1], fine[1:-1, 1:-1], atol=1e-3)
    assert found.remarks == ("coarse resampled to the pixels of fine",)


def test_only_what_all_channels_show_is_taken() -> None:
    found = channel_layers([plane(), plane("b", translate=(1, 2))])
    assert found.window == Window(2, 4, 18, 26)
    assert np.array_equal(found.read()[0], plane().data[2:, 4:])
    assert np.array_equal(found.read()[1], plane().data[:18, :26])
    assert found.remarks == ("only the 18×26 px that all channels show",)
    with pytest.raises(CellsError, match="do not overlap"):
        channel_layers([plane(), plane("b", translate=(100, 0))])


def test_a_rotated_channel_is_turned_back() -> None:
    spot = np.zeros((41, 41), np.float32)
    spot[10, 20] = 100
    turned = Image(np.rot90(spot), name="turned", rotate=-90, translate=(0, 40))
    layers = [Image(spot, name="a"), turned]
    found = channel_layers(layers)
    y, x = np.unravel_index(found.read()[1].argmax(), found.window.shape)
    world = turned.data_to_world(np.unravel_index(turned.data.argmax(), turned.data.shape))
    assert np.allclose((y + found.window.top, x + found.window.left), world)
    place = place_of(Channel(turned))
    assert np.allclose(place.matrix @ (3, 5, 1), (*turned.data_to_world((3, 5)), 1))
    again = Image(spot, **place.options())
    assert np.allclose(again.data_to_world((3, 5)), turned.data_to_world((3, 5)))


def test_the_finest_level_of_several_is_read() -> None:
    fine = plane(shape=(64, 64)).data
    pyramid = Image([fine, fine[::2, ::2]], multiscale=True, name="p")
    assert is_source(pyramid)
    assert np.array_equal(channel_layers([pyramid]).read()[0], fine)


def test_colour_pictures_are_refused() -> None:
    with pytest.raises(CellsError, match="colour picture"):
        channel_layers([Image(np.zeros((5, 5, 3)), rgb=True, name="photo")])


def test_a_layer_with_a_channel_axis_is_offered_as_channels() -> None:
    image = plane("plate", (3, 40, 50))
    offered = offered_channels([image])
    assert [one.name for one in offered] == ["plate · channel 1", "plate · channel 2", "plate · channel 3"]
    assert guess_sources(["channel 1", "channel 2"], offered) == [SourceGuess(offered[0]), SourceGuess(offered[1])]
    assert guess_sources(["DNA", "actin"], offered) == [None, None]  # all show the same
    found = channel_layers(offered[1:])
    assert np.array_equal(found.read(), image.data[1:])


@pytest.mark.parametrize(
    ("shape", "labels", "axis"),
    [
        ((2, 40, 50), None, 0),
        ((12, 40, 50), None, None),
        ((7, 3, 40, 50), None, 1),
        ((3, 5, 40, 50), None, 0),
        ((40, 50, 5), None, 2),
        ((3, 40, 50), ("t", "y", "x"), None),
        ((30, 40, 50), ("c", "y", "x"), 0),
        ((3, 4, 40, 50), ("z", "channel", "y", "x"), 1),
    ],
)
def test_channel_axis(shape: tuple[int, ...], labels: tuple[str, ...] | None, axis: int | None) -> None:
    image = plane(shape=shape, **({"axis_labels": labels} if labels else {}))
    offered = offered_channels([image])
    assert {one.axis for one in offered} == {axis}
    assert len(offered) == (1 if axis is None else shape[axis])
    if axis is not None:
        pixels = channel_layers(offered, steps=(1,)).read()
        assert np.array_equal(
            pixels, np.moveaxis(image.data, axis, 0)[:, 1] if len(shape) == 4 else np.moveaxis(image.data, axis, 0)
        )


def test_series_of_one_shape_are_channels_of_each_other() -> None:
    layers = [plane("DNA", (3, 40, 50)), plane("actin", (3, 40, 50))]
    assert [one.name for one in offered_channels(layers)] == ["DNA", "actin"]


def test_labels_of_another_scale_and_type() -> None:
    truth = np.zeros((20, 30), np.uint64)
    truth[4:10, 6:12] = 2**60 + 1
    labels = Labels(truth[::2, ::2], scale=(1, 1), translate=(0.25, 0.25))
    read = labels_plane(labels, Channel(plane())).read(Window(0, 0, 20, 30), nearest=True)
    assert np.array_equal(read, truth)


def test_no_layer() -> None:
    with pytest.raises(CellsError, match="No layer is chosen"):
        channel_layers([])


def test_sources_masks_and_crops() -> None:
    assert is_source(plane())
    assert not is_source(plane(metadata={MADE_BY: {}}))
    assert not is_source(Image(np.zeros((5, 5, 3)), rgb=True))
    labels = Labels(np.eye(5, dtype=int))
    assert is_mask(labels)
    assert not is_source(labels)
    assert not is_mask(Labels(np.eye(5, dtype=int), metadata={MADE_BY: {}}))
    assert are_crops([plane(shape=(4, 48, 48))], 48)
    assert not are_crops([plane(shape=(4, 48, 48))], 64)
    assert not are_crops([plane(shape=(4, 48, 40))], 32)
    assert not are_crops([plane()], 16)
    assert not are_crops([], 16)
