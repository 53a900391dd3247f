"""Dialogs that ask for a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_impa.viewer.kit.dialogs import ask_for_folder


def test_the_folder_that_is_written_is_used_though_another_is_marked(qtbot: Any, tmp_path: Path) -> None:
    """As where the folder that the dialog shows holds one of the same name, which Qt then marks in its list."""
    window, used = QWidget(), list[str]()
    qtbot.addWidget(window)
    ask_for_folder(window, "A folder", str(tmp_path), used.append)
    (dialog,) = window.findChildren(QFileDialog)
    dialog.filesSelected.emit(["plate", "plate/plate"])
    dialog.reject()
    assert used == ["plate"]
