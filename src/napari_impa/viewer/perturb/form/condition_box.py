"""A list of conditions to search by typing, each with a note."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QPainter, QPalette, QStandardItem, QStandardItemModel
from qtpy.QtWidgets import QApplication, QComboBox, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem
from superqt import QSearchableComboBox
from superqt.utils import signals_blocked

from napari_impa.viewer.kit.texts import plain

if TYPE_CHECKING:
    from napari_impa.engine.describing.new_condition import Target

NOTE = Qt.ItemDataRole.UserRole + 1
POPUP = 330
"""Least width in pixels of the open list, so that names and counts stand beside each other."""


class ConditionBox(QSearchableComboBox):
    """A list of conditions to search by typing; what is half typed gives way to what is chosen.

    Signals
    -------
    unknown
        What was typed, and is part of no name.
    """

    unknown = Signal(str)

    def __init__(self, names: QStandardItemModel) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMaxVisibleItems(16)
        self.setModel(names)
        self.completer_object.setParent(self)  # PySide6 keeps one without a parent, and its list
        self.completer_object.setModel(names)
        self.completer_object.setMaxVisibleItems(16)
        self._delegate = NoteDelegate(self)
        for view in (self.view(), self.completer_object.popup()):
            view.setItemDelegate(self._delegate)
            view.setMinimumWidth(POPUP)
            if isinstance(view, QListView):
                view.setUniformItemSizes(True)  # or else each of thousands is measured
        self.lineEdit().editingFinished.connect(self.restore)
        self.lineEdit().returnPressed.connect(self._take_the_only_one)

    def choose(self, row: int) -> None:
        """Choose a row quietly."""
        with signals_blocked(self):
            self.setCurrentIndex(row)
            self.restore()

    def restore(self) -> None:
        """Show the name of what is chosen."""
        self.setEditText(self.itemText(self.currentIndex()))

    def _take_the_only_one(self) -> None:
        """Enter takes what was typed where it is part of one name only, and tells where it is part of none."""
        completer = self.completer_object
        completer.setCompletionPrefix(self.currentText())
        if self.currentText() and completer.completionCount() == 1:
            self.setCurrentIndex(self.findText(completer.currentCompletion()))
        elif self.currentText() and not completer.completionCount():
            self.unknown.emit(self.currentText())


class NoteDelegate(QStyledItemDelegate):
    """Draws a name at the left and its note, fainter, at the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one line of the list."""
        note = index.data(NOTE) or ""
        line = QStyleOptionViewItem(option)
        self.initStyleOption(line, index)
        room = line.fontMetrics.horizontalAdvance(note) + 16 if note else 8
        line.text = line.fontMetrics.elidedText(line.text, Qt.TextElideMode.ElideMiddle, line.rect.width() - room - 6)
        style = line.widget.style() if line.widget is not None else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, line, painter, line.widget)
        color = (line.widget.palette() if line.widget is not None else line.palette).color(QPalette.ColorRole.Text)
        color.setAlphaF(0.65)
        painter.save()
        painter.setPen(color)
        painter.setFont(line.font)
        painter.drawText(
            line.rect.adjusted(0, 0, -6, 0), int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), note
        )
        painter.restore()


def condition_item(name: str, target: Target, note: str, tip: str) -> QStandardItem:
    """A row of the list: a name, what it stands for, a note at the right and a tooltip."""
    item = QStandardItem(name)
    item.setData(target, Qt.ItemDataRole.UserRole)
    item.setData(note, NOTE)
    if tip:
        item.setToolTip(plain(tip))
    return item
