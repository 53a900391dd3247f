"""What a metric is: columns of the table of scores that say how good predicted cells are, and how they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from napari_impa.analysis.evaluated_cells import EvaluatedCondition

Need = Literal["features", "pixels", "control", "plates", "batches", "classifier", "nuclei"]
"""What a metric may need: features or pixels of the cells, an untreated control, several plates, batches (of a batch
model), a classifier of real cells, a channel that shows nuclei."""


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
        Gives its columns of the table, and their values, for one condition.
    part
        Says what is printed of it, given the whole table as `evaluate` returns it.
    """

    name: str
    title: str
    headline: str
    better: Literal["lower", "higher"]
    needs: frozenset[Need]
    columns: Callable[[EvaluatedCondition], dict[str, float]]
    part: Callable[[pd.DataFrame], PrintedPart]


def words_of(table: pd.DataFrame) -> tuple[str, str]:
    """What a row of the table is, and what its controls are called: condition and control, or batch and uncorrected."""
    return ("batch", "uncorrected") if table.attrs["task"] == "batch" else ("condition", "control")


def group_heads(column: str, control: str) -> dict[str, str]:
    """Heads of the columns `COLUMN_predicted`, `COLUMN_control` and `COLUMN_real`."""
    return {f"{column}_predicted": "predicted", f"{column}_control": control, f"{column}_real": "real"}


def in_percent(value: float) -> str:
    """Write a fraction in %."""
    return f"{100 * value:.1f} %"
