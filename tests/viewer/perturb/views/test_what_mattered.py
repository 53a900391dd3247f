"""What mattered: orange over the grey control where the prediction makes it a treated cell, and only of real cells."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from numpy.typing import NDArray

from napari_impa.analysis.attribution import fair_pixel_classifier, pixel_classifier
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError
from napari_impa.viewer.layers.as_layers import cells_layers
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.channels import channel_layers
from napari_impa.viewer.layers.found_cells import CROPS, Found
from napari_impa.viewer.layers.sources import MADE_BY
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.perturb.prediction import EncodedCells
from napari_impa.viewer.perturb.request import Predicted, Request, made_by
from napari_impa.viewer.perturb.views import WhatMattered
from napari_impa.viewer.perturb.views import what_mattered as module
from napari_impa.viewer.perturb.views.what_mattered import FEWEST, FoundMasks, MaskBlock, mask_cells
from napari_impa.watch import CancelledError, Token

REQUEST = Request(("shrinkage",))


def loaded(model: IMPA) -> Loaded:
    return Loaded("small", model, model.hash, "CPU")


@pytest.fixture(scope="module")
def cells() -> Cells:
    return simulated_cells(24, size=48, conditions=("DMSO", "shrinkage"))


def found_in(viewer: ViewerModel, cells: Cells) -> Found:
    for data, options, kind in cells_layers(cells, ""):
        viewer.add_layer(Image.create(data, options, kind))
    layers = [viewer.layers[name] for name in cells.channels]
    return find_cells(Token(), channel_layers(layers, stacks=True), cells.channels, 48, CROPS)


@pytest.fixture
def viewer(qapp: Any) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def found(viewer: ViewerModel, cells: Cells) -> Found:
    return found_in(viewer, cells)


@pytest.fixture
def predicted(found: Found) -> Predicted:
    """The best prediction there can be: real treated cells."""
    treated = found.treated("shrinkage")
    assert treated is not None
    return Predicted(REQUEST, treated[None, : len(found.cells)], 0.0)


@pytest.fixture
def about(model: IMPA) -> Callable[[int], dict[str, object]]:
    return lambda number: made_by(loaded(model), REQUEST, number)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classifiers that hardly learn, for what does not depend on it."""
    monkeypatch.setattr(pixel_classifier, "STEPS", 3)
    monkeypatch.setattr(fair_pixel_classifier, "TELLS_APART", 0.0)


def test_it_shows_the_masks_over_the_controls(viewer, found, predicted, about, model) -> None:
    sent: list[Any] = []
    encoded = EncodedCells(loaded(model), found)
    masks = mask_cells(Token(sent.append), encoded, predicted)
    fact = masks.facts[0]
    assert fact.accuracy > 0.65
    assert fact.flipped > 0.5
    view = WhatMattered(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    for block in sent:
        assert isinstance(block, MaskBlock)
        view.show_block(block, about)
    shown = {layer.name: layer for layer in viewer.layers if layer.visible}
    for channel, name in enumerate(found.cells.channels):
        mask = next(layer for text, layer in shown.items() if text.startswith(f"{name}: what mattered"))
        np.testing.assert_array_equal(mask.data, masks.masks[0, :, channel])
        np.testing.assert_array_equal(shown[f"control · {name}"].data, found.cells.pixels[:, channel])
    view.show_further(predicted, masks, about)
    told = f": what mattered, {fact.size:.0%} · shrinkage"
    names = [layer.name for layer in viewer.layers if "what mattered" in layer.name]
    assert sorted(names) == sorted(f"{name}{told}" for name in found.cells.channels)
    said = WhatMattered.says(masks)
    assert said.startswith(f"{fact.size:.0%} of the pixels make {fact.flipped:.0%} of the cells treated ones")
    assert f"right in {fact.accuracy:.0%} of real cells that it never saw" in said
    layer = viewer.layers[f"{found.cells.channels[0]}{told}"]
    assert layer.metadata[MADE_BY]["accuracy"] == fact.accuracy
    assert layer.metadata[MADE_BY]["condition"] == "shrinkage"
    assert np.allclose(layer.colormap.map(np.array([0.0]))[0, 3], 0)  # the control is seen where nothing mattered
    grid = viewer.canvas.grid
    assert (grid.enabled, abs(grid.stride)) == (True, 2)


def test_predicted_pixels_never_stand_for_masks(viewer, found, predicted, about) -> None:
    view = WhatMattered(viewer, found, REQUEST, list(viewer.layers))
    view.show(predicted, about)
    assert all((layer.data == 0).all() for layer in view.stacks[0])


def test_masks_of_another_request_go(viewer, found, predicted, about) -> None:
    view = WhatMattered(viewer, found, REQUEST, list(viewer.layers))
    ones = np.ones((1, *found.cells.pixels.shape), np.float32)
    facts = (module.MaskFacts(0.5, 1.0, 0.9, 0.9, "on cells"),)
    view.show_further(predicted, FoundMasks(ones, facts), about)
    view.show(predicted, about)
    assert all((layer.data == 1).all() for layer in view.stacks[0])
    view.show(replace(predicted, request=Request(("shrinkage",), strength=0.5)), about)
    assert all((layer.data == 0).all() for layer in view.stacks[0])


def test_a_classifier_is_trained_once_and_goes_with_its_cells(
    short: None, viewer, cells, model, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = found_in(viewer, cells)
    trained: list[NDArray[Any]] = []
    fit = fair_pixel_classifier.FairPixelClassifier.fit

    def spy(control: NDArray[Any], *args: Any, **more: Any) -> Any:
        trained.append(control)
        return fit(control, *args, **more)

    monkeypatch.setattr(fair_pixel_classifier.FairPixelClassifier, "fit", spy)
    token = module._Asked(Token())
    one = module.classifier_of(found, loaded(model), "shrinkage", token)
    assert module.classifier_of(found, loaded(model), "shrinkage", token) is one
    assert len(trained) == 1
    alive = weakref.ref(one)
    del found, one, trained[:]
    gc.collect()
    assert alive() is None


def test_it_needs_real_cells_of_both_sides(found, model, cells) -> None:
    assert WhatMattered.missing(found, loaded(model)) == ""
    for table in (None, found.layers.table[found.layers.table["compound"] != "shrinkage"]):
        lacking = replace(found, layers=replace(found.layers, table=table))
        assert "open crops (.cells) that hold 20 controls" in WhatMattered.missing(lacking, loaded(model))
    assert WhatMattered.missing(replace(found, layers=replace(found.layers, control=None)), loaded(model))
    assert FEWEST == fair_pixel_classifier.FEWEST


def test_a_target_without_real_cells_is_told(found, model, predicted) -> None:
    encoded = EncodedCells(loaded(model), found)
    other = replace(predicted, request=Request(("mitotic arrest",)))
    with pytest.raises(ConditionError, match=r"mitotic arrest takes 20 real cells.*there are 0 and 24"):
        mask_cells(Token(), encoded, other)


def test_it_can_be_left(found, model, predicted) -> None:
    token = Token()
    token.cancel()
    with pytest.raises(CancelledError):
        mask_cells(token, EncodedCells(loaded(model), found), predicted)


def test_several_targets_each_with_its_panes(short: None, viewer, found, predicted, about, model) -> None:
    request = Request(("shrinkage", "shrinkage"))

    def about_either(number: int) -> dict[str, object]:
        return about(0)

    both = Predicted(request, np.repeat(predicted.pixels, 2, axis=0), 0.0)
    view = WhatMattered(viewer, found, request, list(viewer.layers))
    view.show(both, about_either)
    masks = mask_cells(Token(), EncodedCells(loaded(model), found), both)
    view.show_further(both, masks, about_either)
    count = len(found.cells.channels)
    assert [len(stack) for stack in view.stacks] == [count, count]
    np.testing.assert_array_equal(view.stacks[0][1].data, view.stacks[1][1].data)
    view.close()
    assert sorted(layer.name for layer in viewer.layers) == sorted(found.cells.channels)
