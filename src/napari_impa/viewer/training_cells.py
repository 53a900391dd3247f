"""The Train dock's fields of which cells: task, labels, control and hold out, over a table of conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QTableWidget,
    QTableWidgetItem,
)
from superqt.utils import signals_blocked

from napari_impa.errors import ImpaError
from napari_impa.viewer.docks import Options, Page
from napari_impa.viewer.looking import (
    PLATES,
    Looked,
    conditions_table,
    default_hold_out,
    guess,
    label_columns,
    values_of,
)

TASKS = (("turn control into treated cells", "perturbation"), ("correct between batches", "batch"))


_ROW = 20  # pixels


class CheckList(QListWidget):
    """A short list of names to tick."""

    changed = Signal()

    def __init__(self, *, tip: str, rows: int = 3) -> None:
        super().__init__()
        self.setToolTip(tip)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._rows = rows
        self.itemChanged.connect(lambda _: self.changed.emit())

    def fill(self, names: Sequence[str], ticked: Sequence[str]) -> None:
        """Offer names, the ticked ones first, quietly."""
        with signals_blocked(self):
            self.clear()
            for name in sorted(names, key=lambda name: name not in ticked):
                item = QListWidgetItem(name, self)
                item.setCheckState(Qt.CheckState.Checked if name in ticked else Qt.CheckState.Unchecked)
                item.setSizeHint(QSize(0, _ROW))
        self.setFixedHeight(_ROW * max(1, min(self._rows, len(names))) + 8)

    @property
    def ticked(self) -> tuple[str, ...]:
        """The names ticked, from the top."""
        items = (self.item(row) for row in range(self.count()))
        return tuple(item.text() for item in items if item.checkState() == Qt.CheckState.Checked)


class ConditionsTable(QTableWidget):
    """Conditions with counts and plates; the control is marked."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setMinimumHeight(90)
        self.setMaximumHeight(150)
        self.setToolTip("What the folder holds under the labels chosen; the control comes first.")

    def fill(self, table: Any, what: str) -> None:
        """Show a table of `conditions_table`; `what` names what is counted."""
        self.setHorizontalHeaderLabels(["condition", what, "plates"])
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setRowCount(len(table))
        for row, found in enumerate(table.itertuples(index=False)):
            name = f"{found.condition or '(empty)'}{' (control)' if found.control else ''}"
            for column, text in enumerate((name, f"{found.count:,}", str(found.plates or "–"))):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(row, column, item)


class CellsForm:
    """Task, labels, control and hold out of what a folder holds, as rows of a dock."""

    def __init__(self, page: Page) -> None:
        self.looked: Looked | None = None
        self.task = Options(TASKS, tip="Turn control cells into treated ones, or move cells between batches.")
        self.label = CheckList(tip="Columns whose values, joined, name the condition of a cell.")
        self.control = Options(tip="The untreated control: cells of it are what the model learns to turn.")
        self.column = Options(tip="Cells kept out of the training, to judge the model by: by which column.")
        self.held = CheckList(tip="Values of that column whose cells the training never sees.")
        self.table = ConditionsTable()
        page.form.addRow(self.table)
        page.row("Task", self.task, tip=self.task.toolTip())
        page.row("Label", self.label, tip=self.label.toolTip())
        self._control_name = page.row("Control", self.control, tip=self.control.toolTip())
        page.row("Hold out", self.column, tip=self.column.toolTip())
        self._held_name = page.row("", self.held)
        self.task.currentIndexChanged.connect(self._guess_again)
        self.label.changed.connect(self._on_label)
        self.control.currentIndexChanged.connect(self._count)
        self.column.currentIndexChanged.connect(lambda _: self._offer_values(()))
        self._show_held(False)

    def fill(self, looked: Looked) -> None:
        """Take what a folder holds, with the labels that were guessed."""
        self.looked = looked
        self.label.fill(looked.columns, looked.labels)
        self._on_label(control=looked.control)

    @property
    def hold_out(self) -> dict[str, tuple[str, ...]]:
        """Columns and values held out, as `TrainingSettings` takes them."""
        return {self.column.value: self.held.ticked} if self.column.value and self.held.ticked else {}

    @property
    def chosen_control(self) -> str | None:
        """The control's name; none in batch correction."""
        return None if self.task.value == "batch" else self.control.value

    def _guess_again(self) -> None:
        if self.looked is None:
            return
        table = self.looked.source.table
        labels, control = guess(table, self.task.value)
        self.label.fill(label_columns(table, labels), labels)
        self._on_label(control=control)

    def _on_label(self, *, control: str | None = None) -> None:
        assert self.looked is not None
        table, label = self.looked.source.table, self.label.ticked
        batch = self.task.value == "batch"
        for widget in (self._control_name, self.control):
            widget.setVisible(not batch)
        if not label:
            self.control.refill([])
            self.table.setRowCount(0)
            return
        before = control if control is not None else self.control.value
        names = sorted({name for column in label for name in values_of(table, column)})
        self.control.refill([(name, name) for name in names])
        self.control.choose(before if before in names else guess(table, self.task.value)[1])
        columns = [name for name in label_columns(table) if name not in label or batch]
        columns.sort(key=lambda name: PLATES.index(name) if name in PLATES else len(PLATES))
        column, values = default_hold_out(table, label, self.chosen_control)
        self.column.refill([("nothing", ""), *((name, name) for name in columns)])
        self.column.choose(column)
        self._offer_values(values)
        self._count()

    def _offer_values(self, ticked: Sequence[str]) -> None:
        column = self.column.value
        self._show_held(bool(column))
        if column and self.looked is not None:
            self.held.fill(values_of(self.looked.source.table, column), ticked)

    def _show_held(self, shown: bool) -> None:
        self.held.setVisible(shown)
        self._held_name.setVisible(shown)

    def _count(self) -> None:
        if self.looked is None:
            return
        try:
            table = conditions_table(self.looked.source.table, self.label.ticked, self.chosen_control)
        except ImpaError:
            return
        self.table.fill(table, self.looked.source.kind)
