"""A small clickable picture of the field in the dock, with a dot for each cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_impa.viewer.layers.found_cells import BY_HAND, Found
from napari_impa.viewer.layers.outlines import TAKEN

HEIGHT = 150
LEFT_OUT = "#adb5bd"
REACH = 9.0
"""So many pixels beside a cell a click still means it."""


class Overview(QWidget):
    """The field with its cells: a click brings a cell up, Shift and a click leave it out or take it in again.

    Signals
    -------
    cell_clicked
        Row of `found.cells`.
    toggled
        Row of `found.candidates`, and whether it is to be left out.
    """

    cell_clicked = Signal(int)
    toggled = Signal(int, bool)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Overview of the field")
        self._found: Found | None = None
        self._images: list[QImage] = []
        self._cell = 0
        self._centres, self._steps, self._reasons = np.empty((0, 2)), np.empty(0, int), np.empty(0, object)
        self.setVisible(False)

    def set_found(self, found: Found | None) -> None:
        """Show the field and its cells; nothing where there is no field."""
        self._found = found if found is not None and found.thumbnails else None
        self._images = [_image(picture) for picture in self._found.thumbnails] if self._found is not None else []
        self._cell = 0
        if self._found is not None and self._found.field is not None:
            candidates = self._found.candidates
            self._centres = (candidates[["y", "x"]].to_numpy() + 0.5) / self._found.field.shape[-2:]
            self._steps, self._reasons = candidates["step"].to_numpy(), candidates["reason"].to_numpy()
        self.setVisible(self._found is not None)
        self.updateGeometry()
        self.update()

    def set_cell(self, row: int) -> None:
        """Highlight the cell in sight, a row of `found.cells`, at its step."""
        self._cell = row
        self.update()

    @property
    def step(self) -> int:
        """The step that is shown: that of the cell in sight."""
        if self._found is None or not 0 <= self._cell < len(self._found.rows):
            return 0
        return int(self._steps[self._found.rows[self._cell]])

    def sizeHint(self) -> QSize:
        """As wide as there is room, and not high."""
        return QSize(220, HEIGHT)

    def place_of(self, candidate: int) -> QPointF:
        """Where the dot of a candidate is drawn."""
        area, (y, x) = self._area(), self._centres[candidate]
        return QPointF(area.left() + x * area.width(), area.top() + y * area.height())

    def candidate_at(self, point: QPointF) -> int | None:
        """Row of the candidate drawn nearest to a point, where one is near enough."""
        shown, area = self._shown(), self._area()
        if not len(shown):
            return None
        sides, corner = np.array([area.height(), area.width()]), np.array([area.top(), area.left()])
        away = self._centres[shown] * sides + corner - (point.y(), point.x())
        nearest = int(np.hypot(*away.T).argmin())
        return int(shown[nearest]) if np.hypot(*away[nearest]) < REACH else None

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the picture and the dots."""
        if self._found is None:
            return
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(self._area(), self._images[self.step])
        in_sight = self._found.rows[self._cell] if self._cell < len(self._found.rows) else -1
        reasons = self._reasons
        shown = self._shown()
        radius = 3.5 if len(shown) < 400 else 1.8
        for candidate in shown:
            taken = reasons[candidate] == ""
            pen = QPen(QColor(TAKEN if taken else LEFT_OUT), 1.2)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            at = self.place_of(int(candidate))
            if candidate == in_sight:
                painter.setPen(QPen(QColor("white"), 1.6))
                painter.setBrush(QColor(TAKEN))
                painter.drawEllipse(at, 5.0, 5.0)
            elif taken:
                painter.drawEllipse(at, radius, radius)
            else:
                painter.drawLine(at + QPointF(-radius, -radius), at + QPointF(radius, radius))
                painter.drawLine(at + QPointF(-radius, radius), at + QPointF(radius, -radius))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Bring a cell up, or with Shift leave it out or take it in."""
        if event is None or self._found is None or event.button() != Qt.MouseButton.LeftButton:
            return
        candidate = self.candidate_at(event.position())
        if candidate is None:
            return
        reason = self._reasons[candidate]
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            if reason in ("", BY_HAND):
                self.toggled.emit(candidate, reason == "")
        elif reason == "":
            row = int(np.flatnonzero(self._found.rows == candidate)[0])
            self.set_cell(row)
            self.cell_clicked.emit(row)

    def event(self, event: QEvent | None) -> bool:
        """Say of the cell under the mouse what a click does, or why it was left out."""
        if isinstance(event, QHelpEvent) and self._found is not None:
            candidate = self.candidate_at(QPointF(event.pos()))
            text = "Click a cell to bring it up; Shift+click to leave it out or take it in again."
            if candidate is not None:
                reason = self._reasons[candidate]
                label = self._found.candidates["label"].iloc[candidate]
                text = f"Cell {label}: " + (reason or "click to bring it up, Shift+click to leave it out")
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))

    def _shown(self) -> NDArray[np.intp]:
        if self._found is None:
            return np.empty(0, np.intp)
        return np.flatnonzero(self._steps == self.step)

    def _area(self) -> QRectF:
        """The part of the widget that the picture fills, its sides in proportion."""
        picture = QSize(self._images[0].width(), self._images[0].height()) if self._images else QSize(1, 1)
        size = picture.scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF((self.width() - size.width()) / 2, 0, size.width(), size.height())


def _image(picture: NDArray[np.uint8]) -> QImage:
    height, width, _ = picture.shape
    return QImage(np.ascontiguousarray(picture).tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
