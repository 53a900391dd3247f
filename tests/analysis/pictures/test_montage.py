from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from napari_impa.analysis.pictures.lettering import lettering
from napari_impa.analysis.pictures.montage import arrange, montage, save_montage, scale_bar
from napari_impa.errors import CellsError

LIMITS = np.array([[0.0, 100.0], [0.0, 100.0]])


def test_rows_share_one_contrast_and_stand_in_order():
    dark, bright = np.full((3, 2, 8, 8), 20.0), np.full((2, 2, 8, 8), 90.0)
    picture = montage([("dark", dark), ("bright", bright)], ["DNA", "actin"], LIMITS, zoom=4)
    assert picture.dtype == np.uint8
    assert 0 < picture[16, -50:].max() < picture[52, -100:].max()
    split = montage([("dark", dark)], ["DNA", "actin"], LIMITS, zoom=4, split=True)
    assert split.shape[1] > 2 * 3 * 32


def test_nothing_or_unlike_rows_are_refused():
    for rows in ([], [("a", np.zeros((0, 2, 8, 8)))], [("a", np.zeros((1, 2, 8, 8))), ("b", np.zeros((1, 2, 6, 6)))]):
        with pytest.raises(CellsError, match="one crop side"):
            montage(rows, ["DNA", "actin"], LIMITS)


def test_a_name_that_cannot_be_written_gets_one_sentence(tmp_path):
    with pytest.raises(CellsError, match=r"ending in \.png"):
        save_montage(tmp_path / "picture.nonsense", np.zeros((4, 4, 3), np.uint8))


def test_the_scale_bar_is_a_round_length_of_at_most_a_third():
    for size, pixel_size in [(96, 0.65), (64, 0.3), (48, 1.0), (64, 0.005), (128, 20.0)]:
        length, text = scale_bar(size, pixel_size)
        number, unit = text.split()
        assert number.lstrip("0.")[0] in "125"
        assert length * pixel_size == pytest.approx(float(number) * {"µm": 1, "nm": 1e-3}[unit])
        assert size / 9 < length <= size / 3


def test_a_bar_is_drawn_where_the_pixel_size_is_known():
    rows = [("some", np.zeros((2, 2, 48, 48)))]
    plain, barred = (montage(rows, ["DNA", "actin"], LIMITS, pixel_size=size) for size in (None, 0.65))
    assert barred[97:, :].max() == 255
    assert (barred == 255).all(2).sum(1).max() >= 2 * round(10 / 0.65) - 1
    assert plain.shape[0] == barred.shape[0]


def test_svg_holds_pictures_and_real_text(tmp_path):
    cells = np.random.default_rng(0).integers(0, 100, (2, 2, 8, 8))
    figure = arrange([("control", cells), ("<drug> & co", cells)], ["DNA", "actin"], LIMITS, pixel_size=0.65)
    root = ElementTree.parse(save_montage(tmp_path / "figure.svg", figure)).getroot()
    kinds = [element.tag.rpartition("}")[2] for element in root]
    assert kinds.count("image") == 2
    assert [element.text for element in root if element.tag.endswith("text")][:2] == ["control", "<drug> & co"]
    np.testing.assert_array_equal(Image.open(save_montage(tmp_path / "figure.png", figure)), figure.draw())


def test_letters_of_channels_are_drawn() -> None:
    cells, limits = np.zeros((1, 1, 16, 16)), np.array([[0.0, 1.0]])
    drawn = {name: montage([(name, cells)], ["x"], limits) for name in ("NFκB", "NF\uffffB", "NFµB", "NF×B")}
    assert len({picture.tobytes() for picture in drawn.values()}) == 4
    assert len({lettering(15).getmask(letter).getbbox() for letter in "κ\uffff"}) == 2
