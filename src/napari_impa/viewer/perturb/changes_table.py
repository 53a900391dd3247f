"""What changed: a small table of morphology, control to predicted, and how one of the measures is spread over cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QLabel,
    QRadioButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_impa.viewer.kit.forms import Options, Wrapped, beside
from napari_impa.viewer.kit.jobs import Failure, Latest
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.perturb.measured_cells import MeasuredCells, measure
from napari_impa.viewer.perturb.spread_plot import SpreadPlot

if TYPE_CHECKING:
    import pandas as pd

    from napari_impa.analysis.changes import Changes
    from napari_impa.cells.store import Cells

MISSING = "–"
ROW_HEIGHT = 20
TIPS = {
    "nucleus": "Area of the nucleus at the centre of the crop.",
    "area": "Area of what is stained in the crop: above one threshold for all cells, taken from the control cells.",
    "mean intensity": "Mean of the stained pixels above background.",
    "total intensity": "Sum over the crop above background.",
    "texture": "Local coefficient of variation: standard deviation over mean in windows of 5×5 px.",
    "nuclear to ring": "Mean intensity in the nucleus over that in a ring around it.",
    "predicted": "Median of the predicted cells.",
    "change": "Change in % of the value before.",
    "δ": "Cliff's delta of predicted cells against those as they are: −1 all lower, 0 alike, 1 all higher.",
    "real": "Median of real treated cells of this condition.",
}
AS_IT_IS = "Median of the cells as they are."
SHORT = {"mean intensity": "mean", "total intensity": "total", "nuclear to ring": "nucleus / ring"}


class ChangesTable(QWidget):
    """What changed from control to predicted cells; measured in the background unless it is hidden.

    Signals
    -------
    measured
        `analysis.changes.Changes` of all cells.
    cell_clicked
        Row of a cell whose point was clicked.
    """

    measured = Signal(object)
    cell_clicked = Signal(int)

    def __init__(self) -> None:
        self._stale = False  # events come before the widget is ready
        super().__init__()
        self.changes: Changes | None = None
        self._failure: str | None = None
        self._one: tuple[int, Changes] | None = None
        self._predicted: Mapping[str, NDArray[Any]] = {}
        self._measured: MeasuredCells | None = None
        self._row = 0
        self.target = Options(tip="Which of the conditions is compared with the control.")
        self.target.setAccessibleName("Condition")
        self.this_cell, self.all_cells = QRadioButton("this cell"), QRadioButton("all cells")
        self.this_cell.setChecked(True)
        self.table = QTableWidget()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setFrameShape(QFrame.Shape.NoFrame)
        self.table.setShowGrid(False)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.table.verticalHeader().setMinimumSectionSize(ROW_HEIGHT)
        self.table.horizontalHeader().setMinimumSectionSize(24)
        self.table.horizontalHeader().setHighlightSections(False)
        self.table.setToolTip("Click a row to see how its measure is spread over the cells.")
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.measure = Options(tip="Which measure is drawn; the one that moves most at first.")
        self.measure.setAccessibleName("Measure that is drawn")
        self.spread = SpreadPlot()
        self.sentence = Wrapped()
        self._numbers: list[int | None] = []
        self._by_itself = True
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        which = beside(self.this_cell, self.all_cells, stretch=False)
        for widget in (self.target, self.sentence, self.measure, self.spread, which, self.caption, self.table):
            layout.addWidget(widget)
        self._jobs = Latest(self)
        self._jobs.reported.connect(self._on_one)
        self._jobs.succeeded.connect(self._on_all)
        self._jobs.failed.connect(self._on_failed)
        self.this_cell.toggled.connect(self._show)
        self.target.currentIndexChanged.connect(self._ask)
        self.table.cellClicked.connect(self._on_row)
        self.measure.currentIndexChanged.connect(self._on_measure)
        self.spread.cell_clicked.connect(self.cell_clicked)
        self.set_result(None)

    @property
    def busy(self) -> bool:
        """Whether cells are being measured."""
        return self._jobs.busy

    def set_result(
        self,
        cells: Cells | None,
        predicted: Mapping[str, NDArray[Any]] | None = None,
        treated: Callable[[str], NDArray[Any] | None] = lambda name: None,
        as_it_is: str = "control",
    ) -> None:
        """Compare other cells; None lets go of them.

        Parameters
        ----------
        cells
            The cells as they are.
        predicted
            Of each condition, pixels (N, C, S, S) of the same cells under it.
        treated
            Gives pixels (n, C, S, S) of real treated cells of a condition, or None.
        as_it_is
            What the cells are called as they are.
        """
        self._as_it_is = as_it_is
        if cells is None or not len(cells):
            self._measured, self._predicted = None, {}
        else:
            if self._measured is None or self._measured.cells is not cells:
                self._measured = MeasuredCells(cells, treated)
            self._predicted = dict(predicted or {})
        self.target.refill([(name, name) for name in self._predicted])
        self.target.setVisible(len(self._predicted) > 1)
        self._ask()

    def set_cell(self, row: int) -> None:
        """Show another cell."""
        self._row = row
        self.spread.set_cell(row)
        if self.changes is None and self._jobs.busy:
            self._ask()
        else:
            self._show()

    def event(self, event: QEvent) -> bool:
        """Measure what has come while the table was hidden."""
        if event.type() == QEvent.Type.ShowToParent and self._stale:
            self._ask()
        return bool(super().event(event))

    # ---- measuring --------------------------------------------------------------------------------------------------

    def _ask(self, *_: Any) -> None:
        self.changes = self._one = self._failure = None
        self._draw()
        pixels = self._predicted.get(self.target.value)
        if self._measured is None or pixels is None:
            self._stale = False
            self._jobs.cancel()
            self._show()
            return
        self._stale = self.isHidden()
        if not self._stale:
            row = min(max(self._row, 0), len(pixels) - 1)
            self._jobs.submit(measure, self._measured, self.target.value, pixels, row)
            self._say()

    def _on_one(self, one: tuple[int, Changes]) -> None:
        self._one = one
        self._show()

    def _on_all(self, changes: Changes) -> None:
        self.changes = changes
        self._offer_measures(changes)
        self._draw()
        self._show()
        self.measured.emit(changes)

    def _on_failed(self, failure: Failure) -> None:
        self._failure = failure.message
        self._draw()
        self._show()

    # ---- showing ----------------------------------------------------------------------------------------------------

    def _offer_measures(self, changes: Changes) -> None:
        """Let one of the measures be drawn; what was chosen stays, else the one that moves most."""
        from napari_impa.analysis.distributions import most_moved

        rows = enumerate(changes.columns.itertuples(index=False))
        named = [(f"{row.channel} {row.feature}", number) for number, row in rows]
        if [text for text, _ in named] != [self.measure.itemText(at) for at in range(self.measure.count())]:
            self._by_itself = True
            self.measure.refill(named)
        if self._by_itself:
            self.measure.choose(most_moved(changes))

    def _on_row(self, row: int, *_: Any) -> None:
        number = self._numbers[row] if row < len(self._numbers) else None
        if number is not None and self.measure.choose(number):
            self._on_measure()

    def _on_measure(self, *_: Any) -> None:
        self._by_itself = False
        self._draw()

    def _draw(self) -> None:
        """Draw the measure, and say what it shows; while cells are measured the one before stays."""
        number = self.measure.value
        if self._measured is None or self._failure is not None:
            number = None
            self.measure.refill([])
        for widget in (self.measure, self.spread, self.sentence):
            widget.setVisible(number is not None)
        if self.changes is None:
            self.sentence.setText("Measuring …")
        elif number is not None:
            from napari_impa.analysis.distributions import measure_spread

            spread = measure_spread(self.changes, number)
            self.spread.show_spread(spread, self._as_it_is)
            self.sentence.setText(plain(spread.sentence(self._as_it_is)))

    def _show(self, *_: Any) -> None:
        self._say()
        if self._measured is None or self._failure is not None:
            self._fill(None)
        elif self.all_cells.isChecked():
            if self.changes is not None:
                self._fill(self.changes.summary())
        elif self.changes is not None and self._row < len(self.changes.control):
            rows = slice(self._row, self._row + 1)
            self._fill(_of_one(self.changes, rows))
        elif self._one is not None and self._one[0] == self._row:
            self._fill(_of_one(self._one[1], slice(0, 1)))

    def _say(self) -> None:
        """Name the cells that the numbers are of."""
        if self._measured is None:
            text = "Nothing is predicted yet."
        elif self._failure is not None:
            text = f"⚠ {self._failure}"
        elif self.this_cell.isChecked():
            text = f"cell {self._row + 1:,} of {len(self._measured.cells):,}"
        elif self.changes is None:
            text = f"Measuring {len(self._measured.cells):,} cells …"
        else:
            text = f"medians of {len(self.changes.control):,} cells"
            if self.changes.treated is not None:
                text += f"; real: of {len(self.changes.treated):,} treated cells"
        self.caption.setText(plain(text))

    def _fill(self, summary: pd.DataFrame | None) -> None:
        """Show a table as `analysis.changes.Changes.summary` gives it."""
        table = self.table
        table.clearSpans()
        table.setVisible(summary is not None)
        self._numbers = []
        if summary is None:
            table.setRowCount(0)
            return
        columns = {"control": self._as_it_is, "predicted": "predicted", "change_percent": "change"}
        from napari_impa.analysis.changes import UNDER_THRESHOLD

        columns |= {"effect": "δ", "treated": "real"}
        columns = {name: title for name, title in columns.items() if name in summary}
        table.setColumnCount(1 + len(columns))
        table.setHorizontalHeaderLabels(["", *columns.values()])
        for number, title in enumerate(columns.values(), 1):
            table.horizontalHeaderItem(number).setToolTip(plain(TIPS.get(title, AS_IT_IS)))
        channels = list(dict.fromkeys(summary["channel"]))
        table.setRowCount(len(summary) + len(channels) - 1)
        row = 0
        for channel, part in summary.groupby("channel", sort=False):
            if len(part) > 1:
                self._put(row, 0, str(channel), bold=True)
                table.setSpan(row, 0, 1, table.columnCount())
                self._numbers.append(None)
                row += 1
            self._numbers += part.index.tolist()
            for values in part.to_dict("records"):
                feature = str(values["feature"]) if len(part) > 1 else str(channel)
                unit = f" {values['unit']}" if str(values["unit"]).endswith("²") else ""
                self._put(row, 0, f"{SHORT.get(feature, feature)}{unit}", tip=TIPS.get(feature, ""))
                for number, name in enumerate(columns, 1):
                    dim = name == "change_percent" and values["too_dim"]
                    text = MISSING if dim else _text(name, values[name])
                    self._put(row, number, text, tip=UNDER_THRESHOLD if dim else "", right=True)
                row += 1
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        table.setFixedHeight(header.sizeHint().height() + ROW_HEIGHT * table.rowCount() + 4)

    def _put(self, row: int, column: int, text: str, *, tip: str = "", right: bool = False, bold: bool = False) -> None:
        item = QTableWidgetItem(text)
        if right:
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if bold:
            font = item.font()
            font.setBold(True)
            item.setFont(font)
        item.setToolTip(plain(tip))
        self.table.setItem(row, column, item)


def _of_one(changes: Changes, rows: slice) -> pd.DataFrame:
    control, predicted = changes.control[rows][0], changes.predicted[rows][0]
    share, dim = changes.percent(control, predicted), changes.too_dim(control, predicted)
    return changes.columns.assign(control=control, predicted=predicted, change_percent=share, too_dim=dim)


def _text(name: str, value: float) -> str:
    """Write a number in the few places that a column has; what is missing is a dash."""
    if not np.isfinite(value):
        return MISSING
    if name == "effect":
        return f"{value:+.2f}".replace("-", "−")
    if name == "change_percent":
        return f"{value:+,.0f} %".replace("-", "−")
    for limit, factor, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= limit:
            return f"{value / factor:.3g} {unit}".replace("-", "−")
    return (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", "−")
