"""What a metric is given: a set of cells, held against real cells of a condition and beside untreated ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from napari_impa.analysis.compared.evaluated_cells import CellSet, EvaluatedCondition
from napari_impa.analysis.statistics.gap_closed import GapClosed, gap_closed

WITH_INTERVAL = ("predicted", "mean_effect", "real")
"""Rows whose gap closed is given with an interval."""


@dataclass(frozen=True, eq=False)
class Compared:
    """One row of the table of scores.

    Parameters
    ----------
    row
        Name of the row: `predicted`, or one of those beside it.
    of
        The condition.
    cells
        What is judged.
    real
        Real cells of the condition, which `cells` should be like.
    control
        Cells as they are, untreated or uncorrected.
    judged
        What a classifier is asked about; None where it would be asked about cells that it was trained on.
    own
        Whether each of `cells` was made of the control cell at the same place.
    """

    row: str
    of: EvaluatedCondition
    cells: CellSet
    real: CellSet
    control: CellSet
    judged: CellSet | None = None
    own: bool = False

    @property
    def count(self) -> int:
        """Cells on either side of a distance: as many of each."""
        return min(len(self.cells), len(self.real), len(self.control))

    @cached_property
    def gaps(self) -> GapClosed:
        """How much of the way to the real cells `cells` go, by the measurements of the first feature space."""
        evaluated = self.of.evaluated
        control, cells, real = (side.wells for side in (self.control, self.cells, self.real))
        wells = None if control is None or cells is None or real is None else (control, cells, real)
        return gap_closed(
            self.control.features(), self.cells.features(), self.real.features(),
            [measurement.family for measurement in evaluated.measurements],
            wells=wells, repeat=self.of.halves[1].features(), paired=self.own,
            draws=200 if self.row in WITH_INTERVAL else 0, seed=evaluated.seed, watch=evaluated.watch,
        )  # fmt: skip
