"""Loss curves that grow while a model trains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QLabel

SHOWN = {
    "reconstruction": "#4477aa",
    "self_reconstruction": "#66ccee",
    "cycle": "#ccbb44",
    "style": "#228833",
    "adversarial": "#ee6677",
}
"""Losses shown and their colours, which colour-blind people can tell apart (Paul Tol's bright scheme)."""

MOST_POINTS = 600
SMOOTHING = 0.9


class DecadeAxis(pg.AxisItem):
    """A logarithmic axis with ticks at 1, 2 and 5 times the powers of ten only."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Positions of the ticks, in powers of ten."""
        powers = range(math.floor(minVal), math.ceil(maxVal) + 1)
        ticks = [power + math.log10(factor) for power in powers for factor in (1, 2, 5)]
        return [(1.0, [tick for tick in ticks if minVal <= tick <= maxVal])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Names of the ticks."""
        return [f"{10**value:.2g}" for value in values]


class LossCurves(pg.PlotWidget):
    """One smoothed line a loss against the step; logarithmic, as losses span decades.

    The label `names` says which line is which.

    Parameters
    ----------
    theme
        Name of the napari theme whose colours to take.
    """

    def __init__(self, theme: str = "dark") -> None:
        super().__init__(axisItems={"left": DecadeAxis("left")})
        self._steps: dict[str, list[int]] = {}
        self._values: dict[str, list[float]] = {}
        self._lines: dict[str, pg.PlotDataItem] = {}
        self.setMinimumHeight(150)
        self.setMaximumHeight(220)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.setLogMode(y=True)
        self.setLabel("bottom", "step")
        self.setLabel("left", "loss")
        self.names = QLabel()
        self.names.setWordWrap(True)
        self.names.setMinimumHeight(36)
        self.setToolTip("Losses, smoothed over about ten steps; lower is better, adversarial losses go up and down.")
        self.take_colours(theme)

    def clear_curves(self) -> None:
        """Begin anew."""
        for line in self._lines.values():
            self.removeItem(line)
        self._steps, self._values, self._lines = {}, {}, {}
        self.names.setText("")

    def extend(self, points: Iterable[tuple[int, Mapping[str, float]]]) -> bool:
        """Add the losses of further steps and draw; True if there are new lines."""
        drawn = len(self._lines)
        for step, losses in points:
            for name, value in losses.items():
                if name in SHOWN:
                    values = self._values.setdefault(name, [])
                    before = values[-1] if values else value
                    self._steps.setdefault(name, []).append(step)
                    values.append(SMOOTHING * before + (1 - SMOOTHING) * value)
        for name, values in self._values.items():
            if name not in self._lines:
                pen = pg.mkPen(SHOWN[name], width=2)
                self._lines[name] = self.plot(pen=pen)
                self._name_lines()
            stride = max(1, len(values) // MOST_POINTS)
            self._lines[name].setData(
                np.array(self._steps[name][::stride]), np.maximum(np.array(values[::stride]), 1e-6)
            )
        return len(self._lines) > drawn

    def _name_lines(self) -> None:
        names = (
            f'<span style="color:{SHOWN[name]}">■</span>&nbsp;{name.replace("_", "&nbsp;")}' for name in self._lines
        )
        self.names.setText(" &nbsp; ".join(names))

    def sizeHint(self) -> QSize:
        """As wide as the form happens to be."""
        return QSize(200, 180)

    def take_colours(self, theme: str) -> None:
        """Take the colours of a napari theme."""
        colours = get_theme(theme)
        text: Any = colours.text.as_rgb_tuple()
        self.setBackground(colours.background.as_rgb_tuple())
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
