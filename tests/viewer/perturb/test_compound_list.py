"""The dialog for several compounds: lines that a user writes, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox, QLineEdit, QWidget

from napari_impa.viewer.kit.dialogs import open_dialog
from napari_impa.viewer.perturb.form.compound_list import CompoundList

pytest.importorskip("rdkit")


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def dialog(parent: QWidget) -> CompoundList:
    return CompoundList(parent, ["Aspirin", "DMSO"])


def listened(dialog: CompoundList) -> list[tuple[list[str], str]]:
    heard: list[tuple[list[str], str]] = []
    dialog.listed.connect(
        lambda targets, unread: heard.append(
            ([one if isinstance(one, str) else f"{one.name}: {one.smiles}" for one in targets], unread)
        )
    )
    return heard


def press_ok(dialog: CompoundList) -> None:
    dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()


def test_lines_are_compounds_or_conditions_of_the_model(dialog: CompoundList) -> None:
    heard = listened(dialog)
    dialog.text.setPlainText("CCO ethanol\n\n aspirin \nCN\n")
    press_ok(dialog)
    assert heard == [(["Aspirin", "ethanol: CCO", "compound 2: CN"], "")]


def test_a_line_that_cannot_be_read_is_said_and_nothing_is_taken(dialog: CompoundList) -> None:
    heard = listened(dialog)
    dialog.text.setPlainText("CCO ethanol\nC(C <b>bad</b>\n")
    press_ok(dialog)
    assert not heard
    assert "&lt;b&gt;bad&lt;/b&gt;" in dialog.said.text()
    assert not dialog.said.isHidden()
    dialog.text.clear()
    press_ok(dialog)
    assert dialog.said.text().startswith("There is no compound yet")


def test_a_file_is_taken_as_far_as_it_can_be_read(dialog: CompoundList, tmp_path: Path) -> None:
    heard = listened(dialog)
    dialog.take_file(str(tmp_path / "none.csv"))
    assert "none.csv" in dialog.said.text()
    (tmp_path / "c.csv").write_text("name,smiles\nethanol,CCO\nbad,C(C\n")
    dialog.take_file(str(tmp_path / "c.csv"))
    ((targets, unread),) = heard
    assert targets == ["ethanol: CCO"]
    assert unread.startswith("A compound cannot be read: bad: ")


def test_escape_leaves_it_and_takes_nothing(parent: QWidget, dialog: CompoundList, qtbot: Any) -> None:
    typed, heard = QLineEdit("CCO", parent), listened(dialog)
    parent.show()
    open_dialog(dialog)
    dialog.text.setPlainText("CN")
    qtbot.keyClick(dialog.text, Qt.Key.Key_Escape)
    assert dialog.isHidden()
    assert (typed.text(), heard) == ("CCO", [])
