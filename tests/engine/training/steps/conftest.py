"""Tiny networks, and a batch with one spike, so that all losses have something to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.steps import make_step as step_of
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.recipe import Recipe
from napari_impa.engine.training.steps.step import Step


@pytest.fixture
def shape() -> Shape:
    return Shape(size=24, channels=2, width=16, style_dim=8, noise_dim=4, embedding_dims=(6,), conditions=(3,))


@pytest.fixture
def make_step(shape: Shape) -> Callable[..., Step[Any]]:
    """Make the step of a recipe for four cells, with random weights and mean styles."""

    def make(
        recipe: Recipe, *, seed: int = 0, starts: int = 1, device: torch.device | str = "cpu", **how: Any
    ) -> Step[Any]:
        torch.manual_seed(seed)
        networks = Networks(replace(shape, relative_style=recipe.starts(starts)))
        networks.initialize(torch.Generator().manual_seed(seed))
        if recipe.starts(starts):
            torch.nn.init.normal_(networks.start_style, std=0.1)
        return step_of(networks.to(device), recipe, batch_size=4, **how)

    return make


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(1)
    control, treated = torch.rand(2, 4, 2, 24, 24) * 2 - 1
    control[1, :, 6:8, 10:12] = treated[1, :, 6:8, 10:12] = 40.0
    return Batch(control, treated, torch.tensor([0, 1, 2, 0]), torch.tensor([2, 1, 0, 1]))
