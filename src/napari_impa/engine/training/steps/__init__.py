"""The recipes: how a training step is made. Each is a set of values and the step that follows them, and a row here.

To add one, write its file after `paper_step`, and its row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_impa.engine.training.steps.recipe import Recipe

if TYPE_CHECKING:
    from napari_impa.engine.training.steps.step import Step


def _default() -> type[Step[Any]]:
    from napari_impa.engine.training.steps.default_step import DefaultStep

    return DefaultStep


def _paper() -> type[Step[Any]]:
    from napari_impa.engine.training.steps.paper_step import PaperStep

    return PaperStep


@dataclass(frozen=True)
class RecipeEntry:
    """A recipe by name; what is said of it needs no torch.

    Parameters
    ----------
    name
        As settings and run folders call it.
    title, help
        What a form offers, and half a sentence that says what it is.
    load
        Import its step.
    blurred, good
        Steps below which cells were still blurred, and from which they were good; None where that was not measured.
    """

    name: str
    title: str
    help: str
    load: Callable[[], type[Step[Any]]]
    blurred: int | None = None
    good: int | None = None


RECIPES = (
    RecipeEntry(
        "default",
        "default: learns faster",
        "default, which learns faster and leaves a cell its own brightness",
        _default,
        blurred=1000,  # docs/recipes.md: 781
        good=2000,  # docs/bundled-models.md: real cells, 2,187
    ),
    RecipeEntry("paper", "paper: as published", "paper, as published", _paper),
)
"""`paper` is the published training step, exactly; `default` is what was found better at equal minutes."""


def entry_of(name: str) -> RecipeEntry:
    """Return the row of a recipe; a `KeyError` if there is none of that name."""
    return {entry.name: entry for entry in RECIPES}[name]


def recipe_named(name: str) -> Recipe:
    """Return a recipe with its own values."""
    return entry_of(name).load().recipe_type()


def make_step(networks: Any, recipe: Recipe, **how: Any) -> Step[Any]:
    """Make the step of a recipe; arguments as of `Step`."""
    return entry_of(recipe.name).load()(networks, recipe, **how)


def recipe_from_json(values: Mapping[str, Any], name: str) -> Recipe:
    """Read the values of a recipe as a run folder keeps them; older ones do not say its `name`.

    Raises
    ------
    LookupError, TypeError, ValueError
        If this version does not know them.
    """
    recipe = entry_of(values.get("name", name)).load().recipe_type
    return recipe.from_json(values)
