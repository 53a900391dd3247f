"""Turn into: one or several of a model's conditions out of a searchable list, or a new compound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QPainter, QPalette, QStandardItem, QStandardItemModel
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QSearchableComboBox
from superqt.utils import signals_blocked

from napari_impa.viewer.kit.forms import beside
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.perturb.compound_box import CompoundBox
from napari_impa.viewer.perturb.dock_memory import CompoundText

if TYPE_CHECKING:
    from napari_impa.engine.describing.new_condition import Target
    from napari_impa.engine.model.model import IMPA
    from napari_impa.viewer.library.models import Loaded

NEVER_SEEN = "never seen in training"
NOTE = Qt.ItemDataRole.UserRole + 1
POPUP = 330
"""Least width in pixels of the open list, so that names and counts stand beside each other."""


class TurnInto(QWidget):
    """What cells are turned into.

    Signals
    -------
    changed
        `targets` are others than before.
    said
        Why what was typed is not taken.
    """

    changed = Signal()
    said = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.names = QStandardItemModel(self)
        self.boxes: list[ConditionBox] = []
        self.label = "Turn into"
        self._told: tuple[Target, ...] = ()
        self._before_compound: Target = ""
        self._by_itself = True
        self._again: tuple[str | None, ...] = ()  # what to choose when a compound that was typed again has been read
        self.more = QToolButton()
        self.more.setText("+")
        self.more.clicked.connect(self.add)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)
        first = self._new_box()
        self._layout.addWidget(beside(first, self.more))
        self.compound = CompoundBox()
        self.compound.changed.connect(self._on_compound)
        self.compound.text.textChanged.connect(self._on_other_compound)
        self._layout.addWidget(self.compound)

    # ---- what is chosen ---------------------------------------------------------------------------------------------

    @property
    def condition(self) -> ConditionBox:
        """The first of the lists."""
        return self.boxes[0]

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is chosen, in order, each once; empty where there is no model."""
        chosen = [box.currentData() for box in self.boxes]
        return tuple(dict.fromkeys(target for target in chosen if target is not None))

    def set_model(self, loaded: Loaded | None) -> None:
        """Offer the conditions of a model; what was chosen stays so where the model knows it, without `changed`."""
        self._again = ()
        with signals_blocked(self):
            before = [target for target in self.targets if isinstance(target, str)]
            self.names.clear()
            if loaded is not None:
                self._offer(loaded.model, before)
            self.compound.set_model(None if loaded is None else loaded.model)
        self._told = self.targets

    def _offer(self, model: IMPA, before: list[str]) -> None:
        batches = model.task == "batch"
        self.label = "Correct to batch" if batches else "Turn into"
        tip = f"{'The batch that cells are corrected to' if batches else 'What cells are turned into'}; type to search."
        self.more.setToolTip(f"Compare with another {'batch' if batches else 'condition'}, in a pane of its own.")
        self.more.setEnabled(len(model.conditions) + len(model.unseen) > 1)
        for name in model.conditions:
            cells = model.counts.get(name)
            note = "" if cells is None else f"{cells:,} cell{'s' * (cells != 1)}"
            self.names.appendRow(_item(name, name, note, f"trained on {note}" if note else ""))
        for name in model.unseen:
            self.names.appendRow(_item(name, name, NEVER_SEEN, "Predicted from its description alone."))
        known = [name for name in before if self._row_of(name) >= 0]
        for box in self.boxes[max(1, len(known)) :]:
            self._drop(box)
        for box, row in zip(self.boxes, [self._row_of(name) for name in known] or [0], strict=True):
            box.choose(row)
        self._by_itself = self._by_itself or not known
        for box in self.boxes:
            box.setToolTip(plain(tip))

    def start_elsewhere(self, name: str | None) -> None:
        """Turn cells that are of a condition already into another one, unless somebody has chosen it."""
        if name is not None and self._by_itself and self.targets == (name,) and self.names.rowCount() > 1:
            self.condition.choose(1 if self._row_of(name) == 0 else 0)
            self._tell()
            self._by_itself = True

    def add(self) -> None:
        """Turn cells into one more condition: the next one that is not chosen yet."""
        chosen, count = set(self.targets), self.names.rowCount()
        start = self.boxes[-1].currentIndex()
        free = (row % count for row in range(start + 1, start + 1 + count))
        row = next((row for row in free if self.names.item(row).data(Qt.ItemDataRole.UserRole) not in chosen), None)
        if row is None:
            return
        box = self._new_box()
        box.setToolTip(self.condition.toolTip())
        box.choose(row)
        less = QToolButton()
        less.setText("✕")
        less.setToolTip("Leave this one out again.")
        less.clicked.connect(lambda: self._remove(box))
        self._layout.insertWidget(self._layout.indexOf(self.compound), beside(box, less))
        self._tell()

    def choose(self, *targets: Target) -> bool:
        """Choose conditions by name, or the new compound; False, and nothing changed, where one is not known."""
        rows = [self._row_of(target) for target in targets]
        if not rows or min(rows) < 0:
            return False
        for box in self.boxes[len(rows) :]:
            self._drop(box)
        with signals_blocked(self):
            while len(self.boxes) < len(rows):
                self.add()
        for box, row in zip(self.boxes, rows, strict=True):
            box.choose(row)
        self._tell()
        return True

    @property
    def kept_targets(self) -> tuple[str | None, ...]:
        """What is chosen, for another form to `restore`: names, and None for the new compound."""
        return self._again or self._chosen

    @property
    def _chosen(self) -> tuple[str | None, ...]:
        return tuple(target if isinstance(target, str) else None for target in self.targets)

    def restore(self, targets: tuple[str | None, ...], compound: CompoundText) -> None:
        """Choose what a form before had chosen, as far as the model knows it; the compound when it has been read."""
        known = tuple(name for name in targets if name is None or self._row_of(name) >= 0)
        names = [name for name in known if name is not None]
        if names:
            self.choose(*names)
        if compound.text:
            self._again = known or tuple(name for name in self.targets if isinstance(name, str))
        self.compound.type_again(compound)

    # ---- rows -------------------------------------------------------------------------------------------------------

    def _new_box(self) -> ConditionBox:
        box = ConditionBox(self.names)
        box.currentIndexChanged.connect(self._tell)
        box.unknown.connect(self._on_unknown)
        self.boxes.append(box)
        return box

    def _on_unknown(self, typed: str) -> None:
        new = "" if self.compound.isHidden() else "; a compound that it does not know is typed as a SMILES below"
        self.said.emit(f"The model knows no condition {typed!r}{new}.")

    def _remove(self, box: ConditionBox) -> None:
        self._drop(box)
        self._tell()

    def _drop(self, box: ConditionBox) -> None:
        self.boxes.remove(box)
        row = box.parentWidget()
        box.currentIndexChanged.disconnect(self._tell)
        self._layout.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _row_of(self, target: Target) -> int:
        rows = range(self.names.rowCount())
        return next((row for row in rows if self.names.item(row).data(Qt.ItemDataRole.UserRole) == target), -1)

    def _tell(self, *_: Any) -> None:
        if self.targets != self._told and not self.signalsBlocked():
            self._told = self.targets
            self._by_itself = False
            if self._again:  # somebody chose something before the compound was read
                self._again = self._chosen
            self.changed.emit()

    # ---- a new compound ---------------------------------------------------------------------------------------------

    def _on_other_compound(self, *_: Any) -> None:
        """Forget what went with the text that is no more."""
        self._again = ()

    def _on_compound(self) -> None:
        """A new compound is the last of the list while there is one; the first box chooses it when it comes."""
        target, last = self.compound.target, self.names.rowCount() - 1
        item = self.names.item(last)
        had = item is not None and not isinstance(item.data(Qt.ItemDataRole.UserRole), str)
        if target is None:
            if had:
                for box in self.boxes:
                    if box.currentIndex() == last:
                        box.choose(max(0, self._row_of(self._before_compound)))
                self.names.removeRow(last)
        elif had:
            item.setData(target, Qt.ItemDataRole.UserRole)
            item.setText(target.name)
            if all(box.currentIndex() != last for box in self.boxes):
                self._before_compound = self.condition.currentData()
                self.condition.choose(last)
            for box in self.boxes:
                box.restore()
        else:
            self._before_compound = self.condition.currentData()
            self.names.appendRow(_item(target.name, target, "new compound", target.smiles or ""))
            again, self._again = self._again, ()
            if again:  # it stood there, alone, beside others or not chosen
                self.choose(*(target if name is None else name for name in again))
                return
            self.condition.choose(last + 1)
        self._tell()


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


def _item(name: str, target: Target, note: str, tip: str) -> QStandardItem:
    item = QStandardItem(name)
    item.setData(target, Qt.ItemDataRole.UserRole)
    item.setData(note, NOTE)
    if tip:
        item.setToolTip(plain(tip))
    return item
