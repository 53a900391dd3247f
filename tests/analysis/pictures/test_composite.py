from itertools import combinations

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_impa.analysis.pictures.composite import (
    COLOURS,
    channel_colours,
    colours_to_add,
    composite,
    display_limits,
)

LIMITS = np.array([[0.0, 100.0], [0.0, 100.0]])

EYES = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}
"""What such eyes see of linear (red, green, blue): Machado, Oliveira and Fernandes 2009, severity 1."""


def seen(colours: np.ndarray, eyes: str) -> np.ndarray:
    """sRGB colours (n, 3) as such eyes see them."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.asarray(EYES[eyes]).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_colours_are_one_a_channel_and_nuclei_blue():
    assert channel_colours(["actin", "Hoechst", "tubulin"]) == ["orange", "blue", "mint"]
    assert channel_colours(["RNA nucleoli", "OrigDNA"]) == ["orange", "blue"]  # that which nuclei are looked for in
    assert channel_colours(["actin", "tubulin"]) == ["blue", "orange"]
    assert channel_colours(["DAPI"]) == ["grey"]
    assert len(channel_colours([f"c{i}" for i in range(9)])) == 9


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(("count", "apart"), [(2, 60), (3, 45), (4, 40), (5, 20)])
def test_colours_stay_apart_for_colour_blind_eyes(eyes, count, apart):
    """In CIELAB, where 2 is a difference that is just seen; red and green would be at 4 for protanopia."""
    colours = np.array([COLOURS[name] for name in channel_colours([f"c{i}" for i in range(count)])])
    lab = rgb2lab(seen(colours, eyes)[None])[0]
    assert min(np.linalg.norm(one - other) for one, other in combinations(lab, 2)) > apart


def test_composite_puts_each_channel_into_its_colour():
    cells = np.zeros((2, 2, 4, 4), np.uint16)
    cells[0, 0], cells[1, 1] = 100, 100
    orange, blue = composite(cells, LIMITS, ["orange", "blue"])[:, 0, 0]
    assert tuple(orange) == (255, 153, 0)
    assert blue.argmax() == 2


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_many_bright_channels_do_not_burn_out_to_white(count):
    colours = channel_colours([f"c{i}" for i in range(count)])
    limits = np.tile([0.0, 100.0], (count, 1))
    cells = np.full((2, count, 2, 2), 100)
    cells[1, 1:] = 40  # nuclei as bright as can be, the others less so
    every, nucleus = composite(cells, limits, colours)[:, 0, 0]
    assert every.max() < 200
    assert nucleus[2] > nucleus[0]
    assert colours_to_add(colours).sum(axis=0).max() <= 1 + 1e-9


def test_limits_hold_even_for_a_flat_channel():
    lower, upper = display_limits(np.zeros((1, 1, 4, 4)))[0]
    assert lower < upper


def test_limits_are_quantiles_of_each_channel():
    pixels = np.stack([np.arange(1001.0), 2 * np.arange(1001.0)]).reshape(1, 2, 7, 143)
    np.testing.assert_allclose(display_limits(pixels), [[10, 997], [20, 1994]])
    pixels[0, 0, 0, 0] = np.nan
    assert np.isfinite(display_limits(pixels)).all()
