import numpy as np

from napari_impa.analysis.pictures.composite import channel_colours, composite, display_limits

LIMITS = np.array([[0.0, 100.0], [0.0, 100.0]])


def test_colours_are_one_a_channel_and_nuclei_blue():
    assert channel_colours(["actin", "Hoechst", "tubulin"]) == ["red", "blue", "green"]
    assert channel_colours(["RNA nucleoli", "OrigDNA"]) == ["red", "blue"]  # the channel that nuclei are looked for in
    assert channel_colours(["actin", "tubulin"]) == ["blue", "red"]
    assert channel_colours(["DAPI"]) == ["grey"]
    assert len(channel_colours([f"c{i}" for i in range(9)])) == 9


def test_composite_puts_each_channel_into_its_colour():
    cells = np.zeros((2, 2, 4, 4), np.uint16)
    cells[0, 0], cells[1, 1] = 100, 100
    red, blue = composite(cells, LIMITS, ["red", "blue"])[:, 0, 0]
    assert red.argmax() == 0
    assert red[0] == 255
    assert blue.argmax() == 2


def test_limits_hold_even_for_a_flat_channel():
    lower, upper = display_limits(np.zeros((1, 1, 4, 4)))[0]
    assert lower < upper


def test_limits_are_quantiles_of_each_channel():
    pixels = np.stack([np.arange(1001.0), 2 * np.arange(1001.0)]).reshape(1, 2, 7, 143)
    np.testing.assert_allclose(display_limits(pixels), [[10, 997], [20, 1994]])
    pixels[0, 0, 0, 0] = np.nan
    assert np.isfinite(display_limits(pixels)).all()
