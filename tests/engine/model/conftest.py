"""A model of two channels, for cells of the engine's tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape


@pytest.fixture(scope="module")
def two_channels() -> IMPA:
    shape = Shape(24, channels=2, width=4, style_dim=8, noise_dim=3, embedding_dims=(5,), conditions=(2,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    limits = np.array([[0.0, 4000.0], [100.0, 5000.0]])
    return IMPA(
        networks, channels=("DNA", "actin"), conditions=("high", "low"), limits=limits, control="DMSO", label=("drug",)
    )
