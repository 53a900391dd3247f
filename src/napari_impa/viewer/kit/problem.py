"""What went wrong: one sentence, and the details for whoever helps, behind a button."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.kit.texts import breakable


class Problem(QWidget):
    """A failure's sentence with the button *Details…*; hidden while nothing is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Failure | None = None
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details = QPushButton("Details…")
        self.details.setToolTip("What exactly happened, to copy for whoever helps.")
        self.details.clicked.connect(self._show_details)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.message, 1)
        layout.addWidget(self.details, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def show_failure(self, failure: Failure) -> None:
        """Say what went wrong."""
        self.failure = failure
        self.message.setText(breakable(f"⚠ {failure.message}"))
        self.details.setVisible(bool(failure.details))
        self.show()

    def clear(self) -> None:
        """Nothing is wrong any more."""
        self.failure = None
        self.hide()

    def _show_details(self) -> None:
        if self.failure is not None:
            dialog = DetailsDialog(self.failure, self.window())
            dialog.open()


class DetailsDialog(QDialog):
    """A failure's sentence above its traceback, which can be selected and copied."""

    def __init__(self, failure: Failure, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("What went wrong")
        self.resize(720, 420)
        self.failure = failure
        message = QLabel(breakable(failure.message))
        message.setWordWrap(True)
        self.text = QPlainTextEdit(failure.details)
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = buttons.addButton("Copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(message)
        layout.addWidget(self.text, 1)
        layout.addWidget(buttons)

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(f"{self.failure.message}\n\n{self.failure.details}")
