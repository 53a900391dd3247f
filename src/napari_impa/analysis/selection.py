"""Which cells are scored: those a training held out, of conditions that the model can predict, with controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.checks import plate_column
from napari_impa.cells.store import Cells, condition_names, shortest
from napari_impa.cells.tables import as_in, columns_named, where_in_words
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import ConditionError, ModelError

FEWEST = 20
"""Real cells that a condition needs to be scored."""

MOST = 500
"""Cells of a condition above which a sample is taken: with more, no figure of a model changes its second digit."""


@dataclass(frozen=True, eq=False)
class ScoredCells:
    """The cells as the model takes them, and which of them are scored.

    Parameters
    ----------
    cells
        Labelled as the model's, of its channels and crop side.
    rows
        (n,) row in `cells` of each cell that is used, at most `most` of a condition among the scored and the others.
    names
        (n,) condition of each.
    scored
        (n,) whether it is scored; the others train the classifier and give the floor.
    plates
        (n,) plate, or what else says which cells were imaged together; all alike where nothing does.
    conditions
        What is scored, in the model's order.
    control
        Name of the untreated control; None for a batch model.
    where
        The cells that were asked for, in words; empty for all.
    held_out
        Whether the training saw none of the scored cells, controls aside.
    most
        Cells of a condition above which a sample was taken.
    """

    cells: Cells
    rows: NDArray[np.intp]
    names: NDArray[np.object_]
    scored: NDArray[np.bool_]
    plates: NDArray[np.object_]
    conditions: tuple[str, ...]
    control: str | None
    where: str
    held_out: bool
    most: int = MOST

    def sources(self, condition: str) -> NDArray[np.intp]:
        """Positions in `rows` of the scored cells to turn into a condition: controls, or cells of the other batches."""
        mask = self.names != condition if self.control is None else self.names == self.control
        positions = np.flatnonzero(mask & self.scored)
        return positions[np.linspace(0, len(positions) - 1, min(len(positions), self.most)).astype(np.intp)]

    def real(self, condition: str, *, scored: bool = True) -> NDArray[np.intp]:
        """Positions in `rows` of real cells of a condition, of those scored or of the others."""
        return np.flatnonzero((self.names == condition) & (self.scored == scored))

    def judged(self) -> NDArray[np.intp]:
        """Positions in `rows` of all real cells that are scored, of conditions and of the control."""
        return np.flatnonzero(np.isin(self.names.astype(str), [*self.conditions, str(self.control)]) & self.scored)

    def take(self, positions: NDArray[np.intp]) -> Cells:
        """Return the cells at positions in `rows`."""
        return self.cells.take(self.rows[positions])


def select_cells(
    model: IMPA, cells: Cells, where: Mapping[str, Any] | None = None, *, seed: int = 0, most: int = MOST
) -> ScoredCells:
    """Choose what is scored: the cells that `where` names, else those that the training held out, else all.

    Raises
    ------
    ConditionError
        If a column or value does not occur, or there are too few controls or treated cells among those chosen.
    ModelError
        If the cells do not fit the model.
    """
    if not 0 <= seed < 2**63:
        raise ModelError(f"A seed is a whole number from 0 to 2⁶³ - 1, not {seed}.")
    control = None if model.task == "batch" else (model.control or cells.control)
    if model.task != "batch" and control is None:
        raise ConditionError("These cells name no control; say which label value is the untreated control.")
    cells = model.fit(cells.labelled(model.label or cells.label, control))
    about = {column: some for column, some in model.where.items() if column in cells.table.columns}
    cells = cells.take(cells.mask_where(about)) if about else cells  # what the training was about, nothing else
    control = None if control is None else shortest(control)
    names, held = cells.conditions, held_out_rows(cells, model.hold_out)
    words = where_in_words(where or model.hold_out)
    scored = cells.mask_where(where) if where else held if model.hold_out else np.ones(len(cells), bool)
    if control is not None and scored.any() and not (scored & (names == control)).any():
        # chosen, or held out, by a label, which no control has: the controls of the same plates, or all
        rest = {column: values for column, values in (where or model.hold_out).items() if column not in cells.label}
        if where or not rest:
            scored |= (names == control) & cells.mask_where(rest)
    if not scored.any():
        raise ConditionError(
            f"The training held out cells of {words}, of which there are none here; say which cells to score (where)."
        )
    among = f"Among the cells to score{f' ({words})' if words else ''}"
    counts = pd.Series(names[scored]).value_counts()
    if control is not None and counts.get(control, 0) < FEWEST:
        raise ConditionError(
            f"{among} are {counts.get(control, 0)} controls ({control}), where {FEWEST} or more are needed; "
            "choose cells that hold controls too."
        )
    known = [*model.conditions, *model.unseen]
    conditions = tuple(name for name in known if name != control and counts.get(name, 0) >= FEWEST)
    if not conditions or (control is None and counts.sum() - counts[conditions[0]] < FEWEST):
        found = ", ".join(f"{name} ({count})" for name, count in counts.head(12).items())
        raise ConditionError(
            f"{among} are too few real cells of {'two batches' if control is None else 'a condition'} that the model "
            f"{model.name!r} knows ({FEWEST} are needed; there are: {found}); choose other cells."
        )
    rows = _sample(names, scored, [*dict.fromkeys([*known, control])], np.random.default_rng([seed, 1]), most)
    return ScoredCells(
        cells=cells,
        rows=rows,
        names=names[rows],
        scored=scored[rows],
        plates=_plates(cells)[rows],
        conditions=conditions,
        control=control,
        where=words,
        held_out=bool(model.hold_out) and bool(held[scored & (names != control)].all()),
        most=most,
    )


def held_out_rows(cells: Cells, hold_out: Mapping[str, Any]) -> NDArray[np.bool_]:
    """(N,) whether the training held a cell out; what these cells have no column for holds nothing out."""
    held = np.zeros(len(cells), bool)
    for column, values in hold_out.items():
        columns = columns_named(cells.table, column)
        if set(columns) <= set(cells.table.columns):
            texts = condition_names(cells.table, columns)
            present = set(texts)
            held |= np.isin(texts, [as_in(present, value) for value in values])
    return held


def _sample(
    names: NDArray[np.object_], scored: NDArray[np.bool_], known: list[str | None], rng: np.random.Generator, most: int
) -> NDArray[np.intp]:
    """Rows of known conditions, at most `most` of each among the scored and among the others."""
    kept = []
    for name in known:
        for part in (scored, ~scored):
            rows = np.flatnonzero((names == name) & part)
            kept.append(rows if len(rows) <= most else rng.choice(rows, most, replace=False))
    return np.unique(np.concatenate(kept))


def _plates(cells: Cells) -> NDArray[np.object_]:
    """(N,) what tells cells apart that were not treated and imaged together."""
    column = plate_column(cells.table, cells.label)
    return np.full(len(cells), "", object) if column is None else condition_names(cells.table, [column])
