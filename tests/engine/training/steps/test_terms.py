"""The list of losses, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_impa.engine.training.steps.terms import CURVES, HISTORY, TERMS, require_known
from napari_impa.errors import TrainingError

RECIPES_PAGE = Path(__file__).parents[4] / "docs" / "recipes.md"


def test_the_page_says_what_each_loss_is() -> None:
    page = RECIPES_PAGE.read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.endswith((" yes |", "  |"))]
    assert rows == [f"| `{term.name}` | {term.help} | {'yes' if term.title else ''} |" for term in TERMS]


def test_columns_of_histories_stay_where_they_are() -> None:
    assert HISTORY == (
        "step", "seconds", "stage", "real", "fake", "mismatch", "r1", "adversarial", "style", "diversity", "cycle",
        "self_reconstruction", "backward_cycle", "reconstruction", "style_match", "start_match", "pairing", "r2",
    )  # fmt: skip


def test_curves_have_colours_of_their_own() -> None:
    colours = [colour for term in CURVES.values() for colour in term.colours]
    assert len(set(colours)) == len(colours)
    assert all(len(colour) == 7 for colour in colours)


def test_what_has_no_row_is_no_loss() -> None:
    require_known(HISTORY)
    with pytest.raises(TrainingError, match="loss 'colour' has no row"):
        require_known([*HISTORY, "colour"])
