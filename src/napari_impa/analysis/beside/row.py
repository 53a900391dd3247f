"""What a row of the table of scores is: the model's cells, or cells that say what a score is worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_impa.analysis.compared.comparison import Compared
from napari_impa.analysis.compared.evaluated_cells import EvaluatedCondition


@dataclass(frozen=True)
class RowBeside:
    """A row of the table.

    Parameters
    ----------
    name
        What a script calls it.
    title
        What a table calls it; `{control}` stands for what untreated cells are called there.
    note
        One sentence that says what it is for.
    make
        Gives its cells for a condition, or None where there are none.
    """

    name: str
    title: str
    note: str
    make: Callable[[EvaluatedCondition], Compared | None]
