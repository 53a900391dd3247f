"""Layers of what was read from files, whose view is whatever stands in the file."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Image

from napari_impa.viewer.layers import as_layers
from napari_impa.viewer.layers.as_layers import stack_layers

LOOK = {"colormap": {"name": "c", "colors": [[0, 0, 0, 1], [0, 1, 1, 1]]}, "contrast_limits": [0, 9], "gamma": 1.0}
VIEW = {
    "title": "t", "scale": [0.5, 0.25], "translate": [1, 2], "units": ["um", "um"], "looks": [LOOK] * 2,
    "affine": [[1, 0, 5], [0, 1, 0], [0, 0, 1]], "made_by": {"model": "m"},
}  # fmt: skip


def shown(view: dict[str, Any]) -> tuple[list[Image], list[str]]:
    """The layers that napari makes of a view, and what is said."""
    said: list[str] = []
    with patch.object(as_layers, "show_warning", said.append):
        data = stack_layers(np.ones((2, 8, 8), np.uint16), ("DNA", "actin"), 0.5, view, "kept · ", {})
    return [Image(pixels, **options) for pixels, options, _ in data], said


def test_a_sound_view_is_used_whole() -> None:
    layers, said = shown(VIEW)
    assert not said
    assert [tuple(layer.scale) for layer in layers] == [(0.5, 0.25)] * 2
    assert layers[0].affine.affine_matrix[0, 2] == 5
    assert tuple(layers[0].contrast_limits) == (0, 9)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("affine", [[1, 0, 0], [0, [1], 0], [0, 0, 1]]), ("affine", np.zeros((3, 3)).tolist()), ("affine", "x"),
        ("scale", [0.5]), ("scale", [0, 1]), ("scale", ["a", 1]), ("translate", [1e999, 0]), ("units", ["um", "hogs"]),
        ("units", 5), ("units", [":", "um"]),
        ("looks", [LOOK]), ("looks", [LOOK, {**LOOK, "contrast_limits": [9, 0]}]), ("looks", [7, 7]),
        ("looks", [LOOK, {**LOOK, "gamma": -1}]), ("looks", [LOOK, {**LOOK, "colormap": "no such"}]),
        ("looks", [LOOK, {**LOOK, "colormap": {"name": "c", "colors": "x"}}]), ("made_by", [1]),
    ],
)  # fmt: skip
def test_what_no_layer_can_have_is_left_out_and_said(key: str, value: Any) -> None:
    layers, said = shown({**VIEW, key: value})
    assert len(layers) == 2
    assert said == [f"kept was saved with a {key} that no layer can have; it is shown without."]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*VIEW, *LOOK]), inner, max_size=3),
    max_leaves=8,
)


@given(key=st.sampled_from([*VIEW]), value=JSON)
def test_whatever_stands_in_a_view_becomes_layers(key: str, value: Any) -> None:
    assert len(shown({**VIEW, key: value})[0]) == 2
