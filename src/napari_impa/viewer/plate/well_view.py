"""A few cells of the well that was clicked, and a line about it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_impa.viewer.kit.crop_strip import crop_strip, rgba_image
from napari_impa.viewer.kit.texts import Rich, breakable, breaks, rich
from napari_impa.work.well_cells import WellCells

_SIDE = 72  # of a cell, in pixels: three beside each other are as wide as a row of the dock


class WellView(QWidget):
    """A few cells of the well that was clicked, under a line about it; hidden while no well is."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.text, self.cells = QLabel(), QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.cells.setAccessibleName("Cells of the well")
        column.addWidget(self.text)
        column.addWidget(self.cells)
        self._about = rich("")
        self.say("")

    def say(self, text: str) -> None:
        """Show a line alone; nothing where it is empty."""
        self.text.setText(breakable(text))
        self.cells.clear()
        self.cells.hide()
        self.setVisible(bool(text))

    def ask(self, about: Rich) -> None:
        """Say which well it is, while its cells are read."""
        self._about = about
        self.say(rich("{} …", about))

    def show_cells(self, found: WellCells) -> None:
        """Show cells that were read."""
        self.text.setText(rich("{} · {}", self._about, breaks(found.said)))
        if len(found.pictures):
            ratio = self.devicePixelRatioF()
            strip = crop_strip(found.pictures, round(_SIDE * ratio), round(2 * ratio), columns=3)
            pixmap = QPixmap.fromImage(rgba_image(strip))
            pixmap.setDevicePixelRatio(ratio)
            self.cells.setPixmap(pixmap)
            self.cells.show()
