"""Rates of every width and batch, and what a step makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.steps import make_step, recipe_named
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.rates import RateFactors, by_batch, by_width
from napari_impa.engine.training.steps.recipe import Recipe
from napari_impa.engine.training.steps.step import Step


def step_of(recipe: Recipe, width: int, batch_size: int) -> Step[Any]:
    shape = Shape(size=24, channels=2, width=width, style_dim=8, noise_dim=4, embedding_dims=(6,), conditions=(3,),
                  relative_style=recipe.starts(1))  # fmt: skip
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    return make_step(networks, recipe, batch_size=batch_size)


def rates(step: Step[Any], stage: Any = "adversarial", progress: float = 0.5) -> dict[str, float]:
    step._set_rates(100, stage, progress)
    return {name: optimizer.param_groups[0]["lr"] for name, optimizer in step.optimizers.items()}


@pytest.mark.parametrize(("width", "factor"), [(8, 1.0), (16, 1.0), (32, 0.5), (64, 0.25), (128, 0.125)])
def test_adam_s_rate_falls_with_the_width(width: int, factor: float) -> None:
    assert by_width(width) == factor


@pytest.mark.parametrize(("batch_size", "factor"), [(1, 0.25), (4, 0.5), (8, 0.5**0.5), (16, 1.0), (64, 1.0)])
def test_rates_fall_with_the_square_root_of_the_batch_and_never_rise(batch_size: int, factor: float) -> None:
    assert by_batch(batch_size) == pytest.approx(factor, rel=1e-12)


def test_at_width_16_and_batch_16_rates_are_the_recipe_s_to_the_bit() -> None:
    step = step_of(DefaultRecipe(), 16, 16)
    found = rates(step)
    assert (found["critic"], found["maker"], found["kernels"], found["styles"]) == (1e-3, 5e-4, 0.01, 5e-4)


@pytest.mark.parametrize(("width", "batch_size", "critic"), [(32, 16, 5e-4), (64, 16, 2.5e-4), (64, 4, 1.25e-4)])
def test_a_wide_discriminator_learns_slower(width: int, batch_size: int, critic: float) -> None:
    found = rates(step_of(DefaultRecipe(), width, batch_size))
    rest = (batch_size / 16) ** 0.5
    assert found == pytest.approx(
        {"critic": critic, "maker": rest * 5e-4, "kernels": rest * 0.01, "styles": rest * 5e-4, "starts": 0.2}
    )


def test_without_muon_the_makers_rate_falls_with_the_width_too() -> None:
    step = step_of(DefaultRecipe(muon=0.0), 64, 16)
    assert rates(step)["maker"] == pytest.approx(5e-4 / 4)
    assert rates(step, "autoencoder", 0.1)["maker"] == pytest.approx(2e-3 / 4)


def test_a_step_of_a_wide_discriminator_is_as_large_as_its_rate() -> None:
    """Adam's first step moves every weight by its rate."""
    step = step_of(DefaultRecipe(mixed_precision=False), 64, 2)
    before = [weight.detach().clone() for weight in step.networks.discriminator.parameters()]
    torch.manual_seed(0)
    control, treated = torch.rand(2, 2, 2, 24, 24) * 2 - 1
    step(Batch(control, treated, torch.tensor([0, 1]), torch.tensor([2, 1])), 0, "adversarial", progress=0.5)
    after = step.networks.discriminator.parameters()
    moved = [float((now.detach() - then).abs().max()) for now, then in zip(after, before, strict=True)]
    assert max(moved) == pytest.approx(1e-3 / 4 * 8**-0.5, rel=1e-3)


def test_the_paper_s_rates_are_those_of_the_paper_at_any_width_and_batch() -> None:
    assert rates(step_of(recipe_named("paper"), 64, 2)) == {"critic": 1e-4, "maker": 1e-4}


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_rates_can_be_lowered(recipe: str) -> None:
    step = step_of(recipe_named(recipe), 16, 16)
    usual = rates(step)
    step.lowered = RateFactors(critic=0.5, makers=0.25)
    wanted = {name: 0.25 * rate for name, rate in usual.items()} | {"critic": 0.5 * usual["critic"]}
    assert rates(step) == pytest.approx(wanted | ({"starts": usual["starts"]} if "starts" in usual else {}))
