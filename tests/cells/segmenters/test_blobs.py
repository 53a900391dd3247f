from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from label_matching import detection_f1, disks, match_labels

from napari_impa.cells.crops import cut
from napari_impa.cells.segmenters.blobs import segment_nuclei
from napari_impa.cells.simulated.screen import simulated_field
from napari_impa.errors import CellsError

GRID = [(y, x) for y in (40, 100, 160) for x in (40, 100, 160)]


@pytest.mark.parametrize("condition", ["DMSO", "shrinkage", "mitotic arrest"])
def test_finds_the_true_nuclei_of_simulated_fields(condition):
    field = simulated_field(condition, seed=11, batch=1)
    assert detection_f1(field.labels, segment_nuclei(field.pixels[0], pixel_size=field.pixel_size)) > 0.85


def test_finds_crowded_nuclei():
    field = simulated_field(seed=12, n_cells=150)
    assert detection_f1(field.labels, segment_nuclei(field.pixels[0])) > 0.9


def test_parts_touching_nuclei_and_keeps_long_ones_whole():
    labels, image = disks([(60, 60), (60, 81), (80, 70), (150, 50), (150, 120)])
    y, x = np.mgrid[:200, :200]
    long = (((y - 120) / 7) ** 2 + ((x - 150) / 20) ** 2) < 1
    image[long], labels[long] = 400, 9
    noisy = image + np.random.default_rng(0).normal(0, 10, image.shape)
    found = segment_nuclei(noisy)
    assert len(np.unique(found)) - 1 == 6
    assert detection_f1(labels, found, iou=0.75) == 1


def test_dim_nuclei_beside_bright_ones_under_uneven_light():
    labels, image = disks(GRID)
    y, x = np.mgrid[:200, :200] / 200
    heights = np.array([0, 3000, 200, 200, 200, 2000, 200, 250, 200, 200.0])
    light = 0.5 + y
    image = (heights[labels] + 600 * x) * light + np.random.default_rng(0).normal(0, 8, labels.shape)
    assert detection_f1(labels, segment_nuclei(image), iou=0.7) == 1


def test_outlines_are_tight():
    labels, image = disks(GRID)
    found = segment_nuclei(image)
    assert np.abs((found > 0).sum() / (labels > 0).sum() - 1) < 0.05


def test_holes_are_filled_and_specks_dropped():
    labels, image = disks(GRID)
    image[98:103, 98:103] = 100
    image[70, 70] = 4000
    found = segment_nuclei(image)
    assert detection_f1(labels, found, iou=0.85) == 1
    assert found[100, 100] > 0


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([1e-4, 1.0, 50.0]), st.sampled_from([-1000.0, 0.0, 1000.0]))
def test_units_of_the_camera_do_not_matter(gain, offset):
    labels, image = disks(GRID)
    assert detection_f1(labels, segment_nuclei(image * gain + offset * gain), iou=0.8) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int32])
def test_every_pixel_type(dtype):
    _, image = disks(GRID)
    found = segment_nuclei((image / 2).astype(dtype))
    assert found.dtype == np.int32
    assert list(np.unique(found)) == list(range(10))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint16),
        np.full((64, 64), 7.0),
        np.full((64, 64), np.nan),
        np.full((64, 64), np.inf),
        np.random.default_rng(0).normal(100, 5, (200, 200)),
        np.random.default_rng(0).poisson(3, (200, 200)),
        np.zeros((2, 50)),
        np.zeros((0, 0)),
    ],
    ids=["black", "constant", "nan", "inf", "noise", "photons", "thin", "empty"],
)
def test_nothing_is_found_where_nothing_is(image):
    found = segment_nuclei(image)
    assert found.shape == image.shape
    assert not found.any()


def test_nan_counts_as_background():
    _, image = disks(GRID)
    image[:70] = np.nan
    found = segment_nuclei(image)
    assert not found[:70].any()
    assert found.max() == 6


def test_bad_arguments_are_said():
    with pytest.raises(CellsError, match="one channel"):
        segment_nuclei(np.zeros((3, 20, 20)))
    with pytest.raises(CellsError, match="diameter"):
        segment_nuclei(np.zeros((20, 20)), diameter=0)


def test_f1_of_real_u2os_nuclei(shared):
    folder = shared / "data" / "bbbc022_u2os"
    pairs = truths = founds = 0
    for row in pd.read_csv(folder / "metadata.csv").iloc[[0, 4, 9]].itertuples():
        truth = tifffile.imread(folder / row.mask_file)[2]
        found = segment_nuclei(tifffile.imread(folder / row.file)[0], pixel_size=0.656)
        pairs += len(match_labels(truth, found))
        truths += len(np.unique(truth)) - 1
        founds += len(np.unique(found)) - 1
    assert 2 * pairs / (truths + founds) > 0.92


def test_a_thousand_cells_of_mcf7(shared):
    count = 0
    for well in ("01-A-01", "12-A-12"):
        image = tifffile.imread(shared / "data" / "bbbc014_tnfa" / "images" / f"Channel 2-{well}-00.tif")
        count += len(cut(image[None], segment_nuclei(image), 48).table)
    assert count >= 1000


def test_matching_is_one_to_one_and_keeps_the_sides_apart():
    truth = np.zeros((10, 20), int)
    truth[2:8, 2:8], truth[2:8, 10:16] = 5, 6
    found = np.zeros_like(truth)
    found[2:8, 2:7], found[2:5, 10:16], found[5:8, 10:16] = 1, 2, 3
    assert match_labels(truth, found).tolist() in ([[5, 1], [6, 2]], [[5, 1], [6, 3]])
    assert match_labels(truth, found, iou=0.6).tolist() == [[5, 1]]
    assert match_labels(found, truth, iou=0.6).tolist() == [[1, 5]]
    assert detection_f1(truth, found, iou=0.6) == pytest.approx(2 / 5)


def test_f1_at_its_ends():
    labels, _ = disks(GRID)
    empty = np.zeros_like(labels)
    assert detection_f1(labels, labels) == 1
    assert detection_f1(labels, empty) == 0
    assert detection_f1(empty, empty) == 1
