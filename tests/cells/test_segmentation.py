from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_impa.cells import segmentation
from napari_impa.cells.crops import cut
from napari_impa.cells.segmentation import (
    SEGMENTERS,
    available_segmenters,
    detection_f1,
    guess_nuclei_channel,
    match_labels,
    segment,
    segment_nuclei,
)
from napari_impa.cells.simulated.screen import simulated_field
from napari_impa.errors import CellsError, MissingDependencyError


def disks(centres, radius=11.0, side=200):
    """Labels of disks, and an image of them over a ground of 100 counts."""
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number, (cy, cx) in enumerate(centres, 1):
        labels[(np.hypot(y - cy, x - cx) < radius) & (labels == 0)] = number
    return labels, 100.0 + 300.0 * (labels > 0)


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
    with pytest.raises(CellsError, match="compared"):
        match_labels(labels, labels[1:])


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (["DNA", "actin", "tubulin"], 0),
        (["FITC_NFkB", "DAPI"], 1),
        (["ConA", "SYTO14", "Hoechst 33342"], 2),
        (["Hoechst33342", "ConA"], 0),
        (["conA", "H33342"], 1),
        (["mitochondria", "nuclei_stain"], 1),
        (["RNA nuclear", "w1DAPI", "w2GFP"], 1),
        (["actin", "tubulin"], None),
        (["dnase", "cdna"], None),
        ([], None),
    ],
)
def test_the_nuclei_channel_is_known_by_name(channels, expected):
    assert guess_nuclei_channel(channels) == expected


def test_the_built_in_segmenter_takes_the_channel_named():
    labels, image = disks(GRID)
    field = np.stack([np.zeros_like(image), image])
    assert detection_f1(labels, segment(field, nuclei_channel=1)) == 1
    assert not segment(field, nuclei_channel=0).any()
    with pytest.raises(CellsError, match="no channel number 2"):
        segment(field, nuclei_channel=2)
    with pytest.raises(CellsError, match="nuclei, cellpose, instanseg"):
        segment(field, "stardist")


def test_settings_of_the_built_in_segmenter():
    labels, image = disks(GRID)
    field = image[None]
    assert detection_f1(labels, segment(field, diameter=0, threshold=1.0, minimum_area=0)) == 1
    assert not segment(field, minimum_area=field.size).any()
    small, _ = disks([(70, 70)], radius=7.0)
    field = field + 300.0 * (small > 0)
    assert segment(field)[70, 70]
    kept = segment(field, minimum_area=250)
    assert not kept[70, 70]
    assert detection_f1(labels, kept) == 1
    dim = image[None] + 40.0 * (small > 0)
    assert segment(dim)[70, 70]
    assert not segment(dim, threshold=5.0)[70, 70]
    with pytest.raises(CellsError, match="no setting 'size'; it has: diameter, threshold, minimum_area"):
        segment(field, size=3)


def test_every_setting_can_be_shown():
    for segmenter in SEGMENTERS.values():
        names = [setting.name for setting in segmenter.settings]
        assert names
        assert len(set(names)) == len(names)
        for setting in segmenter.settings:
            assert setting.low <= setting.default <= setting.high
            assert setting.title
            assert setting.help.endswith(".")


@pytest.mark.parametrize("name", ["cellpose", "instanseg"])
def test_what_is_not_installed_is_not_offered_and_says_its_line(name, monkeypatch):
    monkeypatch.setattr(segmentation, "find_spec", lambda package: None)
    assert available_segmenters() == ["nuclei"]
    with pytest.raises(MissingDependencyError, match=rf"pip install .*\[{name}\]"):
        SEGMENTERS[name](np.zeros((1, 20, 20)))


def test_adapters_call_the_packages_as_their_own_docs_do(monkeypatch):
    """Stand-ins with the signatures of cellpose 4 and instanseg-torch 0.1; their networks cannot be had in a test."""
    asked = {}

    class CellposeModel:
        def __init__(self, gpu=False, pretrained_model="cpsam_v2"):
            asked["gpu"] = gpu

        def eval(self, x, batch_size=8, diameter=None, flow_threshold=0.4, cellprob_threshold=0.0):
            asked["cellpose"], asked["settings"] = x, (diameter, flow_threshold, cellprob_threshold)
            return np.ones(x.shape, np.uint16), [], []

    class Tensor:
        def __init__(self, array):
            self.array = array

        def cpu(self):
            return self.array

    class InstanSeg:
        def __init__(self, model_type="brightfield_nuclei", device=None, verbosity=1):
            asked["model"] = model_type

        def eval_small_image(
            self, image, pixel_size=None, normalise=True, return_image_tensor=True, target="all_outputs", **kwargs
        ):
            asked["instanseg"], asked["kwargs"] = (image.shape, pixel_size, return_image_tensor, target), kwargs
            return Tensor(np.full((1, 1, *image.shape), 2.0, np.float32))

    modules = {name: ModuleType(name) for name in ("cellpose", "cellpose.models", "instanseg")}
    modules["cellpose.models"].CellposeModel = CellposeModel
    modules["instanseg"].InstanSeg = InstanSeg
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(segmentation, "find_spec", lambda package: object())
    segmentation._cellpose_model.cache_clear()
    segmentation._instanseg_model.cache_clear()
    field = np.stack([np.zeros((20, 30), np.uint16), np.full((20, 30), 9, np.uint16)])
    try:
        assert available_segmenters() == ["nuclei", "cellpose", "instanseg"]
        found = segment(field, "cellpose", nuclei_channel=1, pixel_size=0.5)
        assert found.dtype == np.int32
        assert (found == 1).all()
        assert asked["gpu"] is True
        assert (asked["cellpose"] == 9).all()
        assert (segment(field, "instanseg", nuclei_channel=1, pixel_size=0.5) == 2).all()
        assert asked["model"] == "fluorescence_nuclei_and_cells"
        assert asked["instanseg"] == ((20, 30), 0.5, False, "nuclei")
        assert asked["settings"] == (None, 0.4, 0.0)
        assert asked["kwargs"] == {}
        segment(field, "cellpose", nuclei_channel=1, diameter=9, cellprob_threshold=0.0, flow_threshold=0.8)
        assert asked["settings"] == (9, 0.8, 0.0)
        segment(field, "instanseg", nuclei_channel=1, pixel_um=0.3, seed_threshold=0.6, mask_threshold=0.0)
        assert asked["instanseg"][1] == 0.3
        assert asked["kwargs"] == {"seed_threshold": 0.6}
    finally:
        segmentation._cellpose_model.cache_clear()
        segmentation._instanseg_model.cache_clear()
