"""A plot against the step that is drawn now and then, in a theme's colours, for a narrow dock."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize, QTimer

from napari_impa.viewer.kit.texts import rich

DRAW_EVERY = 250
"""Milliseconds between drawings."""


class DecadeAxis(pg.AxisItem):
    """A logarithmic axis with ticks at 1, 2 and 5 times the powers of ten only."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Positions of the ticks, in powers of ten."""
        powers = range(math.floor(minVal), math.ceil(maxVal) + 1)
        factors = (1, 2, 5) if maxVal - minVal < 2 else (1,)
        ticks = [power + math.log10(factor) for power in powers for factor in factors]
        return [(1.0, [tick for tick in ticks if minVal <= tick <= maxVal])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Names of the ticks."""
        return [f"{10**value:.2g}" if value < 1.5 else step_name(round(10**value)) for value in values]


class StepAxis(pg.AxisItem):
    """Whole steps, thousands of them as `20k`."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Names of the ticks."""
        return [step_name(value) for value in values]


def step_name(step: float) -> str:
    """Write a step's number in little room; nothing where it is not whole.

    >>> step_name(500), step_name(20_000), step_name(1500), step_name(0.5)
    ('500', '20k', '1.5k', '')
    """
    if step != int(step):
        return ""
    size, unit = (1e6, "M") if step >= 1e6 else (1e3, "k") if step >= 1e3 else (1, "")
    return f"{step / size:.6g}{unit}"


class LivePlot(pg.PlotWidget):
    """Lines against the step, drawn at most four times a second.

    Parameters
    ----------
    label
        Of the axis on the left.
    theme
        Name of the napari theme whose colours to take.
    logarithmic
        Whether that axis is; else it is linear.
    """

    def __init__(self, label: str, theme: str, *, logarithmic: bool = True) -> None:
        left = DecadeAxis("left") if logarithmic else pg.AxisItem("left")
        super().__init__(axisItems={"left": left, "bottom": StepAxis("bottom")})
        self._light = False
        self._lines: dict[str, pg.PlotDataItem] = {}
        self._note = pg.TextItem(anchor=(0.5, 0.5))
        self._note.setParentItem(self.getPlotItem().getViewBox())
        self.setMinimumHeight(150)
        self.setMaximumHeight(220)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.setLogMode(y=logarithmic)
        left.enableAutoSIPrefix(False)
        left.setStyle(maxTickLevel=1 if logarithmic else 0)
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setLabel("bottom", "step")
        self.setLabel("left", rich("{}", label))
        self.getAxis("left").setWidth(52)
        self.getAxis("bottom").setHeight(40)
        self.getPlotItem().layout.setContentsMargins(0, 6, 10, 2)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DRAW_EVERY)
        self._timer.timeout.connect(self.draw)

    def draw(self) -> None:
        """Draw what has come since."""
        raise NotImplementedError

    def draw_soon(self) -> None:
        """Draw within a quarter of a second, however often this is called."""
        if not self._timer.isActive():
            self._timer.start()

    def explain(self, text: str) -> None:
        """Write in the middle why there is nothing to see; an empty text takes it away."""
        self._note.setPlainText(text)
        self._place_note()

    def sizeHint(self) -> QSize:
        """As wide as the form happens to be."""
        return QSize(200, 180)

    def closeEvent(self, event: Any) -> None:
        """Draw no more: pyqtgraph has taken a closed plot's lines away."""
        self._timer.stop()
        super().closeEvent(event)

    def wheelEvent(self, event: Any) -> None:
        """Let the form scroll."""
        event.ignore()

    def resizeEvent(self, event: Any) -> None:
        """Keep the explanation in the middle."""
        super().resizeEvent(event)
        if hasattr(self, "_note"):
            self._place_note()

    def take_colours(self, theme: str) -> None:
        """Take the colours of a napari theme."""
        colours = get_theme(theme)
        red, green, blue = colours.background.as_rgb_tuple()[:3]
        self._light = 0.3 * red + 0.6 * green + 0.1 * blue > 127
        text: Any = colours.text.as_rgb_tuple()
        self.setBackground(colours.background.as_rgb_tuple())
        self._note.setColor(text)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)

    def _colour(self, pair: tuple[str, str]) -> str:
        return pair[int(self._light)]

    def _place_note(self) -> None:
        room = self.getPlotItem().getViewBox().rect()
        self._note.setTextWidth(-1)  # as wide as it is
        if self._note.boundingRect().width() > room.width():
            self._note.setTextWidth(room.width())
        self._note.setPos(room.center())

    def _mark(self, line: pg.InfiniteLine, text: str = "") -> pg.InfiniteLine:
        """Add a line across the plot that the axes take no notice of."""
        self.getPlotItem().addItem(line, ignoreBounds=True)
        line.setZValue(-1)
        return line
