"""Small buttons, and dialogs that ask for a folder while the window goes on."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QDialog, QFileDialog, QToolButton, QWidget

from napari_impa.viewer.kit.texts import plain


def ask_for_folder(parent: QWidget, title: str, start: str, use: Callable[[str], object]) -> None:
    """Ask for a folder and use what is chosen; the window goes on meanwhile."""
    dialog = QFileDialog(parent, title, start)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    # Qt may mark a folder of the list beside the one that is written, and then tells of no single one
    dialog.filesSelected.connect(lambda chosen: use(chosen[0]))
    open_dialog(dialog)


def open_dialog(dialog: QDialog) -> None:
    """Open a dialog while the window goes on; it is freed when it is closed."""
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def tool_button(text: str, act: Callable[[], object], tip: str = "") -> QToolButton:
    """A small button that does something."""
    button = QToolButton()
    button.setText(text)
    button.setToolTip(plain(tip))
    button.clicked.connect(act)
    return button
