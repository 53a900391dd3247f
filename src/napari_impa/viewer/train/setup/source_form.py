"""The Train dock's rows of where cells come from: a folder or open layers, its plate map, and how it is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QLabel, QLineEdit

from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.viewer.kit.dialogs import ask_for_folder, tool_button
from napari_impa.viewer.kit.forms import Options, Page, section
from napari_impa.viewer.plate.plate_box import PlateBox
from napari_impa.viewer.train.open_layers.layers_box import LayersBox
from napari_impa.viewer.train.plate.reading_box import TITLE, ReadingBox
from napari_impa.work.survey import Looked

if TYPE_CHECKING:
    import napari

FOLDER, LAYERS = "folder", "layers"


class SourceForm(QObject):
    """A folder or open layers, how the folder is read, and its plate map.

    Signals
    -------
    asked
        The folder is to be looked at, or at it in another way.
    looked
        `Looked` of open layers, or None where none is added.
    chosen
        Another folder was chosen here.
    origin_changed
        Cells come from layers instead of a folder, or the other way round.
    failed
        `Failure` of finding cells in layers.

    Attributes
    ----------
    path
        The folder that was chosen.
    choice
        How it is to be read.
    """

    asked = Signal()
    looked = Signal(object)
    chosen = Signal(object)
    origin_changed = Signal()
    failed = Signal(object)

    def __init__(self, page: Page, viewer: napari.viewer.Viewer) -> None:
        super().__init__(page)
        self._page = page
        self.path: Path | None = None
        self.choice = AS_FOUND
        self._worked: LayoutChoice | None = None
        self._found: Looked | None = None
        self._has_wells = False
        origin = [("a folder", FOLDER), ("open layers", LAYERS)]
        self.origin = Options(origin, tip="Train on images in a folder, or on cells of the layers that are open here.")
        page.row("Cells from", self.origin, tip=self.origin.toolTip())
        self.line = QLineEdit()
        self.line.setPlaceholderText("a folder of images, or .cells")
        self.line.editingFinished.connect(self._on_typed)
        self.choose = tool_button("Choose …", self._choose)
        tip = "A plate, images with metadata.csv, one subfolder a condition, IMPA's own layout, or a .cells folder."
        self._line_row = page.row("Folder", self.line, self.choose, tip=tip)
        self.hint = QLabel(
            "A plate as the microscope leaves it, images with a metadata.csv beside them, or one subfolder a "
            "condition. What is in it is shown first; nothing in it is changed."
        )
        self.hint.setWordWrap(True)
        page.form.addRow(self.hint)
        self.layers = LayersBox(viewer)
        self.layers.looked.connect(self.looked)
        self.layers.failed.connect(self.failed)
        page.form.addRow(self.layers)
        self.kind = Options(tip="Whole fields are cut into cells first; ready crops show one cell each.")
        self.kind.currentIndexChanged.connect(self.asked)
        self._kind_row = page.row("Images are", self.kind, tip=self.kind.toolTip())
        self.plate = PlateBox()
        self.plate.chosen.connect(self._on_plate_map)
        self.plate_row = page.row("Plate map", self.plate, tip="What is in the wells of the plate.")
        self.reading = ReadingBox()
        self.reading.changed.connect(self._on_reading)
        self.reading_section = section(TITLE, self.reading)
        page.form.addRow(self.reading_section)
        self.origin.currentIndexChanged.connect(self._on_origin)

    @property
    def is_folder(self) -> bool:
        """Whether cells come from a folder."""
        return bool(self.origin.value == FOLDER)

    def set_path(self, path: str | Path) -> None:
        """Take another folder, to be read as its files say."""
        if not self.is_folder:
            self.origin.choose(FOLDER)
            self.show_rows()
        self.path = Path(path).expanduser()
        self._worked = None
        self.take_choice(AS_FOUND)
        self.line.setText(str(self.path))
        self.kind.refill([])
        self.asked.emit()

    def take_choice(self, choice: LayoutChoice) -> None:
        """Take how the folder is to be read, and show it."""
        self.choice = choice
        self.reading.show_choice(choice)

    def take_kind(self, kind: str) -> None:
        """Take what its images are: `fields`, `crops` or `cells`."""
        self.kind.refill([] if kind == "cells" else [("whole fields", "fields"), ("ready crops", "crops")])
        self.kind.choose(kind)

    def show_looked(self, looked: Looked) -> None:
        """Show what a folder or layers hold."""
        self._found, self._worked = looked, self.choice
        self.take_kind(looked.source.kind)
        self._has_wells = self.plate.fill(looked.source)

    def go_back(self) -> bool:
        """Take back a choice that did not fit, where there is one that did; what was found by it stays."""
        if self._worked is None or self.choice == self._worked:
            return False
        self.take_choice(self._worked)
        if self._found is not None:
            self.take_kind(self._found.source.kind)
        return True

    def forget_found(self) -> None:
        """Nothing is found any more."""
        self._found = None

    def show_rows(self) -> None:
        """Show the rows that there is something to choose in."""
        folder, form, found = self.is_folder, self._page.form, self._found
        form.setRowVisible(self._line_row, folder)
        form.setRowVisible(self.hint, folder and found is None)
        form.setRowVisible(self.layers, not folder)
        form.setRowVisible(self._kind_row, folder and bool(self.kind.values))
        stored = found is not None and found.source.kind == "cells"
        form.setRowVisible(self.reading_section, folder and self.path is not None and not stored)
        form.setRowVisible(self.plate_row, folder and found is not None and self._has_wells)

    def _on_plate_map(self, plate_map: str | None) -> None:
        self.choice = replace(self.choice, plate_map=plate_map)
        self.asked.emit()

    def _on_reading(self) -> None:
        self.choice = self.reading.chosen(self.choice)
        self.kind.refill([])
        self.asked.emit()

    def _on_typed(self) -> None:
        text = self.line.text().strip()
        if text and Path(text).expanduser() != self.path:
            self.chosen.emit(text)

    def _choose(self) -> None:
        ask_for_folder(self._page, "Choose a folder of images or .cells", self.line.text(), self.chosen.emit)

    def _on_origin(self) -> None:
        self.forget_found()
        self.show_rows()
        self.origin_changed.emit()
        if self.is_folder:
            self.asked.emit()
        else:
            self.layers.tell()
