"""What the steps of all recipes do alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from napari_impa.engine.training.steps import RECIPES, recipe_named
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.paper_step import PaperRecipe, PaperStep
from napari_impa.engine.training.steps.step import Step
from napari_impa.engine.training.steps.terms import TERMS
from napari_impa.errors import TrainingError

Make = Callable[..., Step[Any]]
NAMES = [entry.name for entry in RECIPES]


@pytest.mark.parametrize("name", NAMES)
def test_the_state_is_all_that_the_next_step_depends_on(make_step: Make, batch: Batch, name: str) -> None:
    recipe = recipe_named(name)
    one, other = make_step(recipe), make_step(recipe, seed=5)
    one(batch, 0, recipe.stage(0.0), progress=0.0)
    one(batch, 1, "adversarial", progress=0.6)
    other.restore({name: value.clone() for name, value in one.state().items()})
    for step in (one, other):
        step(batch, 2, "adversarial", progress=0.6)
    for key, value in one.state().items():
        assert torch.equal(value, other.state()[key]), key


@pytest.mark.parametrize("name", NAMES)
def test_all_learn_and_are_free_again(make_step: Make, batch: Batch, name: str) -> None:
    step = make_step(recipe_named(name))
    before = {key: value.clone() for key, value in step.networks.state_dict().items()}
    step(batch, 1, "adversarial", progress=0.6)
    after = step.networks.state_dict()
    learned = {key.split(".")[0] for key, value in before.items() if not torch.equal(value, after[key])}
    assert {"discriminator", "generator", "mapping_network", "embedding_matrix"} < learned
    assert ("style_encoder" in learned) == (name == "paper")  # relative styles keep their scale
    assert all(p.requires_grad for p in step.networks.parameters())


def test_every_loss_has_a_row_and_every_row_a_loss(make_step: Make, batch: Batch) -> None:
    given = set()
    for name in NAMES:
        recipe = recipe_named(name)
        step = make_step(recipe)
        for kind in recipe.kinds_of_steps():
            given |= set(step(batch, kind.number, kind.stage, progress=kind.progress))
    assert given == {term.name for term in TERMS}


def test_a_loss_without_a_row_is_an_error_at_once(
    make_step: Make, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PaperStep, "_make", lambda *_: {"real": torch.zeros(()), "perceptual": torch.ones(())})
    with pytest.raises(TrainingError, match="loss 'perceptual' has no row"):
        make_step(PaperRecipe())(batch, 0, "adversarial", progress=0.0)
