"""From a plate folder and a spreadsheet to a training, as a biologist would click it, in the real window."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QDialogButtonBox, QFileDialog, QLineEdit, QWidget
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
    hand.choose_file(setup.choose, screen, "Folder")
    settle(lambda: looked(hand))
    hand.picture("2 folder")
    hand.choose_file(setup.plate.choose, layout, "Plate map")
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
    plan = plan_of(setup.run_folder if Run(setup.run_folder).exists else tmp_path / "screen-run")
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
