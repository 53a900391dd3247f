"""A table of results in a narrow dock: columns to sort by, a row to choose, and saving it whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QFileDialog, QHeaderView, QTableWidget, QTableWidgetItem

from napari_impa.viewer.kit.jobs import Failure, notify
from napari_impa.viewer.kit.texts import plain

LONG = 150
"""Width in pixels of a column of texts; the whole text is in the tooltip."""


class ResultTable(QTableWidget):
    """Some columns of a table of conditions.

    Parameters
    ----------
    titles
        What the columns that are shown are called.
    tips
        What they say.

    Signals
    -------
    condition_chosen
        The name in the row that was chosen.
    """

    condition_chosen = Signal(str)

    def __init__(self, titles: Mapping[str, str], tips: Mapping[str, str]) -> None:
        super().__init__()
        self._titles, self._tips = dict(titles), dict(tips)
        self.table = pd.DataFrame()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(22)
        self.setSortingEnabled(True)
        self.setMinimumHeight(180)
        self.setAccessibleName("Result")
        self.itemSelectionChanged.connect(self._on_chosen)

    def show_table(self, table: pd.DataFrame) -> None:
        """Show another table."""
        self.table = table
        shown = [name for name in self._titles if name in table and table[name].notna().any()]
        self.setSortingEnabled(False)
        self.clear()
        self.setColumnCount(len(shown))
        self.setRowCount(len(table))
        for column, name in enumerate(shown):
            head = QTableWidgetItem(self._titles[name])
            head.setToolTip(plain(self._tips.get(name, "")))
            self.setHorizontalHeaderItem(column, head)
            for row, value in enumerate(table[name]):
                self.setItem(row, column, _item(value))
        self.setSortingEnabled(True)
        header = self.horizontalHeader()
        header.setSortIndicatorShown(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        for column, name in enumerate(shown):  # a long text would push all other columns out of sight
            if name != "condition" and isinstance(table[name].iloc[0], str):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
                header.resizeSection(column, LONG)

    @property
    def condition(self) -> str | None:
        """The name in the row that is chosen."""
        names = [head.text() for head in map(self.horizontalHeaderItem, range(self.columnCount())) if head is not None]
        if self.currentRow() < 0 or self._titles.get("condition") not in names:
            return None
        item = self.item(self.currentRow(), names.index(self._titles["condition"]))
        return None if item is None else str(item.text())

    def said_of(self, condition: str, column: str) -> str:
        """What a column of the table, shown or not, says of a condition; empty where nothing."""
        if not {"condition", column} <= set(self.table):
            return ""
        said = self.table.loc[self.table["condition"].astype(str) == condition, column]
        return str(said.iloc[0]) if len(said) and pd.notna(said.iloc[0]) else ""

    def save(self) -> None:
        """Ask where to, and write the whole table as CSV."""
        if not len(self.table):
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save the table", "ranking.csv", "Tables (*.csv *.parquet)")
        if path:
            self.save_as(Path(path))

    def save_as(self, path: Path) -> None:
        """Write the whole table."""
        from napari_impa.work.exploring.table_file import check_table_file, write_table_file

        try:
            write_table_file(check_table_file(path, overwrite=True), self.table)
        except Exception as error:
            notify(Failure.of(error))

    def _on_chosen(self) -> None:
        name = self.condition
        if name is not None:
            self.condition_chosen.emit(name)


class _Number(QTableWidgetItem):
    """A number that is sorted as such."""

    def __init__(self, value: float) -> None:
        super().__init__("–" if pd.isna(value) else f"{value:.3g}")
        self._value = float("-inf") if pd.isna(value) else float(value)
        self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def __lt__(self, other: Any) -> bool:
        return self._value < other._value if isinstance(other, _Number) else super().__lt__(other)


def _item(value: Any) -> QTableWidgetItem:
    if isinstance(value, str):
        item = QTableWidgetItem(value)
        item.setToolTip(plain(value))
        return item
    return _Number(value)
