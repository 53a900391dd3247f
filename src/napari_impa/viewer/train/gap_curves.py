"""The gap between control and real cells that a model closes, as a plot that grows while it trains."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QCheckBox, QLabel

from napari_impa.viewer.kit.live_plot import LivePlot
from napari_impa.viewer.kit.texts import joined, rich, unbroken
from napari_impa.viewer.train.curves import Past

GAP = ("#66ccee", "#004488")
BEST = ("#ddcc77", "#bb5500")

ABOVE_RIGHT, BELOW_LEFT = {"position": 0.98, "anchors": [(1, 1)] * 2}, {"position": 0.02, "anchors": [(0, 0), (0, 1)]}
"""Where labels of the two lines stand, so that the curve, which rises between them, leaves them free: above the lower
one on the right, below the upper one on the left, or above it where it is itself low."""

LOWEST = -1.0
"""As far as the axis opens downwards; what is lower still, as at first it may be, is drawn there."""

MOST_NAMES = 12
"""Conditions named below the plot, the best ones."""


class GapCurves(LivePlot):
    """The mean gap closed between untouched and real cells, both lines, and the best step; tick `each` for conditions.

    Parameters
    ----------
    theme
        Name of the napari theme whose colours to take.

    Attributes
    ----------
    floor
        Gap that other real cells close; NaN where that is not known.
    """

    def __init__(self, theme: str = "dark") -> None:
        super().__init__("gap closed", theme, logarithmic=False)
        self._steps: list[int] = []
        self._gaps: dict[str, list[float]] = {}
        self._thin: dict[str, pg.PlotDataItem] = {}
        self.floor = math.nan
        self.each = QCheckBox("each condition")
        self.each.setToolTip("One thin line for each condition, named below with its newest gap.")
        self.each.toggled.connect(self.draw)
        self.best, self.names = QLabel(), QLabel()
        self.names.setWordWrap(True)
        self._control = self._level("cells left as they are", ABOVE_RIGHT)
        self._real = self._level("", BELOW_LEFT)
        self._mean = self.plot(symbol="o", symbolSize=5, connect="finite")
        self._star = self.plot(symbol="star", symbolSize=16, pen=None)
        self.setToolTip(
            "How much of the way from the control to real treated cells, which the training never sees, predicted\n"
            "cells go: 0 is no better than leaving the cells as they are, 1 is as real cells; below 0 they are\n"
            "farther away than before. Other real cells do not reach 1 either, as no two plates are alike: their line\n"
            "is as much as can be had. The star is the best model so far, which is the one that is kept."
        )
        self.take_colours(theme)
        self.clear_curves()

    @property
    def best_step(self) -> tuple[int, float] | None:
        """Step and mean of the widest gap closed; None where there is none yet."""
        means = self._means()
        if not np.isfinite(means).any():
            return None
        at = int(np.nanargmax(means))
        return int(self._steps[at]), float(means[at])

    def clear_curves(self) -> None:
        """Begin anew."""
        for line in self._thin.values():
            self.removeItem(line)
        self._steps, self._gaps, self._thin = [], {}, {}
        self.floor = math.nan
        self.explain("The gap closed is measured in the second stage.")
        self.draw()

    def set_floor(self, floor: float) -> None:
        """Draw the line of other real cells; NaN draws none."""
        self.floor = floor
        self.draw_soon()

    def extend(self, gaps: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Add gaps closed of conditions at further steps; steps without any are passed over."""
        for step, found in gaps:
            if not found:
                continue
            for name in found.keys() - self._gaps.keys():
                self._gaps[name] = [math.nan] * len(self._steps)
            self._steps.append(step)
            for name, values in self._gaps.items():
                values.append(found.get(name, math.nan))
        self.draw_soon()

    def show_past(self, past: Past) -> None:
        """Show what a run that is resumed had already, before what it adds."""
        live = list(zip(self._steps, zip(*self._gaps.values(), strict=True), strict=True)) if self._steps else []
        names = tuple(self._gaps)
        self._steps, self._gaps = [], {}
        self.extend(past.gaps)
        self.extend((step, dict(zip(names, values, strict=True))) for step, values in live)

    def draw(self) -> None:
        """Draw what has come since."""
        steps, best = np.array(self._steps), self.best_step
        self._mean.setData(steps, _in_sight(self._means()))
        self._star.setData(*([[best[0]], _in_sight([best[1]])] if best else ([], [])))
        self.best.setText(f"★ best {best[1]:.2f}, step {best[0]:,}" if best else "")
        self._show_levels()
        self.each.setVisible(len(self._gaps) > 1)
        if self._steps:
            self.explain("")
        thin = self._gaps if self.each.isChecked() else {}
        for name in self._thin.keys() - thin.keys():
            self.removeItem(self._thin.pop(name))
        for number, (name, values) in enumerate(thin.items()):
            if name not in self._thin:
                self._thin[name] = self.plot()
                self._thin[name].setZValue(-0.5)
            self._thin[name].setPen(pg.mkPen(self._hue(number), width=1))
            self._thin[name].setData(steps, _in_sight(values), connect="finite")
        self._name_lines()
        self._open_axis()

    def take_colours(self, theme: str) -> None:
        """Take the colours of a napari theme."""
        super().take_colours(theme)
        text = self.getAxis("left").textPen().color()
        for level in (self._control, self._real):
            level.setPen(pg.mkPen(text, style=Qt.PenStyle.DashLine))
            level.label.setColor(text)
        self._mean.setPen(pg.mkPen(self._colour(GAP), width=2))
        self._mean.setSymbolBrush(self._colour(GAP))
        self._mean.setSymbolPen(None)
        self._star.setSymbolBrush(self._colour(BEST))
        self._star.setSymbolPen(pg.mkPen(self.palette().window().color()))
        self.draw_soon()

    def _level(self, label: str, where: Mapping[str, Any]) -> pg.InfiniteLine:
        return self._mark(pg.InfiniteLine(0, angle=0, label=label, labelOpts=dict(where)))

    def _show_levels(self) -> None:
        """Show how far other real cells come, once there is something to compare with that."""
        self._control.setVisible(bool(self._steps))
        known = math.isfinite(self.floor)
        self._real.setVisible(bool(self._steps) and known)
        if known:
            self._real.setValue(self.floor)
            self._real.label.setFormat(f"other real cells: {self.floor:.2f}")

    def _hue(self, number: int) -> QColor:
        """A colour of its own for each condition, hues as far apart as they can be, dark on light and light on dark."""
        return QColor.fromHslF(0.618 * number % 1, 0.6, 0.35 if self._light else 0.7)

    def _name_lines(self) -> None:
        """Name the conditions, the best first, with their newest gaps."""
        newest = {name: values[-1] for name, values in self._gaps.items() if name in self._thin}
        colours = {name: self._hue(number).name() for number, name in enumerate(self._gaps)}
        ranked = sorted(newest, key=lambda name: (math.isnan(newest[name]), -newest[name]))
        texts = []
        for name in ranked[:MOST_NAMES]:
            gap = "–" if math.isnan(newest[name]) else f"{newest[name]:.2f}"
            sign = '<span style="color:{}">■</span>&nbsp;{}&nbsp;{}'
            texts.append(rich(sign, colours[name], unbroken(name), gap))
        more = [rich("and {} more", len(ranked) - MOST_NAMES)] if len(ranked) > MOST_NAMES else []
        self.names.setText(joined("&nbsp;&nbsp; ", [*texts, *more]))

    def _means(self) -> NDArray[np.float64]:
        if not self._steps:
            return np.empty(0)
        with warnings.catch_warnings():  # of a step at which no condition could be scored
            warnings.simplefilter("ignore", RuntimeWarning)
            return np.asarray(np.nanmean(np.array(list(self._gaps.values())), axis=0))

    def _open_axis(self) -> None:
        """Let the axis take in both levels, and go down as far as the gaps do."""
        shown = [self._means(), *(self._gaps.values() if self.each.isChecked() else ())]
        low = np.nanmin(_in_sight(np.concatenate([*shown, [0.0]])))
        room = 0.06 * (1 - low)
        self.setYRange(low - room, 1 + room, padding=0)


def _in_sight(gaps: ArrayLike) -> NDArray[np.float64]:
    kept: NDArray[np.float64] = np.maximum(np.asarray(gaps, float), LOWEST)
    return kept
