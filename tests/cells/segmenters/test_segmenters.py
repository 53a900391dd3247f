from __future__ import annotations

import dataclasses
import json
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest
from label_matching import detection_f1, disks

from napari_impa.cells.segmenters import (
    SEGMENTERS,
    Cellpose,
    InstanSeg,
    Masks,
    Nuclei,
    Segmenter,
    as_segmenter,
    available_segmenters,
    base,
    cellpose,
    instanseg,
    segmenter,
)
from napari_impa.errors import CellsError, MissingDependencyError

GRID = [(y, x) for y in (40, 100, 160) for x in (40, 100, 160)]


def test_the_built_in_segmenter_takes_the_channel_named():
    labels, image = disks(GRID)
    field = np.stack([np.zeros_like(image), image])
    assert detection_f1(labels, Nuclei()(field, nuclei_channel=1)) == 1
    assert not Nuclei()(field, nuclei_channel=0).any()
    with pytest.raises(CellsError, match="no channel number 2"):
        Nuclei()(field, nuclei_channel=2)
    with pytest.raises(CellsError, match="nuclei, labels, cellpose, instanseg"):
        segmenter("stardist")


def test_settings_of_the_built_in_segmenter():
    labels, image = disks(GRID)
    field = image[None]
    assert detection_f1(labels, Nuclei(diameter=0, threshold=1.0, minimum_area=0)(field)) == 1
    assert not Nuclei(minimum_area=field.size)(field).any()
    small, _ = disks([(70, 70)], radius=7.0)
    field = field + 300.0 * (small > 0)
    assert Nuclei()(field)[70, 70]
    kept = Nuclei(minimum_area=250)(field)
    assert not kept[70, 70]
    assert detection_f1(labels, kept) == 1
    dim = image[None] + 40.0 * (small > 0)
    assert Nuclei()(dim)[70, 70]
    assert not Nuclei(threshold=5.0)(dim)[70, 70]


def test_masks_are_taken_as_they_are():
    labels, image = disks(GRID[:3])
    labels[labels == 2] = 7
    found = Masks()(image[None], masks=labels)
    np.testing.assert_array_equal(found, labels)
    area = int((labels == 1).sum())
    assert 1 in Masks(minimum_area=area)(image[None], masks=labels)  # of just that many pixels it is left in
    small = Masks(minimum_area=area + 1)(image[None], masks=labels)
    assert set(np.unique(small)) <= {0, 3, 7}
    assert labels.max() == 7  # what was given is left as it is
    with pytest.raises(CellsError, match="without masks"):
        Masks()(image[None])


@pytest.mark.parametrize("kind", SEGMENTERS, ids=lambda kind: kind.name)
def test_every_segmenter_can_be_shown_and_written_down(kind: type[Segmenter]):
    settings = kind.settings()
    assert settings[-1].name == "minimum_area"
    assert {setting.name for setting in settings} == {field.name for field in dataclasses.fields(kind)}
    for setting in settings:
        assert setting.low <= setting.default <= setting.high
        assert setting.title
        assert setting.help.endswith(".")
        highest = kind(**{setting.name: setting.high})
        assert highest.changed == {setting.name: setting.high}
        again = segmenter(kind.name, **json.loads(json.dumps(highest.changed)))
        assert again == highest == pickle.loads(pickle.dumps(highest))
        assert segmenter(kind.name, **{setting.name: str(setting.high)}) == highest  # of a command line
        assert hash(again) == hash(highest)
        with pytest.raises(CellsError, match=rf"{setting.name} is a number .*from .* to"):
            kind(**{setting.name: setting.high + 1})
        with pytest.raises(CellsError, match="'many'"):
            kind(**{setting.name: "many"})
    assert kind().changed == {}
    assert as_segmenter(kind.name) == kind() == as_segmenter(kind())
    with pytest.raises(CellsError, match=f"no setting 'size'; it has: .*{settings[0].name}"):
        segmenter(kind.name, size=3)


def test_what_is_not_installed_is_not_offered_and_says_its_line(monkeypatch):
    monkeypatch.setattr(base, "find_spec", lambda package: None)
    assert available_segmenters() == (Nuclei,)
    for kind in (Cellpose, InstanSeg):
        with pytest.raises(MissingDependencyError, match=rf"pip install .*\[{kind.name}\]"):
            kind()(np.zeros((1, 20, 20)))


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

    class Model:
        def __init__(self, model_type="brightfield_nuclei", device=None, verbosity=1):
            asked["model"] = model_type

        def eval_small_image(
            self, image, pixel_size=None, normalise=True, return_image_tensor=True, target="all_outputs", **kwargs
        ):
            asked["instanseg"], asked["kwargs"] = (image.shape, pixel_size, return_image_tensor, target), kwargs
            return Tensor(np.full((1, 1, *image.shape), 2.0, np.float32))

    modules = {name: ModuleType(name) for name in ("cellpose", "cellpose.models", "instanseg")}
    modules["cellpose.models"].CellposeModel = CellposeModel
    modules["instanseg"].InstanSeg = Model
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(base, "find_spec", lambda package: object())
    cellpose._model.cache_clear()
    instanseg._model.cache_clear()
    field = np.stack([np.zeros((20, 30), np.uint16), np.full((20, 30), 9, np.uint16)])
    try:
        assert available_segmenters() == (Nuclei, Cellpose, InstanSeg)
        found = Cellpose()(field, nuclei_channel=1, pixel_size=0.5)
        assert found.dtype == np.int32
        assert (found == 1).all()
        assert asked["gpu"] is True
        assert (asked["cellpose"] == 9).all()
        assert (InstanSeg()(field, nuclei_channel=1, pixel_size=0.5) == 2).all()
        assert asked["model"] == "fluorescence_nuclei_and_cells"
        assert asked["instanseg"] == ((20, 30), 0.5, False, "nuclei")
        assert asked["settings"] == (None, 0.4, 0.0)
        assert asked["kwargs"] == {}
        Cellpose(diameter=9, cellprob_threshold=0.0, flow_threshold=0.8)(field, nuclei_channel=1)
        assert asked["settings"] == (9, 0.8, 0.0)
        InstanSeg(pixel_um=0.3, seed_threshold=0.6, mask_threshold=0.0)(field, nuclei_channel=1)
        assert asked["instanseg"][1] == 0.3
        assert asked["kwargs"] == {"seed_threshold": 0.6}
    finally:
        cellpose._model.cache_clear()
        instanseg._model.cache_clear()
