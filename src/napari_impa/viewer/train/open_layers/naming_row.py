"""A row that says what cells are called by: a text for all, or a column that names each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_impa.viewer.kit.forms import Options
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.train.open_layers.layer_source import CellNaming, guess_naming

if TYPE_CHECKING:
    pass

TYPED = "typed here"


class NamingRow(QWidget):
    """A text for all cells, or a column that names each."""

    changed = Signal()

    def __init__(self, *, hint: str, tip: str) -> None:
        super().__init__()
        self.column = Options([(TYPED, None)], tip=tip)
        self.text = QLineEdit()
        self.text.setPlaceholderText(hint)
        self.text.setToolTip(plain(tip))
        self._touched = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.column)
        layout.addWidget(self.text)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.column.currentIndexChanged.connect(self._on_column)
        self.text.textChanged.connect(lambda _: self.changed.emit())

    def offer(self, columns: dict[str, CellNaming], task: str) -> None:
        """Offer columns; one that looks right is chosen, unless the user has chosen."""
        before = self.column.value
        self.column.refill([(TYPED, None), *((naming.title(name), name) for name, naming in columns.items())])
        guess = guess_naming(list(columns), task)
        if not self._touched and guess is not None:
            self.column.choose(guess)
        elif before is not None and before not in columns:
            self.column.choose(None)
        self.text.setVisible(self.column.value is None)

    def naming(self, columns: dict[str, CellNaming]) -> CellNaming | None:
        """What was chosen; None where nothing was."""
        if self.column.value is not None:
            return columns.get(self.column.value)
        return CellNaming(self.text.text().strip()) if self.text.text().strip() else None

    def _on_column(self) -> None:
        self._touched = True
        self.text.setVisible(self.column.value is None)
        self.changed.emit()
