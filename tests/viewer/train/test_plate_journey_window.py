"""From a plate folder and a spreadsheet to a training, as a biologist would click it, in the real window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QDialogButtonBox, QFileDialog, QLineEdit, QWidget
from stub_plates import stub_plate, write_plates
from workbooks import write_xlsx

from napari_impa.cells.simulated.plate import write_simulated_plate
from napari_impa.cells.store import open_cells
from napari_impa.cli import main
from napari_impa.engine.training.run_folder.run import Run
from napari_impa.viewer.train.dock import TrainDock
from napari_impa.viewer.train.session import READY, TRAINING
from napari_impa.work.training_plan import plan_of

Settle = Callable[..., None]
COMPOUNDS = ("DMSO", "taxol", "nocodazole", "cytochalasin D")


class Hand:
    """A mouse and a keyboard: every click is a real one, on something that is in sight, and is counted."""

    def __init__(self, qtbot: Any, viewer: Any, dock: TrainDock) -> None:
        self.qtbot, self.viewer, self.dock = qtbot, viewer, dock
        self.clicks: list[str] = []
        self.looks = 0
        dock.session._looking.idle.connect(self._on_looked)

    def _on_looked(self) -> None:
        self.looks += 1

    def look_at(self, button: QAbstractButton, path: Path, settle: Settle) -> str:
        """Choose a file or folder, and wait until it was looked at; the sentence that the dock then ends with."""
        before = self.looks
        self.choose_file(button, path, path.name)
        settle(lambda: self.looks > before)
        return said(self, settle)

    def click(self, widget: QWidget, what: str, at: QPoint | None = None) -> None:
        self.dock.setup.ensureWidgetVisible(widget)  # the wheel
        QApplication.processEvents()
        assert widget.isVisible(), what
        assert widget.isEnabled(), what
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at or QPoint())
        self.clicks.append(what)

    def choose_file(self, button: QAbstractButton, path: Path, what: str) -> None:
        """Press a button that opens a file dialog, write a path into it, and press its button."""
        self.click(button, what)
        self.qtbot.waitUntil(lambda: any(one.isVisible() for one in self.dock.findChildren(QFileDialog)))
        dialog = next(one for one in self.dock.findChildren(QFileDialog) if one.isVisible())
        name = dialog.findChild(QLineEdit, "fileNameEdit")
        name.setText(str(path))  # pasted: what is typed is completed meanwhile
        (box,) = dialog.findChildren(QDialogButtonBox)
        accept = box.button(QDialogButtonBox.StandardButton.Open) or box.button(QDialogButtonBox.StandardButton.Save)
        self.qtbot.waitUntil(accept.isEnabled)
        self.qtbot.mouseClick(accept, Qt.MouseButton.LeftButton)
        self.clicks.append(f"{what}: {accept.text()}")

    def choose(self, box: QComboBox, text: str, what: str) -> None:
        """Open a list and press one of its lines."""
        self.click(box, what)
        view = box.view()
        self.qtbot.waitUntil(view.isVisible)
        index = box.model().index(box.findText(text), 0)
        view.scrollTo(index)
        self.qtbot.wait(QApplication.doubleClickInterval() + 100)  # before, the list takes a click for the first one's
        self.qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
        self.qtbot.waitUntil(lambda: box.currentText() == text)
        self.clicks.append(f"{what}: {text}")

    def picture(self, name: str) -> None:
        """Keep a picture of the window, where someone wants to look at it."""
        folder = os.environ.get("NAPARI_IMPA_PICTURES")
        QApplication.processEvents()
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.viewer.screenshot(str(Path(folder) / f"{name}.png"), canvas_only=False, flash=False)


@pytest.fixture
def hand(make_napari_viewer: Callable[..., Any], settle: Settle, qtbot: Any) -> Hand:
    """A viewer of 1280 × 800 with the empty dock."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1280, 800)
    dock = TrainDock.open_in(viewer)
    settle(lambda: dock.setup._engine is not None)
    return Hand(qtbot, viewer, dock)


def looked(hand: Hand) -> bool:
    return hand.dock.setup.cells.looked is not None and not hand.dock.setup.cells.busy


def two_plates(folder: Path) -> tuple[Path, Path]:
    """Two ImageXpress plates of 12 wells in one folder, and a workbook with a grid for each."""
    screen = folder / "screen"
    screen.mkdir(parents=True)
    for number in (1, 2):
        made = write_simulated_plate(folder / f"made{number}", "imagexpress", wells=12, size=224, seed=number)
        (plate,) = [path for path in made.iterdir() if path.is_dir()]
        for file in plate.rglob("*"):  # a plate is called by its files
            if file.is_file():
                file.rename(file.with_name(file.name.replace(plate.name, f"Plate{number}")))
        plate.rename(screen / f"Plate{number}")
    grids = {
        f"Plate{number}": [
            ["compound", 1, 2, 3, 4],
            *([row, *(COMPOUNDS[(at + shift) % 4] for at in range(4))] for shift, row in enumerate("ABC", number)),
        ]
        for number in (1, 2)
    }
    return screen, write_xlsx(folder / "layout.xlsx", grids)


@pytest.mark.slow
def test_seven_clicks_from_a_folder_and_a_workbook_to_a_training(hand: Hand, tmp_path: Path, settle: Settle) -> None:
    screen, layout = two_plates(tmp_path)
    dock, setup = hand.dock, hand.dock.setup
    hand.picture("1 empty")
    hand.choose_file(setup.source.choose, screen, "Folder")
    settle(lambda: looked(hand))
    hand.picture("2 folder")
    hand.choose_file(setup.source.plate.choose, layout, "Plate map")
    settle(lambda: looked(hand) and setup.cells.label.ticked)
    hand.picture("3 plate map")
    assert setup.cells.label.ticked == ("compound",)
    assert setup.cells.chosen_control == "DMSO"
    hand.choose(setup.cells.column, "plate", "Hold out")
    settle(lambda: looked(hand))
    hand.picture("4 hold out")
    assert setup.cells.hold_out == {"plate": ("Plate2",)}
    hand.click(dock.start, "Start")
    settle(lambda: dock.state == TRAINING and dock.session.step > 0, 240)
    hand.picture("5 training")
    assert len(hand.clicks) <= 7, hand.clicks
    hand.click(dock.start, "Stop")
    settle(lambda: dock.state == READY, 240)
    hand.picture("6 stopped")
    plan = plan_of(setup.run.path if Run(setup.run.path).exists else tmp_path / "screen-run")
    assert plan.settings.hold_out == {"plate": ("Plate2",)}

    out = tmp_path / "command"
    main.main([
        "train", str(screen), "--plate-map", str(layout), "--hold-out", "plate=Plate2", "--steps", "1",
        "--out", str(out), "--batch-size", "2", "--segment", "nuclei",
    ])  # fmt: skip
    by_command, by_clicks = Run(out), Run(plan.folder)
    assert by_command.settings.hold_out == by_clicks.settings.hold_out
    assert by_command.config["source"] == by_clicks.config["source"]
    cells = open_cells(plan.cells_path)
    assert (cells.label, cells.control) == (("compound",), "DMSO")
    assert set(cells.conditions) == set(COMPOUNDS)


# ---- wrong turns ----------------------------------------------------------------------------------------------------


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """One ImageXpress plate of four wells; its channels are DNA, actin and tubulin."""
    wells = ["A01", "A02", "B01", "B02"]
    return write_plates(tmp_path / "BR1", "imagexpress", stub_plate("BR1", wells, size=32))


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def said(hand: Hand, settle: Settle) -> str:
    """The sentence that the dock ends with, whole and without what lets it break."""
    settle(lambda: not hand.dock.session._looking.busy)
    settle(lambda: not hand.dock.setup.cells.busy)
    problem = hand.dock.problem
    return "" if problem.isHidden() else problem.message.text().replace("\u200b", "")


@pytest.mark.slow
def test_each_wrong_folder_ends_in_a_sentence(hand: Hand, tmp_path: Path, plate: Path, settle: Settle) -> None:
    setup = hand.dock.setup

    def folder(path: Path) -> str:
        text = hand.look_at(setup.source.choose, path, settle)
        hand.picture(f"wrong {path.name}")
        return text

    empty, documents, jpegs = (tmp_path / name for name in ("empty", "documents", "jpegs"))
    for one in (empty, documents, jpegs):
        one.mkdir()
    (documents / "letter.docx").touch()
    for number in range(3):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(jpegs / f"{number}.jpg")
    assert "it is empty: choose the folder that has them" in folder(empty)
    assert setup.cells.looked is None
    assert "it has other files (1 .docx): choose the folder that has them" in folder(documents)
    assert "3 JPEG files, of which the intensities are lost: export the images as TIFF" in folder(jpegs)
    both = tmp_path / "both"
    shutil.copytree(plate, both / "one")
    shutil.copytree(write_plates(tmp_path / "P", "phenix", stub_plate("P", ["A01"], size=16)), both / "two")
    text = folder(both)
    assert "can be read as Opera Phenix or Operetta or ImageXpress; choose one by Layout (How the folder is" in text
    section = setup.source.reading_section
    hand.click(section.toggleButton(), "How the folder is read")
    assert all(row.height() >= 18 for row in setup.source.reading.rows.values())
    hand.choose(setup.source.reading.rows["layout"], "ImageXpress", "Layout")
    assert said(hand, settle) == ""
    hand.picture("wrong both, chosen")
    assert setup.cells.looked.source.layout.startswith("ImageXpress (1 plate")
    assert "--" not in folder(plate)
    (warning,) = setup.cells.panel.warnings.texts
    assert warning.startswith("⚠ What was done to the cells is not known: ")
    assert "give a plate map (Plate map, Choose …) or a metadata.csv" in warning
    lacking = next(plate.rglob("*A02_s1_w2*"))
    lacking.unlink()
    folder(plate)
    assert "1 site left out for want of a channel file: " in setup.cells.panel.summary.text().replace("\u200b", "")
    assert "A02 site 1 lacks channel actin" in setup.cells.panel.summary.text().replace("\u200b", "")
    hand.click(hand.dock.start, "Start")
    assert "give a plate map (Plate map, Choose …)" in said(hand, settle)
    assert hand.dock.state == READY


@pytest.mark.slow
def test_each_wrong_plate_map_ends_in_a_sentence(hand: Hand, tmp_path: Path, plate: Path, settle: Settle) -> None:
    setup = hand.dock.setup
    hand.look_at(setup.source.choose, plate, settle)

    def by_map(name: str, text: str) -> str:
        found = hand.look_at(setup.source.plate.choose, table(tmp_path / name, text), settle)
        hand.picture(f"map {name}")
        return found

    good = "well,compound\nA1,DMSO\nA2,taxol\nB1,DMSO\nB2,taxol\n"
    assert by_map("good.csv", good) == ""
    assert setup.source.plate.used.text() == "good.csv"
    other = by_map("other wells.csv", "well,compound\nH11,DMSO\nH12,taxol\n")
    assert "other wells.csv fits none of the wells that have images: these are A01, A02, B01" in other
    assert setup.source.plate.used.text() == "good.csv"  # what fitted stays, and another can be chosen
    assert setup.cells.label.ticked == ("compound",)
    assert setup.plan().choice.plate_map == str(tmp_path / "good.csv")
    assert "names no wells" in by_map("list.csv", "name,price\ntaxol,12\n")
    assert "is empty" in by_map("nothing.csv", "")
    two = by_map("two plates.csv", "plate,well,compound\nX1,A1,DMSO\nX2,A1,taxol\n")
    assert "two plates.csv is of the plates X1, X2, and " in two
    assert "--" not in two
    assert by_map("guessed.csv", "plate,well,compound\nX1,A1,DMSO\nX1,A2,taxol\nX1,B1,DMSO\nX1,B2,taxol\n") == ""
    assert "was taken for X1 of the map (guessed)" in setup.cells.panel.summary.text()
    assert by_map("one.csv", "well,compound\nA1,taxol\nA2,taxol\nB1,taxol\nB2,taxol\n") == ""
    assert "Everything is 'taxol' by 'compound', and a training needs two" in setup.cells.panel.warnings.texts[0]
    hand.click(hand.dock.start, "Start")
    assert "No control is chosen; choose the untreated control." in said(hand, settle)
    assert by_map("no control.csv", good.replace("DMSO", "nocodazole")) == ""
    hand.click(hand.dock.start, "Start")
    assert "No control is chosen; choose the untreated control." in said(hand, settle)
    hand.choose(setup.cells.control, "nocodazole", "Control")
    assert setup.plan().control == "nocodazole"
    assert said(hand, settle) == ""
    hand.picture("map control chosen")
