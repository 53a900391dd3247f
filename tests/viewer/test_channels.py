from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image, Labels

from napari_impa.errors import CellsError
from napari_impa.viewer.channels import (
    MADE_BY,
    are_crops,
    channel_layers,
    guess_channels,
    is_mask,
    is_source,
    mask_plane,
)

STAINS = ["DNA", "actin", "tubulin", "mito"]
OTHERS = {"DNA": "w1 Hoechst", "actin": "Phalloidin 568", "tubulin": "c3-tubulin", "mito": "MitoTracker"}


@given(st.permutations(STAINS), st.lists(st.sampled_from(["brightfield", "mask", "x"]), max_size=2, unique=True))
def test_stains_are_found_under_other_names_in_any_order(order: list[str], more: list[str]) -> None:
    layers = more + [OTHERS[name] for name in order]
    assert [layers[at] for at in guess_channels(STAINS, layers)] == [OTHERS[name] for name in STAINS]


def test_same_name_beats_an_alike_one() -> None:
    assert guess_channels(["DNA"], ["DAPI", "DNA"]) == [1]


def test_order_decides_where_names_say_nothing() -> None:
    assert guess_channels(["channel 1", "channel 2"], ["a", "b"]) == [0, 1]
    assert guess_channels(["channel 1", "channel 2"], ["a", "b", "c"]) == [None, None]
    assert guess_channels(["DNA", "x"], ["q", "dapi"]) == [1, 0]


def test_nothing_to_guess_from() -> None:
    assert guess_channels(["DNA"], []) == [None]
    assert guess_channels([], ["DNA"]) == []


def plane(name: str = "DNA", shape: tuple[int, ...] = (20, 30), dtype: type = np.uint16, **more: object) -> Image:
    data = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    return Image(data, name=name, **{"scale": (0.5,) * len(shape), **more})


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
    assert [look.colormap.name for look in found.looks] == ["blue", "red"]
    assert found.looks[0].contrast_limits == (1.0, 99.0)
    assert not found.are_stacks


def test_nanometres_are_converted_and_pixels_are_no_length() -> None:
    assert channel_layers([plane(units=("nm", "nm"), scale=(650, 650))]).place.pixel_size == pytest.approx(0.65)
    assert channel_layers([plane()]).place.pixel_size is None


def test_channels_of_one_colour_are_told_apart() -> None:
    looks = channel_layers([plane("a"), plane("b")]).looks
    assert looks[0].colormap != looks[1].colormap


def test_plane_in_sight_of_a_time_series() -> None:
    movie = plane(shape=(5, 20, 30))
    assert np.array_equal(channel_layers([movie], step=(3, 0, 0)).read()[0], movie.data[3])
    assert np.array_equal(channel_layers([movie], step=(2, 3, 0, 0)).read()[0], movie.data[3])
    assert np.array_equal(channel_layers([movie], step=(99, 0, 0)).read()[0], movie.data[4])
    assert channel_layers([movie], stacks=True).read().shape == (5, 1, 20, 30)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (plane("b", (20, 20)), "size"),
        (plane("b", dtype=np.uint8), "type"),
        (plane("b", scale=(1, 1)), "scale"),
        (plane("b", translate=(1, 0)), "position"),
    ],
)
def test_layers_that_do_not_belong_together(other: Image, word: str) -> None:
    with pytest.raises(CellsError, match=word):
        channel_layers([plane(), other])


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
    assert np.array_equal(mask_plane(labels), np.eye(5))
    assert are_crops([plane(shape=(4, 48, 48))], 48)
    assert not are_crops([plane(shape=(4, 48, 48))], 64)
    assert not are_crops([plane(shape=(4, 48, 40))], 32)
    assert not are_crops([plane()], 16)
    assert not are_crops([], 16)
