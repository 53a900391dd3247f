"""A plate as a grid of wells to click on: coloured by what is in them, controls ringed, the one shown marked."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_impa.cells.plate_maps.picture import PictureWell, PlatePicture
from napari_impa.cells.wells import Well, row_letters

_LEFT, _TOP = 18, 14  # pixels for the letters of rows and the numbers of columns
_LIGHT, _SATURATION = 0.55, 0.6
_TURN = 0.381966  # of the colour circle, so that the colours of neighbours in the list are far apart


class PlateGrid(QWidget):
    """Draws the wells of a plate, and tells which one is clicked.

    Signals
    -------
    well_chosen
        Name of the well that was clicked, whether anything is known of it or not.
    """

    well_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Plate")
        self._picture: PlatePicture | None = None
        self._wells: dict[tuple[int, int], PictureWell] = {}
        self._colours: dict[str, QColor] = {}
        self._current = ""

    def show_plate(self, picture: PlatePicture | None, conditions: Sequence[str] | None = None) -> None:
        """Draw another plate; nothing where its wells are not known.

        Parameters
        ----------
        picture
            The plate.
        conditions
            Those of all plates, so that one has its colour on each; by default this plate's own.
        """
        self._picture = picture
        self._wells = {} if picture is None else {(one.well.row, one.well.column): one for one in picture.wells}
        names = conditions if conditions is not None else () if picture is None else picture.conditions
        self._colours = colours_of(names)
        self.setVisible(picture is not None)
        self.setMinimumHeight(self.heightForWidth(self.width()))
        self.updateGeometry()
        self.update()

    def show_well(self, well: str) -> None:
        """Ring a well."""
        self._current = well
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as the dock, with square wells."""
        return QSize(320, self.heightForWidth(320))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Never be cut off, whatever lies around."""
        super().resizeEvent(event)
        self.setMinimumHeight(self.heightForWidth(self.width()))

    def hasHeightForWidth(self) -> bool:
        """Wells are square."""
        return True

    def heightForWidth(self, width: int) -> int:
        """The height at which the wells are square."""
        if self._picture is None:
            return 0
        return int(_TOP + self._side(width) * self._picture.rows + 2)

    def well_at(self, point: QPointF) -> PictureWell | None:
        """The well under a point, where the picture has one there."""
        return self._wells.get(self._place(point))

    def _place(self, point: QPointF) -> tuple[int, int]:
        """Row and column under a point, from 0, which may lie outside of the plate."""
        side = self._side(self.width())
        return int((point.y() - _TOP) // side), int((point.x() - _LEFT) // side)

    def centre_of(self, well: str) -> QPointF:
        """The middle of a well of the plate."""
        at = Well.parse(well)
        return self._square(at.row, at.column).center()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell which well is clicked."""
        row, column = self._place(event.position())
        if self._picture is not None and 0 <= row < self._picture.rows and 0 <= column < self._picture.columns:
            self.well_chosen.emit(Well(row, column).name)

    def event(self, event: QEvent) -> bool:
        """Say what is in the well under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            one = self.well_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), "" if one is None else _said(one), self)
            return True
        return bool(super().event(event))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw rows, columns and wells."""
        if self._picture is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().text().color()
        side = self._side(self.width())
        font = painter.font()
        font.setPixelSize(max(6, min(11, int(side * 0.8))))
        painter.setFont(font)
        painter.setPen(text)
        every = 1 if side >= 16 else 2 if side >= 9 else 6
        centred = Qt.AlignmentFlag.AlignCenter
        for column in range(0, self._picture.columns, every):
            where = QRectF(_LEFT + column * side - side, 0, 3 * side, _TOP)
            painter.drawText(where, centred, str(column + 1))
        for row in range(0, self._picture.rows, 1 if side >= 9 else 4):
            painter.drawText(QRectF(0, _TOP + row * side - side, _LEFT, 3 * side), centred, row_letters(row))
        faint = QColor(text)
        faint.setAlphaF(0.25)
        for row in range(self._picture.rows):
            for column in range(self._picture.columns):
                self._draw(painter, self._square(row, column), self._wells.get((row, column)), faint, text)

    def _draw(self, painter: QPainter, square: QRectF, one: PictureWell | None, faint: QColor, text: QColor) -> None:
        painter.setPen(QPen(faint, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if one is not None and one.control:
            painter.setPen(QPen(text, 1.5))
        if one is not None and one.images:
            plain = self.palette().mid().color() if one.control or not one.condition else None
            painter.setBrush(plain or self._colours[one.condition])
        elif one is not None:
            painter.setBrush(QBrush(self._colours.get(one.condition, faint), Qt.BrushStyle.BDiagPattern))
        painter.drawEllipse(square)
        if one is not None and one.held:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.palette().window())
            dot = square.width() / 6
            painter.drawEllipse(square.center(), dot, dot)
        if one is not None and one.well.name == self._current:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(text, 3))
            painter.drawEllipse(square.adjusted(-2, -2, 2, 2))

    def _side(self, width: int) -> float:
        columns = 1 if self._picture is None else self._picture.columns
        return min(28.0, max(3.0, (width - _LEFT - 2) / columns))

    def _square(self, row: int, column: int) -> QRectF:
        side = self._side(self.width())
        gap = side * 0.1
        return QRectF(_LEFT + column * side + gap, _TOP + row * side + gap, side - 2 * gap, side - 2 * gap)


def colours_of(conditions: Sequence[str]) -> dict[str, QColor]:
    """A colour for each condition, those of neighbours far apart."""
    return {name: QColor.fromHslF((number * _TURN) % 1, _SATURATION, _LIGHT) for number, name in enumerate(conditions)}


def _said(one: PictureWell) -> str:
    what = f": {one.condition}{', control' * one.control}" if one.condition else ""
    images = f"{one.images} field{'s' * (one.images != 1)}" if one.images else "no images"
    return f"{one.well.name}{what} ({images}{', held out' * one.held})"
