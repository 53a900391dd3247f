"""What a metric is: columns of the table of scores that say how good predicted cells are, and how they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from napari_impa.analysis.compared.comparison import Compared

Need = Literal["features", "pixels", "control", "plates", "batches", "classifier", "nuclei", "mechanisms", "training"]
"""What a metric may need: features or pixels of the cells, an untreated control, several plates, batches (of a batch
model), a classifier of real cells, a channel that shows nuclei, mechanisms of action in the cells' table, cells of the
training beside those that it held out."""


@dataclass(frozen=True)
class PrintedPart:
    """What the printed table says of a metric.

    Parameters
    ----------
    text
        How to read it, in lines of at most 120 letters.
    heads
        Of each column that is printed, its head.
    write
        Writes a number.
    """

    text: str
    heads: Mapping[str, str]
    write: Callable[[float], str]


@dataclass(frozen=True)
class Metric:
    """A metric of predicted cells.

    Parameters
    ----------
    name, title
        What a script and what a report calls it.
    headline
        The column that sums it up.
    better
        Whether a good prediction has a lower or a higher headline.
    needs
        What it needs; where that is not there, the metric is left out.
    columns
        Gives its columns of the table, and their values, for one row of it; nothing where it is not for that row.
    part
        Says what is printed of it, given the whole table as `evaluate` returns it.
    missing
        A sentence that says what to install where it cannot be computed now; empty where it can.
    source
        The paper or library that its definition comes from.
    """

    name: str
    title: str
    headline: str
    better: Literal["lower", "higher"]
    needs: frozenset[Need]
    columns: Callable[[Compared], dict[str, float]]
    part: Callable[[pd.DataFrame], PrintedPart]
    missing: Callable[[], str] = str
    source: str = ""


def words_of(table: pd.DataFrame) -> tuple[str, str]:
    """What is scored, and what its cells are called as they are: condition and control, or batch and uncorrected."""
    return ("batch", "uncorrected") if table.attrs["task"] == "batch" else ("condition", "control")


def in_percent(value: float) -> str:
    """Write a fraction in %."""
    return f"{100 * value:.0f} %"


def with_two_digits(value: float) -> str:
    """Write a number with two digits after the point."""
    return f"{value:.2f}"
