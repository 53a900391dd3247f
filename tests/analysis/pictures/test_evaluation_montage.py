import numpy as np
from PIL import Image

from napari_impa.analysis.pictures.evaluation_montage import evaluation_rows, save_evaluation_montage


def test_control_and_predicted_rows_show_the_same_cells(cells, double):
    model = double(lambda some, condition: some.pixels + 1, hold_out={"plate": ("P2",)})
    rows = evaluation_rows(model, cells, count=4)
    assert [title for title, _ in rows] == [
        *("control", "predicted dim", "real dim"),
        *("control", "predicted swell", "real swell"),
    ]
    pixels = [some for _, some in rows]
    np.testing.assert_array_equal(pixels[1], pixels[0] + 1)
    np.testing.assert_array_equal(pixels[3], pixels[0])
    held = cells.where(plate="P2", compound="dim").pixels
    assert all((held == cell).all((1, 2, 3)).any() for cell in pixels[2])


def test_the_picture_is_saved(cells, double, tmp_path):
    path = save_evaluation_montage(tmp_path / "new" / "scores", double(double.oracle), cells, count=3)
    assert path.suffix == ".png"
    with Image.open(path) as picture:
        assert picture.size[1] > 6 * 32


def test_contrast_is_that_of_real_cells_whatever_is_predicted(cells, double, tmp_path):
    saved = []
    for name, answer in (("usual", double.unchanged), ("glaring", lambda some, condition: some.pixels * 0 + 60_000)):
        with Image.open(save_evaluation_montage(tmp_path / name, double(answer), cells, count=3)) as picture:
            saved.append(np.asarray(picture))
    usual, glaring = saved
    row = 16 * 2
    np.testing.assert_array_equal(usual[:row, -100:], glaring[:row, -100:])  # the controls
    assert glaring[row + 4 : 2 * row, -90:].max() == 147  # both channels at full intensity: the mean of blue and orange
    assert (usual[row + 4 : 2 * row, -100:] != glaring[row + 4 : 2 * row, -100:]).any()
