"""Turn into: one or several of a model's conditions out of a searchable list, or a new compound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import (
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_impa.viewer.kit.dialogs import open_dialog
from napari_impa.viewer.kit.forms import beside
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.perturb.compound_box import CompoundBox
from napari_impa.viewer.perturb.dock_memory import CompoundText
from napari_impa.viewer.perturb.form.condition_box import ConditionBox, condition_item

if TYPE_CHECKING:
    from napari_impa.engine.describing.new_condition import NewCondition, Target
    from napari_impa.engine.model.model import IMPA
    from napari_impa.viewer.library.models import Loaded

NEVER_SEEN = "never seen in training"
TYPED = Qt.ItemDataRole.UserRole + 2
AT_ONCE = 6
"""Compounds of a list that are chosen together; the others stand in the list of conditions."""


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
        self._again: tuple[Target | None, ...] = ()  # what to choose when a compound that was typed again has been read
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
        self.compound.several.connect(self._ask_for_several)
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
            self.names.appendRow(condition_item(name, name, note, f"trained on {note}" if note else ""))
        for name in model.unseen:
            self.names.appendRow(condition_item(name, name, NEVER_SEEN, "Predicted from its description alone."))
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

    def take(self, targets: Sequence[Target]) -> None:
        """Turn cells into conditions and compounds of a list: the first `AT_ONCE` of them, the others can be chosen.

        Compounds of an earlier list give way.
        """
        listed = [target if isinstance(target, str) else self.compound.as_chosen(target) for target in targets]
        with signals_blocked(self):
            self.choose(self.names.item(0).data(Qt.ItemDataRole.UserRole))
            self._list(target for target in listed if not isinstance(target, str))
        self.choose(*list(dict.fromkeys(listed))[:AT_ONCE])
        left = len(dict.fromkeys(listed)) - AT_ONCE
        if left > 0:
            self.said.emit(f"{AT_ONCE} of {left + AT_ONCE:,} are shown; the others stand in the list of conditions.")

    def _list(self, compounds: Iterable[NewCondition]) -> None:
        """Offer compounds of a list instead of those of the list before."""
        for row in reversed(range(self.names.rowCount())):
            item = self.names.item(row)
            if not isinstance(item.data(Qt.ItemDataRole.UserRole), str) and not item.data(TYPED):
                self.names.removeRow(row)
        for one in compounds:
            self.names.appendRow(condition_item(one.name, one, "of the list", one.smiles or ""))

    def _ask_for_several(self) -> None:
        from napari_impa.viewer.perturb.form.compound_list import CompoundList

        rows = range(self.names.rowCount())
        known = [self.names.item(row).data(Qt.ItemDataRole.UserRole) for row in rows]
        dialog = CompoundList(self, [name for name in known if isinstance(name, str)])
        dialog.listed.connect(self._on_listed)
        open_dialog(dialog)

    def _on_listed(self, targets: tuple[Target, ...], unread: str) -> None:
        self.take(targets)
        if unread:
            self.said.emit(unread)

    @property
    def kept_targets(self) -> tuple[Target | None, ...]:
        """What is chosen, for another form to `restore`: names, compounds of a list, and None for the typed one."""
        return self._again or self._chosen

    @property
    def _chosen(self) -> tuple[Target | None, ...]:
        row = self._typed_row
        typed = self.names.item(row).data(Qt.ItemDataRole.UserRole) if row >= 0 else None
        return tuple(None if target == typed else target for target in self.targets)

    def restore(self, targets: tuple[Target | None, ...], compound: CompoundText) -> None:
        """Choose what a form before had chosen, as far as the model knows it; the compound when it has been read."""
        if self.compound.more.isEnabled() and not self.compound.isHidden():
            self._list(target for target in targets if target is not None and not isinstance(target, str))
        known = tuple(name for name in targets if name is None or self._row_of(name) >= 0)
        names = [name for name in known if name is not None]
        if names:
            self.choose(*names)
        if compound.text:
            self._again = known or self._chosen
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

    @property
    def _typed_row(self) -> int:
        """Row of the compound that is typed; -1 where there is none."""
        rows = range(self.names.rowCount())
        return next((row for row in rows if self.names.item(row).data(TYPED)), -1)

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
        """A new compound is in the list while there is one; the first box chooses it when it comes."""
        target, typed = self.compound.target, self._typed_row
        if target is None:
            if typed >= 0:
                for box in self.boxes:
                    if box.currentIndex() == typed:
                        box.choose(max(0, self._row_of(self._before_compound)))
                self.names.removeRow(typed)
        elif typed >= 0:
            item = self.names.item(typed)
            item.setData(target, Qt.ItemDataRole.UserRole)
            item.setData(target.name, Qt.ItemDataRole.DisplayRole)
            if all(box.currentIndex() != typed for box in self.boxes):
                self._before_compound = self.condition.currentData()
                self.condition.choose(typed)
            for box in self.boxes:
                box.restore()
        else:
            self._before_compound = self.condition.currentData()
            new = condition_item(target.name, target, "new compound", target.smiles or "")
            new.setData(True, TYPED)
            self.names.appendRow(new)
            again, self._again = self._again, ()
            if again:  # it stood there, alone, beside others or not chosen
                self.choose(*(target if name is None else name for name in again))
                return
            self.condition.choose(self._typed_row)
        self._tell()
