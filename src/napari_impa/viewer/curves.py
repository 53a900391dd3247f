"""Loss curves that grow while a model trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyqtgraph as pg
from qtpy.QtGui import QPalette

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


class LossCurves(pg.PlotWidget):
    """One smoothed line a loss against the step; logarithmic, as losses span decades."""

    def __init__(self) -> None:
        super().__init__()
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
        self.legend = self.addLegend(offset=(-4, 4), labelTextSize="8pt", verSpacing=-6)
        self.setToolTip("Losses, smoothed over about ten steps; lower is better, adversarial losses go up and down.")
        self._take_colours()

    def clear_curves(self) -> None:
        """Begin anew."""
        for line in self._lines.values():
            self.removeItem(line)
        self._steps, self._values, self._lines = {}, {}, {}

    def extend(self, points: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Add the losses of further steps and draw."""
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
                self._lines[name] = self.plot(pen=pen, name=name.replace("_", " "))
            stride = max(1, len(values) // MOST_POINTS)
            self._lines[name].setData(
                np.array(self._steps[name][::stride]), np.maximum(np.array(values[::stride]), 1e-6)
            )

    def _take_colours(self) -> None:
        """Follow the window's theme."""
        palette = self.palette()
        text = palette.color(QPalette.ColorRole.WindowText)
        self.setBackground(palette.color(QPalette.ColorRole.Window))
        self.legend.setLabelTextColor(text)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
