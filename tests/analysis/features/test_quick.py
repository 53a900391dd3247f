import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_impa.analysis.features.quick import _filters, deep_features
from napari_impa.analysis.metrics.frechet import frechet_distance
from napari_impa.errors import CellsError

LIMITS = np.array([[100.0, 1000.0], [50.0, 500.0]])


def textured(count: int, seed: int, size: int = 32) -> np.ndarray:
    """Two channels of smooth texture, the second finer, in camera units."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, count, size, size))
    fields = [gaussian_filter(noise[c], (0, sigma, sigma)) * sigma for c, sigma in enumerate((2.0, 1.0))]
    return np.stack([550 + 500 * fields[0], 250 + 300 * fields[1]], 1).clip(100, 1000).astype(np.uint16)


def test_weights_are_the_documented_stream_on_every_platform():
    filters = _filters(0, 0, 0, 6, 1, 5)
    np.testing.assert_allclose((filters**2).sum((1, 2, 3)), 1)
    np.testing.assert_allclose(
        filters[0, 0, 0, :3], [0.008410930549027326, 0.32049899744941995, -0.2531757571266116], atol=1e-12
    )


def test_features_have_the_documented_size_and_do_not_depend_on_the_batch(monkeypatch):
    cells = textured(5, 0)
    features = deep_features(cells, LIMITS)
    assert features.shape == (5, 8 * (3 * 2 + 6))
    assert features.dtype == np.float64
    monkeypatch.setattr("napari_impa.analysis.features.quick.BATCH", 2)
    np.testing.assert_allclose(deep_features(cells, LIMITS), features, atol=1e-5)


@pytest.mark.parametrize("side", [9, 16, 48])
def test_any_side_and_any_number_of_channels(side):
    cells = np.random.default_rng(0).random((2, 5, side, side))
    assert np.isfinite(deep_features(cells, np.tile([0.0, 1.0], (5, 1)))).all()


def test_camera_units_do_not_matter_only_the_place_between_the_limits():
    cells = textured(4, 0)
    scaled = (cells / 2000).astype(np.float32)
    np.testing.assert_allclose(deep_features(scaled, LIMITS / 2000), deep_features(cells, LIMITS), atol=1e-4)


def test_black_and_nan_cells_have_finite_features():
    cells = np.zeros((2, 2, 32, 32), np.float32)
    cells[1] = np.nan
    features = deep_features(cells, LIMITS)
    np.testing.assert_allclose(features[0], features[1])
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: gaussian_filter(x, (0, 0, 1, 1)),
        lambda x: x.reshape(*x.shape[:2], 16, 2, 16, 2).mean((3, 5)).repeat(2, 2).repeat(2, 3),
        lambda x: x[:, ::-1] * np.array([2.2, 1 / 2.2])[:, None, None],
        lambda x: x * 1.2,
    ],
    ids=["blur", "blocks", "channels exchanged", "brightness"],
)
def test_what_a_bad_prediction_shows_moves_the_features_more_than_other_cells_do(change):
    cells, others = textured(150, 0), textured(150, 1)
    changed = deep_features(change(cells.astype(np.float32)), LIMITS)
    cells, others = deep_features(cells, LIMITS), deep_features(others, LIMITS)
    assert frechet_distance(changed, cells) > 2 * frechet_distance(others, cells)


def test_limits_that_do_not_fit_are_refused():
    with pytest.raises(CellsError, match="lower and a higher limit for each of the 2 channels"):
        deep_features(textured(1, 0), LIMITS[:1])
    with pytest.raises(CellsError, match="lower and a higher limit"):
        deep_features(textured(1, 0), LIMITS[:, ::-1])


def test_features_of_a_known_cell_are_those_of_every_version():
    y, x = np.mgrid[:24, :24]
    pixels = np.stack([500 + 400 * np.sin(x / 3) * np.cos(y / 5), 200 + 150 * np.cos(x * y / 40)])[None].round()
    expected = [-4.28032, -4.22408, -3.96415, -4.13429, -3.03481, -3.24964, -2.53991, -2.98613]
    np.testing.assert_allclose(deep_features(pixels, LIMITS)[0, ::12], expected, atol=1e-4)
