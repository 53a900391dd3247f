"""The page *What did this?*: conditions ranked by how alike they would make control cells to chosen ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_impa.viewer.explore.explored_cells import ExploredCells
from napari_impa.viewer.explore.result_table import ResultTable
from napari_impa.viewer.kit.forms import Options, Wrapped
from napari_impa.viewer.kit.job_button import JobButton
from napari_impa.viewer.kit.texts import plain
from napari_impa.watch import Token

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_impa.viewer.explore.session import ExploreSession
    from napari_impa.work.exploring.what_did_this import SourceCauses

SHOWN = {"condition": "condition", "probability": "probability", "likeness": "likeness"}
TIPS = {
    "probability": "How probable it is that this was done to the cells, if it was one of these.",
    "likeness": "Share of the way from control cells to these that the condition goes; low for all: none of them.",
}

CHOSEN_CELLS = "the chosen cells"
FIELD = "explored"


class CausesPage(QWidget):
    """Which cells are asked about, a button, and a table."""

    def __init__(self, session: ExploreSession) -> None:
        super().__init__()
        self.session = session
        self._ready: SourceCauses | None = None
        self.asked = Options([(CHOSEN_CELLS, None)], tip="The treated cells that are asked about.")
        self.asked.setAccessibleName("Cells that are asked about")
        self.button = JobButton("What did this?", stop="Stop", tip="Compare them with control cells as predicted.")
        self.table = ResultTable(SHOWN, TIPS)
        self.told = Wrapped()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.asked)
        column.addWidget(self.button)
        column.addWidget(self.table, 1)
        column.addWidget(self.told)
        self.button.asked.connect(self._start)
        self.button.succeeded.connect(self._on_ranked)
        self.button.failed.connect(session.failed)
        session.cells_changed.connect(self._on_cells)
        session.chosen_changed.connect(self._follow)
        self.asked.currentIndexChanged.connect(self._follow)
        self._on_cells(None)

    def _on_cells(self, explored: ExploredCells | None) -> None:
        import pandas as pd

        self._ready = None
        self.button.cancel()
        self.table.show_table(pd.DataFrame())
        wells = [] if explored is None else wells_of(explored)
        self.asked.refill([(CHOSEN_CELLS, None), *wells])
        self._follow()

    def rows(self) -> NDArray[np.intp]:
        """The cells that are asked about."""
        return self.session.chosen if self.asked.value is None else np.asarray(self.asked.value, np.intp)

    def _follow(self, *_: Any) -> None:
        import pandas as pd

        some = self.session.explored is not None and len(self.rows()) > 0
        self.button.cancel()
        self.table.show_table(pd.DataFrame())  # it was of other cells
        self.button.allow(some)
        self.told.setText("" if some else "Choose treated cells on the map or in the field, or a well.")

    def _start(self) -> None:
        if self.session.explored is not None and len(self.rows()):
            self.button.start(ask, self.session.explored, self.rows(), self._ready)

    def _on_ranked(self, found: tuple[SourceCauses | None, pd.DataFrame, str]) -> None:
        self._ready, table, said = found
        self.table.show_table(table)
        self.told.setText(plain(said))


def wells_of(explored: ExploredCells) -> list[tuple[str, Any]]:
    """Titles and rows of the wells (or fields) among some cells; none where there is but one."""
    from napari_impa.cells.words import PLATE, WELL
    from napari_impa.work.exploring.what_did_this import wells_of_cells

    cells = explored.cells
    if not cells.label:
        return []
    columns = [one for one in (PLATE.find(cells.table.columns), WELL.find(cells.table.columns)) if one] or ["field"]
    if not set(columns) <= set(cells.table.columns):
        return []
    found = wells_of_cells(cells, np.ones(len(cells), bool))
    if len(found) < 2:
        return []
    return [(" ".join(str(cells.table[one].iloc[rows[0]]) for one in columns), tuple(rows)) for rows in found]


def ask(
    token: Token, explored: ExploredCells, rows: NDArray[np.intp], ready: SourceCauses | None
) -> tuple[SourceCauses | None, pd.DataFrame, str]:
    """Rank conditions for cells; what was made ready for the source before is used again."""
    from napari_impa.work.exploring.what_did_this import calibration_wells, source_causes

    cells, model = explored.cells, explored.loaded.model
    if cells.control is not None and cells.label:
        if ready is None:
            ready = source_causes(model, cells, explored.targets, watch=token)
        table = ready.rank(rows, watch=token)
        seen = calibration_wells(model, cells)[rows].mean()
        said = f"Probabilities were calibrated on {ready.calibrated_on:,} groups of real cells"
        said += ", these among them: they seem surer than they are." if seen > 0.5 else "."
        return ready, table, said if ready.calibrated_on else NOT_CALIBRATED
    names = np.full(len(cells), "others", object)
    names[rows] = "chosen"
    beside = replace(cells, table=cells.table.assign(**{FIELD: names}), label=(FIELD,), control="others")
    found = source_causes(model, beside, explored.targets, calibrate=np.zeros(len(cells), bool), watch=token)
    return (
        None,
        found.rank(rows, watch=token),
        f"The cells that are not chosen were taken for controls. {NOT_CALIBRATED}",
    )


NOT_CALIBRATED = (
    "No wells of known conditions are here, so that probabilities are not calibrated: only their order counts."
)
