"""The map itself: tens of thousands of points, conditions among them, and a lasso."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor

from napari_impa.analysis.pictures.gallery import LIT
from napari_impa.viewer.kit.texts import rich

PALETTE = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442", "#999999")
"""Colours that are told apart with deuteranopia and protanopia too (Okabe and Ito 2008), grey for all others."""

SHADES = 64
"""Steps of a colour scale."""

CHOSEN = "#{:02x}{:02x}{:02x}".format(*LIT)
"""Cells that were chosen, here and in the field."""


PLACES = ((0.5, 1.3), (0.5, -0.3), (-0.06, 0.5), (1.06, 0.5), (0.5, 2.3), (0.5, -1.3), (-0.06, 1.5), (1.06, -0.5))
"""Where a condition's name may stand beside its mark, the best first, as pyqtgraph's anchors."""


class MapPlot(pg.PlotWidget):
    """Points that can be chosen with a lasso: drag with the left button; the right button moves.

    The wheel zooms where the map was clicked before, or else scrolls the form around it.

    Signals
    -------
    lassoed
        (n,) rows of the points inside.
    """

    lassoed = Signal(object)

    def __init__(self, theme: str) -> None:
        self._box = LassoBox()
        super().__init__(viewBox=self._box)
        self.setMinimumHeight(240)
        self.setMenuEnabled(False)
        self.hideButtons()
        self._at = np.zeros((0, 2))
        self._points = pg.ScatterPlotItem(pxMode=True, pen=None, size=5)
        self._chosen = pg.ScatterPlotItem(pxMode=True, pen=None, size=7, brush=pg.mkBrush(CHOSEN))
        self._conditions = pg.ScatterPlotItem(
            pxMode=True, symbol="d", size=13, pen=pg.mkPen("k"), brush=pg.mkBrush("w")
        )
        for item in (self._points, self._chosen, self._conditions):
            self.addItem(item)
        self._names: list[pg.TextItem] = []
        self._marks = np.zeros((0, 2))
        self._box.drawn.connect(self._on_lasso)
        self._box.sigRangeChanged.connect(self._place_names)
        self._box.sigResized.connect(self._place_names)
        self.take_colours(theme)

    def sizeHint(self) -> QSize:
        """As wide as the form happens to be."""
        return QSize(200, 280)

    def wheelEvent(self, event: Any) -> None:
        """Zoom, or let the form scroll."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def take_colours(self, theme: str) -> None:
        """Take the colours of a napari theme."""
        colours = get_theme(theme)
        self._text: Any = colours.text.as_rgb_tuple()
        self.setBackground(colours.background.as_rgb_tuple())
        for side in ("left", "bottom"):
            self.getAxis(side).setPen(self._text)
            self.getAxis(side).setTextPen(self._text)
        self._box.take_colour(QColor(*self._text[:3]))

    def show_cells(
        self, at: NDArray[np.float64], conditions: NDArray[np.float64], names: Sequence[str], axes: tuple[str, str]
    ) -> None:
        """Show cells at (N, 2), and conditions with their names at (K, 2)."""
        self._at = at
        self._points.setData(at[:, 0], at[:, 1])
        self._chosen.clear()
        self._conditions.setData(conditions[:, 0], conditions[:, 1])
        for item in self._names:
            self.removeItem(item)
        self._names = []
        for (x, y), name in zip(conditions, names[: len(conditions)], strict=True):
            item = pg.TextItem(name, color=self._text, anchor=(0.5, 1.3))
            item.setPos(x, y)
            self.addItem(item, ignoreBounds=True)
            self._names.append(item)
        self._marks = np.asarray(conditions, float)
        self.setLabel("bottom", rich("{}", axes[0]))
        self.setLabel("left", rich("{}", axes[1]))
        self.autoRange()
        self._place_names()

    def _place_names(self, *_: Any) -> None:
        """Put names where they overlap neither each other nor the edge; one for which there is no room is left out."""
        box, taken = self._box, list[QRectF]()
        for (x, y), item in zip(self._marks, self._names, strict=False):
            at, size = box.mapFromView(QPointF(x, y)), item.boundingRect().size()
            wide, high = size.width(), size.height()
            for anchor in PLACES:
                place = QRectF(at.x() - anchor[0] * wide, at.y() - anchor[1] * high, wide, high)
                if box.rect().contains(place) and not any(place.intersects(other) for other in taken):
                    taken.append(place)
                    item.setAnchor(anchor)
                    item.show()
                    break
            else:
                item.hide()

    def colour(self, codes: NDArray[np.integer], colours: Sequence[str]) -> None:
        """Give each cell the colour of its code."""
        brushes = np.array([pg.mkBrush(one) for one in colours], object)
        self._points.setBrush(list(brushes[codes]))

    def choose(self, rows: NDArray[np.integer]) -> None:
        """Light cells up."""
        at = self._at[rows] if len(self._at) else self._at
        self._chosen.setData(at[:, 0], at[:, 1])

    def _on_lasso(self, corners: NDArray[np.float64]) -> None:
        from matplotlib.path import Path

        if len(corners) >= 3 and len(self._at):
            self.lassoed.emit(np.flatnonzero(Path(corners).contains_points(self._at)))


class LassoBox(pg.ViewBox):
    """A view in which dragging with the left button draws a line around points.

    Signals
    -------
    drawn
        (k, 2) corners of the line, in the units of the axes.
    """

    drawn = Signal(object)

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._corners: list[QPointF] = []
        self._line = pg.PlotCurveItem()
        self._line.setZValue(10)
        self.addItem(self._line, ignoreBounds=True)

    def take_colour(self, colour: QColor) -> None:
        """Draw the line in a colour."""
        self._line.setPen(pg.mkPen(colour, width=1.5, style=Qt.PenStyle.DashLine))

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        """Draw; other buttons move the view."""
        if ev.button() != Qt.MouseButton.LeftButton or axis is not None:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        if ev.isStart():
            self._corners = [self.mapToView(ev.buttonDownPos())]
        self._corners.append(self.mapToView(ev.pos()))
        corners = np.array([[one.x(), one.y()] for one in self._corners])
        if ev.isFinish():
            self._corners = []
            self._line.clear()
            self.drawn.emit(corners)
        else:
            self._line.setData(*np.vstack([corners, corners[:1]]).T)


def coded(values: Any) -> tuple[NDArray[np.intp], list[str], list[tuple[str, str]]]:
    """Codes of a column (N,), their colours, and a legend of texts and colours.

    Numbers run over a colour scale between their 1 % and 99 % quantiles; of names the most frequent have colours of
    their own.
    """
    import pandas as pd

    column = pd.Series(values)
    if column.dtype.kind in "iuf" and column.nunique() > len(PALETTE):
        numbers = column.to_numpy(float)
        known = numbers[np.isfinite(numbers)]
        low, high = np.quantile(known, [0.01, 0.99]) if len(known) else (0.0, 1.0)
        share = np.clip((numbers - low) / max(high - low, 1e-30), 0, 1)
        codes = np.where(np.isfinite(numbers), np.nan_to_num(share) * (SHADES - 1), SHADES).astype(np.intp)
        table = pg.colormap.get("viridis").getLookupTable(nPts=SHADES, alpha=False)
        colours = ["#{:02x}{:02x}{:02x}".format(*rgb) for rgb in table.astype(int)] + ["#808080"]
        return codes, colours, [(f"{low:.3g}", colours[0]), ("…", colours[SHADES // 2]), (f"{high:.3g}", colours[-2])]
    names = column.astype(str)
    most = list(names.value_counts().index[: len(PALETTE) - 1])
    if names.nunique() == len(PALETTE):
        most = list(names.value_counts().index)
    most.sort()
    codes = pd.Index(most).get_indexer(pd.Index(names))
    legend = [(name, PALETTE[number]) for number, name in enumerate(most)]
    if (codes < 0).any():
        codes = np.where(codes < 0, len(PALETTE) - 1, codes)
        legend.append(("others", PALETTE[-1]))
    return codes.astype(np.intp), list(PALETTE), legend
