"""Dialogs that ask for a folder or tell details, while the window goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_impa.viewer.kit.dialogs import ask_for_folder
from napari_impa.viewer.kit.jobs import Failure
from napari_impa.viewer.kit.problem import DetailsDialog, Problem


def test_the_folder_that_is_written_is_used_though_another_is_marked(qtbot: Any, tmp_path: Path) -> None:
    """As where the folder that the dialog shows holds one of the same name, which Qt then marks in its list."""
    window, used = QWidget(), list[str]()
    qtbot.addWidget(window)
    ask_for_folder(window, "A folder", str(tmp_path), used.append)
    (dialog,) = window.findChildren(QFileDialog)
    dialog.filesSelected.emit(["plate", "plate/plate"])
    dialog.reject()
    assert used == ["plate"]


def test_escape_closes_the_details_of_a_problem(qtbot: Any) -> None:
    window, problem = QWidget(), Problem()
    QVBoxLayout(window).addWidget(problem)
    qtbot.addWidget(window)
    window.show()
    problem.show_failure(Failure("The folder is empty.", "Traceback …"))
    problem.details.click()
    (dialog,) = window.findChildren(DetailsDialog)
    qtbot.keyClick(dialog.text, Qt.Key.Key_Escape)
    assert dialog.isHidden()
    assert problem.isVisible()
