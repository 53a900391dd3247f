"""Scores in brief: what rules look at, and how they write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from napari_impa.analysis.features.space import FAMILIES
from napari_impa.analysis.metrics.gap import family_column

LEFT = 0.15
"""Gap closed up to which a family counts as left as it is."""


class ScoresInBrief:
    """Medians over conditions of what rules look at."""

    def __init__(self, table: pd.DataFrame, measured: pd.DataFrame) -> None:
        self.table, self.measured, self.made = table, measured, table.attrs
        self.rows = {str(name): part for name, part in table.groupby("row", sort=False)}
        self.conditions = list(dict.fromkeys(table["condition"]))

    def of(self, row: str, column: str) -> float:
        """Median over conditions; NaN where there is none."""
        if row not in self.rows or column not in self.table:
            return float("nan")
        values = self.rows[row][column].dropna()
        return float(values.median()) if len(values) else float("nan")

    @property
    def gap(self) -> float:
        """Gap that predicted cells close."""
        return self.of("predicted", "gap_closed")

    def family(self, family: str) -> float:
        """Gap closed of a family; NaN where nothing of it moves, or not even real cells of a repeat close it."""
        return float("nan") if self.is_doubtful(family) else self.of("predicted", family_column(family))

    def is_doubtful(self, family: str) -> bool:
        """Whether real cells of a repeat do not close the family's gap either: it moves by chance or with the plate."""
        return self.of("real", family_column(family)) < LEFT

    def families(self, which: Callable[[float], bool]) -> list[str]:
        """Families whose gap closed is such, in their order."""
        return [f for f in FAMILIES if np.isfinite(value := self.family(f)) and which(value)]

    @property
    def progress(self) -> float:
        """Median, over the measurements that truly move, of the shift's size over the true shift's."""
        moving = self.measured[(self.measured["row"] == "predicted") & self.measured["moves"]]
        share = (moving["moved"] / moving["shift"]).abs()
        return float(share.median()) if len(share) else float("nan")

    @property
    def what(self) -> str:
        """What a condition is called here."""
        return "batch" if self.made["task"] == "batch" else "condition"


def one_score(table: pd.DataFrame, condition: str, row: str, column: str = "gap_closed") -> float:
    """One figure of the table; NaN where it is not there."""
    values = table.loc[(table["condition"] == condition) & (table["row"] == row), column]
    return float(values.iloc[0]) if len(values) else float("nan")


def in_share(value: float) -> str:
    """A share in %, with a true minus, never −0 %."""
    return f"{round(100 * value):d} %".replace("-", "−") if np.isfinite(value) else "–"


def in_words(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plural(count: int, what: str) -> str:
    """The word for so many conditions or batches."""
    return what if count == 1 else f"{what}es" if what.endswith("ch") else f"{what}s"
