from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_impa.analysis.held_out import HeldOutScore
from napari_impa.analysis.scores import evaluate
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
    assert all(0 < value < 1 for value in trained.values())
    assert all(value < 0 for value in fresh.values())
    assert score(model) == trained  # nothing random is left


def test_it_is_of_the_scale_of_evaluate(model: IMPA, cells: Cells) -> None:
    table = evaluate(model, cells).set_index("condition")
    for condition, value in HeldOutScore(model, cells)(model).items():
        assert 1 - value == pytest.approx(table.loc[condition, "ratio"], rel=0.1)


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
