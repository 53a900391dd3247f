from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from napari_impa.analysis.certainty import spread
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape


@pytest.fixture(scope="module")
def model() -> IMPA:
    networks = Networks(Shape(size=24, channels=2, width=4, embedding_dims=(8,), conditions=(2,)))
    networks.initialize(torch.Generator().manual_seed(0))
    limits = np.array([[100.0, 3000.0], [0.0, 500.0]])
    return IMPA(networks, channels=("DNA", "actin"), conditions=("a", "b"), limits=limits)


@pytest.fixture
def cells(model: IMPA) -> Cells:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 3000, (5, len(model.channels), model.size, model.size)).astype(np.float32)
    return Cells(pixels, pd.DataFrame({"n": range(5)}), model.channels)


def test_spread_is_that_of_the_predictions_of_several_seeds(model: IMPA, cells: Cells) -> None:
    target = model.conditions[0]
    result = spread(model, cells, target, draws=4, strength=0.6, variability=0.8, seed=3)
    several = [model.predict(cells, target, strength=0.6, variability=0.8, seed=seed).pixels for seed in (3, 4, 5, 6)]
    assert result.shape == cells.pixels.shape
    assert result.dtype == np.float32
    assert result.max() > 0
    assert np.allclose(result, np.std(several, axis=0, ddof=1), rtol=1e-2, atol=0.1)


def test_nothing_is_spread_without_variability(model: IMPA, cells: Cells) -> None:
    assert np.allclose(spread(model, cells, model.conditions[0], draws=2, variability=0.0), 0)


def test_one_draw_has_no_spread(model: IMPA, cells: Cells) -> None:
    with pytest.raises(ValueError, match="at least 2 draws"):
        spread(model, cells, model.conditions[0], draws=1)
