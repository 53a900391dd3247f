from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_impa.analysis.evaluation import evaluation
from napari_impa.analysis.features.fast import FAST
from napari_impa.analysis.held_out import HeldOutScore
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.errors import ConditionError
from napari_impa.work.catalog import load_model


@pytest.fixture(scope="module")
def cells() -> Cells:
    return simulated_cells(48, size=64, seed=5, plates=2, conditions=("DMSO", "shrinkage", "mitotic arrest"))


@pytest.fixture(scope="module")
def model() -> IMPA:
    """The bundled model, as if plate sim-B had been held out of its training."""
    model = load_model("simulated-screen")
    model.settings["hold_out"] = {"plate": ["sim-B"]}
    return model


def untrained(model: IMPA) -> IMPA:
    """The same model with the weights of a start."""
    fresh = IMPA(Networks(model.shape), channels=model.channels, conditions=model.conditions, limits=model.limits)
    fresh.networks.initialize(torch.Generator().manual_seed(0))
    return fresh


def test_a_trained_model_beats_the_control_and_an_untrained_one_does_not(model: IMPA, cells: Cells) -> None:
    score = HeldOutScore(model, cells)
    assert score.conditions == ("mitotic arrest", "shrinkage")
    assert score.cells == 48
    trained, fresh = score(model), score(untrained(model))
    assert list(trained) == list(score.conditions)
    assert all(0.2 < value < 1 for value in trained.values())
    assert all(value < 0 for value in fresh.values())
    assert score(model) == trained  # nothing random is left


def test_it_is_of_the_scale_of_evaluate(model: IMPA, cells: Cells) -> None:
    score = HeldOutScore(model, cells)
    table = evaluation(model, cells, features=("fast",)).table
    predicted, real = (table[table["row"] == row].set_index("condition")["gap_closed"] for row in ("predicted", "real"))
    for condition, value in score(model).items():
        assert value == pytest.approx(predicted[condition], abs=0.1)
    assert score.floor == pytest.approx(real.mean(), abs=0.1)
    assert 0.6 < score.floor <= 1


def test_what_does_not_differ_from_the_control_is_not_scored(model: IMPA, cells: Cells) -> None:
    pixels = cells.pixels.copy()
    same = np.flatnonzero(cells.conditions == "shrinkage")
    pixels[same] = pixels[np.flatnonzero(cells.is_control)]
    assert HeldOutScore(model, replace(cells, pixels=pixels)).conditions == ("mitotic arrest",)
    pixels[np.flatnonzero(cells.conditions == "mitotic arrest")] = pixels[np.flatnonzero(cells.is_control)]
    with pytest.raises(ConditionError, match="By no measurement do held-out cells differ"):
        HeldOutScore(model, replace(cells, pixels=pixels))


def test_measuring_takes_no_longer_than_predicting(model: IMPA, cells: Cells) -> None:
    """Of the 256 cells of a score, measuring them has to be little beside the steps between two scores."""
    many = cells.take(np.resize(np.arange(len(cells)), 256))
    began = time.process_time()
    FAST.describe(many.pixels, model.limits, nuclei=0)
    measuring = time.process_time() - began
    began = time.process_time()
    model.predict(many, "shrinkage", seed=0)
    assert measuring < 2 * (time.process_time() - began)


def test_few_cells_are_predicted_however_many_there_are(model: IMPA) -> None:
    many = simulated_cells(10, size=64, seed=1, plates=1)
    tiled = Cells(
        np.concatenate([many.pixels] * 8), many.table.iloc[np.tile(np.arange(len(many)), 8)].assign(plate="sim-B"),
        many.channels, label=many.label, control=many.control,
    )  # fmt: skip
    score = HeldOutScore(model, tiled)
    assert 246 < score.cells <= 256
    assert len(score.conditions) == 5


def test_too_few_held_out_cells(model: IMPA, cells: Cells) -> None:
    with pytest.raises(ConditionError, match="20 or more are needed"):
        HeldOutScore(model, cells.take(np.flatnonzero(cells.table["plate"] == "sim-B")[:15]))
