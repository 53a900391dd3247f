"""How one measure is spread over the cells: a point a cell, as it is, as predicted and as really treated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QMouseEvent, QWheelEvent

from napari_impa.viewer.kit.texts import rich

if TYPE_CHECKING:
    from napari_impa.analysis.distributions import MeasureSpread

COLOURS = ("#56b4e9", "#e69f00", "#009e73")
"""As they are, predicted and real: told apart with deuteranopia and protanopia too (Okabe and Ito 2008)."""
CHOSEN = "#ff3df5"
HEIGHT = 44
"""Pixels of a line of points."""
REACH = 12.0
"""So many pixels beside a point a click still means it."""
_EDGE = 0.005
"""Share of the cells at either end that are drawn at the edge, so that the others have room."""


class SpreadPlot(pg.PlotWidget):
    """Lines of points, one a cell; the cell in sight stands out, and a click on a point of it or another tells.

    Signals
    -------
    cell_clicked
        Row of the cell. Real treated cells are other cells, and tell nothing.
    """

    cell_clicked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.getAxis("left").setTicks([[]])
        self.getAxis("left").setWidth(62)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.getAxis("bottom").setHeight(46)  # numbers and the whole of the label
        self.setAccessibleName("Distribution of a measurement")
        self.setToolTip("A point a cell: click one to bring the cell up. Strokes are medians.")
        self._points = pg.ScatterPlotItem(pxMode=True, pen=None, size=5)
        self._medians = pg.PlotCurveItem(connect="pairs")
        self._chosen = pg.ScatterPlotItem(pxMode=True, pen=pg.mkPen("k"), size=10, brush=pg.mkBrush(CHOSEN))
        self._way = pg.PlotCurveItem(pen=pg.mkPen(CHOSEN, width=1.5))
        for item in (self._points, self._medians, self._way, self._chosen):
            self.addItem(item)
        self._at = np.zeros((0, 2))
        self._rows = np.zeros(0, np.intp)
        self._cell = 0

    def sizeHint(self) -> QSize:
        """As wide as the form happens to be."""
        return QSize(200, self.maximumHeight())

    def take_colours(self, theme: str) -> None:
        """Take the colours of a napari theme."""
        colours = get_theme(theme)
        text: Any = colours.text.as_rgb_tuple()
        self.setBackground(colours.background.as_rgb_tuple())
        self._medians.setPen(pg.mkPen(text[:3], width=2))
        for side in ("left", "bottom"):
            self.getAxis(side).setPen(text)
            self.getAxis(side).setTextPen(text)

    def show_spread(self, spread: MeasureSpread, as_it_is: str) -> None:
        """Show another measure, or other cells."""
        lines = [spread.control, spread.predicted] + ([] if spread.treated is None else [spread.treated])
        names = [as_it_is, "predicted", "real"][: len(lines)]
        known = np.concatenate([line[np.isfinite(line)] for line in lines])
        low, high = np.quantile(known, [_EDGE, 1 - _EDGE]) if len(known) else (0.0, 1.0)
        places, rows, colours, strokes = [], [], [], []
        for number, values in enumerate(lines):
            there = np.flatnonzero(np.isfinite(values))
            across = np.clip(values[there], low, high)
            height = len(lines) - 1.0 - number
            places.append(np.column_stack([across, height + _aside(across, low, high)]))
            rows.append(there if number < 2 else np.full(len(there), -1))
            colours += [COLOURS[number]] * len(there)
            if len(there):
                strokes += [(np.median(values[there]), height - 0.42), (np.median(values[there]), height + 0.42)]
        self._at, self._rows = np.concatenate(places), np.concatenate(rows).astype(np.intp)
        brushes = {colour: pg.mkBrush(colour + "b0") for colour in COLOURS}
        self._points.setData(self._at[:, 0], self._at[:, 1], brush=[brushes[colour] for colour in colours])
        self._medians.setData(*(np.array(strokes).T if strokes else ([], [])))
        self.getAxis("left").setTicks([[(len(lines) - 1 - number, name) for number, name in enumerate(names)]])
        self.setLabel("bottom", rich("{}", f"{spread.name} ({spread.unit})" if spread.unit else spread.name))
        self.setFixedHeight(HEIGHT * len(lines) + 60)
        self.setYRange(-0.5, len(lines) - 0.5, padding=0)
        self.setXRange(low, high if high > low else low + 1, padding=0.03)
        self.set_cell(self._cell)

    def set_cell(self, row: int) -> None:
        """Let another cell stand out."""
        self._cell = row
        here = self._at[self._rows == row]
        self._chosen.setData(here[:, 0], here[:, 1])
        self._way.setData(here[:, 0], here[:, 1])

    def place_of(self, row: int) -> QPointF:
        """Where in the widget a cell's first point is."""
        x, y = self._at[np.flatnonzero(self._rows == row)[0]]
        return QPointF(self.mapFromScene(self.getPlotItem().getViewBox().mapViewToScene(QPointF(x, y))))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell of the cell that was clicked."""
        super().mouseReleaseEvent(event)
        row = self._row_at(event.position()) if event.button() == Qt.MouseButton.LeftButton else None
        if row is not None:
            self.cell_clicked.emit(row)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Let the form scroll."""
        event.ignore()

    def _row_at(self, place: QPointF) -> int | None:
        """Row of the cell whose point is nearest, where it is near."""
        box = self.getPlotItem().getViewBox()
        wide, high = box.viewPixelSize()
        at = box.mapSceneToView(self.mapToScene(place.toPoint()))
        ours = np.flatnonzero(self._rows >= 0)
        if not len(ours) or not wide or not high:
            return None
        away = np.hypot((self._at[ours, 0] - at.x()) / wide, (self._at[ours, 1] - at.y()) / high)
        nearest = int(np.argmin(away))
        return int(self._rows[ours[nearest]]) if away[nearest] <= REACH else None


def _aside(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """(n,) how far points stand above or below their line: the more, the more of them have such a value."""
    if not len(values):
        return np.zeros(0)
    bins = np.clip(((values - low) / max(high - low, 1e-30) * 24).astype(int), 0, 23)
    counts = np.bincount(bins, minlength=24)
    spread = (np.arange(len(values)) * 0.6180339887) % 1 - 0.5  # even, and the same each time
    return np.asarray(0.8 * spread * counts[bins] / counts.max())
