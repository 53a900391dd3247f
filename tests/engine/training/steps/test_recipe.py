"""Recipes: ranges of their values, what a run keeps of them, and their schedule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from napari_impa.engine.training.steps import RECIPES, entry_of, make_step, recipe_from_json, recipe_named
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.paper_step import PaperRecipe
from napari_impa.engine.training.steps.recipe import FORMER, StepKind
from napari_impa.errors import TrainingError

NAMELESS: dict[str, Any] = {
    **FORMER, "learning_rate": 2e-4, "adversarial": 0.7, "weight_decay": 0.0, "diversity": 0.0, "r1": 0.02,
    "r1_every": 8, "shared_pass": True, "self_reconstruction": 2.0, "detail": 2.0, "contrast": 0.4, "peaks": 0.3,
    "in_turns": True, "critic_rate": 1e-3, "mismatch": 0.5, "muon": 0.004, "autoencoder": 0.35,
    "autoencoder_rates": [2e-3, 0.02], "ramp": 0.05, "average": 0.995, "even_conditions": True, "rotations": True,
    "decay_from": 0.7, "mixed_precision": True, "relative_style": True, "backward_cycle": 2.0,
    "upsampling": "bilinear_skip",
}  # fmt: skip
"""The default recipe as runs of version 0.1 keep it."""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"r1_every": 0}, "r1_every of the recipe default is at least 1, not 0"),
        ({"r1_every": 2.5}, "number of steps"),
        ({"learning_rate": 0.0}, "learning_rate of the recipe default is more than 0, not 0"),
        ({"cycle": -1.0}, "cycle .* is at least 0"),
        ({"r1": float("nan")}, "r1 .* is at least 0"),
        ({"autoencoder": 1.5}, "at least 0 and at most 1, not 1.5"),
        ({"mismatch": -0.1}, "mismatch"),
        ({"average": 1.0}, "less than 1"),
        ({"autoencoder_rates": (1e-3,)}, "two numbers"),
        ({"upsampling": "cubic"}, "upsampling is one of nearest, bilinear_skip, not 'cubic'"),
        ({"discriminator": "wide"}, "discriminator is one of published, spread, not 'wide'"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        DefaultRecipe(**values)


@pytest.mark.parametrize("entry", RECIPES, ids=lambda entry: entry.name)
def test_a_recipe_is_what_its_row_says(entry: Any) -> None:
    recipe = recipe_named(entry.name)
    assert recipe.name == entry.name
    assert entry_of(entry.name).load().recipe_type is type(recipe)
    assert recipe_from_json(recipe.to_json(), "another") == recipe


def test_runs_of_version_0_1_are_read() -> None:
    former = DefaultRecipe(learning_rate=2e-4, muon=0.004, discriminator="published")
    assert recipe_from_json(NAMELESS, "default") == former
    assert recipe_from_json(NAMELESS | {"cycle": 0.25, "upsampling": "nearest"}, "default") == replace(
        former, cycle=0.25, upsampling="nearest"
    )
    assert recipe_from_json(dict(FORMER), "paper") == PaperRecipe()
    older = {k: v for k, v in NAMELESS.items() if k not in ("relative_style", "backward_cycle", "upsampling")}
    assert recipe_from_json(older, "default") == replace(
        former, relative_style=False, backward_cycle=0.0, upsampling="nearest"
    )


def test_runs_from_before_there_was_a_choice_of_discriminators_keep_theirs() -> None:
    values = DefaultRecipe().to_json()
    del values["discriminator"]
    assert recipe_from_json(values, "default") == DefaultRecipe(discriminator="published")


@pytest.mark.parametrize(
    "values",
    [
        NAMELESS | {"of_a_later_version": 1},
        NAMELESS | {"diversity": 0.3},
        NAMELESS | {"in_turns": False},
        {"name": "of a later version"},
        {"name": "default", "of_a_later_version": 1},
        {"name": "paper", "learning_rate": 1e-3},
    ],
)
def test_what_this_version_does_not_know_is_no_recipe(values: dict[str, Any]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        recipe_from_json(values, "default")


def test_the_schedule_of_the_default() -> None:
    recipe = DefaultRecipe()
    assert [recipe.stage(progress) for progress in (0.0, 0.349, 0.35, 1.0)] == ["autoencoder"] * 2 + ["adversarial"] * 2
    assert recipe.kinds_of_steps() == [
        StepKind("adversarial", 1, pytest.approx(0.65 * 7 / 8), pytest.approx(0.4)),
        StepKind("autoencoder", 1, pytest.approx(0.35 * 7 / 8), 0.0),
        StepKind("adversarial", 0, pytest.approx(0.65 / 8), pytest.approx(0.4)),
        StepKind("autoencoder", 0, pytest.approx(0.35 / 8), 0.0),
    ]
    shares = {kind.number: kind.share for kind in DefaultRecipe(autoencoder=0.0, r1_every=3).kinds_of_steps()}
    assert shares == pytest.approx({0: 1 / 3, 1: 2 / 3})
    always = DefaultRecipe(r1_every=1).kinds_of_steps()
    assert {(kind.stage, kind.number) for kind in always} == {("adversarial", 0), ("autoencoder", 0)}
    assert [recipe.dearest(number) for number in (0, 7, 8, 21)] == [0, 0, 8, 16]
    assert recipe.starts(3) == 3
    assert DefaultRecipe(relative_style=False).starts(3) == 0


def test_the_schedule_of_the_paper() -> None:
    recipe = PaperRecipe()
    assert recipe.kinds_of_steps() == [StepKind("adversarial", 0, 1.0, 0.0)]
    assert recipe.stage(0.0) == "adversarial"
    assert recipe.dearest(5) == 5
    assert recipe.starts(3) == 0


def test_going_on_from_a_model_needs_no_large_steps() -> None:
    recipe = DefaultRecipe()
    assert recipe.going_on(new_conditions=False).autoencoder == 0
    some = recipe.going_on(new_conditions=True)
    assert (some.autoencoder, some.autoencoder_rates) == (0.15, (5e-4, 0.01))
    short = DefaultRecipe(autoencoder=0.0)
    assert short.going_on(new_conditions=True) == short
    assert PaperRecipe().going_on(new_conditions=True) == PaperRecipe()


def test_a_recipe_that_is_not_listed_has_no_step() -> None:
    class Unlisted(PaperRecipe):
        name = "unlisted"

    with pytest.raises(KeyError, match="unlisted"):
        make_step(None, Unlisted())
