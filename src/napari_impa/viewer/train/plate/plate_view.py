"""A picture of one plate: wells in the colours of their conditions, controls ringed, wells without images hatched."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, QPoint, QRectF, Qt
from qtpy.QtGui import QBrush, QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_impa.cells.plate_maps.picture import PictureWell, PlatePicture
from napari_impa.cells.wells import row_letters

LARGEST = 22
"""Pixels of a well, where there is room."""

_MARGIN = 18  # for letters and numbers
_GOLDEN = 0.618034
_CONTROL, _UNKNOWN, _NOTHING = QColor(150, 150, 150), QColor(90, 90, 90), QColor(128, 128, 128, 60)


def colours_of(conditions: Sequence[str]) -> dict[str, QColor]:
    """A colour for each condition, neighbours far apart on the colour circle; the same names give the same colours."""
    return {
        name: QColor.fromHsvF((0.58 + number * _GOLDEN) % 1, 0.55 + 0.3 * (number % 2), 0.92)
        for number, name in enumerate(conditions)
    }


class PlateView(QWidget):
    """Draws a `PlatePicture`; a well says what it is when the mouse rests on it."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._picture: PlatePicture | None = None
        self._colours: dict[str, QColor] = {}

    def show_picture(self, picture: PlatePicture | None, colours: dict[str, QColor]) -> None:
        """Show a plate, its conditions in these colours."""
        self._picture, self._colours = picture, colours
        self._fit()
        self.update()

    def well_at(self, place: QPoint) -> PictureWell | None:
        """The well at a place of this widget."""
        if self._picture is None:
            return None
        side = self._side()
        column, row = (place.x() - _MARGIN) // side, (place.y() - _MARGIN) // side
        return self._picture.at(int(row), int(column)) if min(column, row) >= 0 else None

    def centre_of(self, row: int, column: int) -> QPoint:
        """The middle of a well of a row and a column, counted from 0."""
        side = self._side()
        return QPoint(int(_MARGIN + (column + 0.5) * side), int(_MARGIN + (row + 0.5) * side))

    def _side(self) -> float:
        assert self._picture is not None
        return max(3.0, min(LARGEST, (self.width() - _MARGIN - 2) / self._picture.columns))

    def _fit(self) -> None:
        rows = 0 if self._picture is None else self._picture.rows
        self.setFixedHeight(int(_MARGIN + rows * self._side() + 2) if rows else 0)

    def resizeEvent(self, event: object) -> None:
        """Keep wells as large as the width allows."""
        self._fit()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw letters, numbers and wells."""
        picture = self._picture
        if picture is None:
            return
        painter, side = QPainter(self), self._side()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(int(max(6, min(11, side * 0.7))))
        painter.setFont(font)
        text = self.palette().windowText().color()
        painter.setPen(text)
        every = 1 if side >= 14 else 2 if side >= 8 else 6
        for column in range(0, picture.columns, every):
            box = QRectF(_MARGIN + column * side - side, 0, 3 * side, _MARGIN)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(column + 1))
        for row in range(0, picture.rows, every):
            box = QRectF(0, _MARGIN + row * side - side, _MARGIN - 2, 3 * side)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, row_letters(row))
        wells = {(one.well.row, one.well.column): one for one in picture.wells}
        for row in range(picture.rows):
            for column in range(picture.columns):
                box = QRectF(_MARGIN + column * side, _MARGIN + row * side, side, side).adjusted(1, 1, -1, -1)
                self._draw(painter, box, wells.get((row, column)), text)
        painter.end()

    def _draw(self, painter: QPainter, box: QRectF, one: PictureWell | None, ink: QColor) -> None:
        if one is None:
            painter.setPen(QPen(_NOTHING))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        else:
            colour = _CONTROL if one.control else self._colours.get(one.condition, _UNKNOWN)
            hatched = Qt.BrushStyle.BDiagPattern
            painter.setBrush(QBrush(colour) if one.images else QBrush(colour, hatched))
            painter.setPen(QPen(ink, 2) if one.control else QPen(colour if not one.images else Qt.PenStyle.NoPen))
        painter.drawEllipse(box)

    def event(self, event: QEvent | None) -> bool:
        """Say what is in the well under the mouse."""
        if isinstance(event, QHelpEvent):
            one = self.well_at(event.pos())
            if one is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), words_of(one), self)
            return True
        return bool(super().event(event))


def words_of(one: PictureWell) -> str:
    """What is known of a well, in a line."""
    what = one.condition or "nothing says what is in it"
    images = f"{one.images:,} image{'s' * (one.images != 1)}" if one.images else "no images"
    return f"{one.well.name}: {what}{' (control)' if one.control else ''} · {images}"
