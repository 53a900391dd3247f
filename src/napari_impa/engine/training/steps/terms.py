"""The losses, one row each: columns of `history.csv`, curves of the dock, progress bar and documentation follow.

A step may give any of them, and no other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_impa.errors import TrainingError


@dataclass(frozen=True)
class Term:
    """A loss.

    Parameters
    ----------
    name
        As a step, an event and a column of `history.csv` call it.
    help
        What it measures, in one phrase; x is a control cell, G the generator, F the style encoder, D the discriminator.
    title
        What a curve is called; empty where none is drawn.
    colours
        Of the curve, on dark and on light, which colour-blind people can tell apart (after Paul Tol).
    in_bar
        Whether the progress bar shows it.
    player
        Where it is a cross-entropy of D's answers, log 2 where they tell nothing apart: whose loss it is,
        `discriminator` or `generator`.
    """

    name: str
    help: str
    title: str = ""
    colours: tuple[str, str] = ("", "")
    in_bar: bool = False
    player: str = ""


TERMS = (
    Term("real", "D takes real cells for real", in_bar=True, player="discriminator"),
    Term("fake", "D takes generated cells for generated", in_bar=True, player="discriminator"),
    Term(
        "mismatch", "D takes a treated cell for more of its condition than a control cell that is called so",
        player="discriminator",
    ),
    Term("r1", "½ the squared gradient of D at real cells"),
    Term(
        "adversarial", "D takes generated cells for real, or for more real than real ones", "adversarial",
        ("#ee6677", "#bb2244"), in_bar=True, player="generator",
    ),
    Term("style", "F finds in a generated cell the style it was drawn with", "style", ("#44bb66", "#117733")),
    Term("diversity", "two generated cells of other noise differ: the more, the better"),
    Term("cycle", "a control cell, treated and led back, is itself", "cycle", ("#ddcc77", "#997700"), in_bar=True),
    Term(
        "self_reconstruction", "a control cell under its own style is itself", "self reconstruction",
        ("#66ccee", "#007799"),
    ),
    Term(
        "backward_cycle", "a treated cell, made a control and treated again, is itself", "backward cycle",
        ("#cc99dd", "#772299"),
    ),
    Term(
        "reconstruction", "a cell under its own style is itself, in the first stage", "reconstruction",
        ("#77aadd", "#004488"), in_bar=True,
    ),
    Term("style_match", "the mean style of a condition is that of its real cells"),
    Term("start_match", "the mean style that conditions are relative to is that of its real cells"),
    Term("pairing", "D takes a real cell for more real than a generated one", in_bar=True, player="discriminator"),
    Term("r2", "½ the squared gradient of D at generated cells"),
)  # fmt: skip
"""In the order of the columns of `history.csv`."""

HISTORY = ("step", "seconds", "stage", *(term.name for term in TERMS))
"""Columns of `history.csv`."""

CURVES = {term.name: term for term in TERMS if term.title}
"""Losses that the dock draws."""


def require_known(names: Iterable[str]) -> None:
    """Check that losses have a row here, without which they would be in no history and in no picture.

    Raises
    ------
    TrainingError
        If one has none.
    """
    unknown = sorted(set(names) - set(HISTORY))
    if unknown:
        raise TrainingError(f"The loss {unknown[0]!r} has no row in steps/terms.py; add one, so that it is kept.")
