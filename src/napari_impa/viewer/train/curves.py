"""Losses and held-out scores as plots that grow while a model trains, however many steps there are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QCheckBox, QLabel

from napari_impa.engine.training.steps.terms import CURVES
from napari_impa.viewer.kit.live_plot import LivePlot
from napari_impa.viewer.kit.series import Series
from napari_impa.watch import Token

SCORE = ("#66ccee", "#004488")
BEST = ("#ddcc77", "#bb5500")

RIGHT_OR_LEFT = [(0, 0.5), (1, 0.5)]
ABOVE_OR_BELOW = [(1, 0), (1, 1)]
"""Where a label stands beside its line: on one side, or on the other where there is no room."""

SMOOTHING = 0.9
MOST_NAMES = 12
"""Conditions named below the scores, the best ones."""


class LossCurves(LivePlot):
    """One smoothed line a loss; a dashed one where the autoencoder's stage ends.

    The label `names` says which line is which.

    Parameters
    ----------
    theme
        Name of the napari theme whose colours to take.
    """

    def __init__(self, theme: str = "dark") -> None:
        super().__init__("loss", theme)
        self._series: dict[str, Series] = {}
        self._boundary: pg.InfiniteLine | None = None
        self._second_stage: float | None = None
        self.names = QLabel()
        self.names.setWordWrap(True)
        self.names.setMinimumHeight(36)
        self.setToolTip(
            "Losses, smoothed over about ten steps; lower is better, adversarial losses go up and down.\n"
            "Left of the dashed line the networks learn to give cells back, right of it to make them look treated."
        )
        self.take_colours(theme)
        self.clear_curves()

    @property
    def boundary(self) -> float | None:
        """The first step of the adversarial stage, once it has come after another."""
        first = self._series.get("reconstruction")
        return self._second_stage if first else None

    def clear_curves(self) -> None:
        """Begin anew."""
        for line in self._lines.values():
            self.removeItem(line)
        if self._boundary is not None:
            self.removeItem(self._boundary)
        self._series, self._lines, self._boundary, self._second_stage = {}, {}, None, None
        self.names.setText("")
        self.explain("Losses are drawn here while it trains.")

    def extend(self, points: Iterable[tuple[int, Mapping[str, float]]]) -> bool:
        """Add the losses of further steps and draw them soon; True if there are new lines."""
        drawn = len(self._series)
        for step, losses in points:
            for name, value in losses.items():
                if name in CURVES:
                    self._series.setdefault(name, Series(SMOOTHING)).append(step, value)
            if self._second_stage is None and "adversarial" in losses:
                self._second_stage = step
        if len(self._series) > drawn:
            self._add_lines()
        self.draw_soon()
        return len(self._series) > drawn

    def show_past(self, past: Past) -> None:
        """Show what a run that is resumed had already, before what it adds."""
        live, self._series = self._series, dict(past.losses)
        self._second_stage = self._second_stage if past.second_stage is None else past.second_stage
        for name, series in live.items():
            self._series.setdefault(name, Series()).join(series)
        self._add_lines()
        self.draw_soon()

    def draw(self) -> None:
        """Draw what has come since."""
        if self._lines:
            self.explain("")
        for name, line in self._lines.items():
            steps, values = self._series[name].points()
            line.setData(steps, np.maximum(values, 1e-6))
        if self.boundary is not None and self._boundary is None:
            pen = pg.mkPen(self.getAxis("left").textPen().color(), style=Qt.PenStyle.DashLine)
            label = {"color": self.getAxis("left").textPen().color(), "position": 0.93, "anchors": RIGHT_OR_LEFT}
            line = pg.InfiniteLine(self.boundary, angle=90, pen=pen, label="adversarial", labelOpts=label)
            self._boundary = self._mark(line)

    def take_colours(self, theme: str) -> None:
        """Take the colours of a napari theme."""
        super().take_colours(theme)
        for name, line in self._lines.items():
            line.setPen(self._pen(name))
        if self._boundary is not None:  # drawn anew in the other colour
            self.removeItem(self._boundary)
            self._boundary = None
            self.draw_soon()
        self._name_lines()

    def _add_lines(self) -> None:
        for name in CURVES:
            if name in self._series and name not in self._lines:
                self._lines[name] = self.plot(pen=self._pen(name))
        self._name_lines()

    def _pen(self, name: str) -> Any:
        return pg.mkPen(self._colour(CURVES[name].colours), width=2)

    def _name_lines(self) -> None:
        names = (
            f'<span style="color:{self._colour(term.colours)}">■</span>&nbsp;{term.title.replace(" ", "&nbsp;")}'
            for term in map(CURVES.__getitem__, self._lines)
        )
        self.names.setText("&nbsp;&nbsp; ".join(names))


class ScoreCurves(LivePlot):
    """The mean held-out score, with the level of untouched cells and the best step; tick `each` for every condition.

    Parameters
    ----------
    theme
        Name of the napari theme whose colours to take.
    """

    def __init__(self, theme: str = "dark") -> None:
        super().__init__("held-out score", theme)
        self._steps: list[int] = []
        self._scores: dict[str, list[float]] = {}
        self._thin: dict[str, pg.PlotDataItem] = {}
        self.each = QCheckBox("each condition")
        self.each.setToolTip("One thin line for each condition, named below with its newest score.")
        self.each.toggled.connect(self.draw)
        self.best, self.names = QLabel(), QLabel()
        self.names.setWordWrap(True)
        self._level = self._mark(
            pg.InfiniteLine(
                0, angle=0, label="cells left as they are", labelOpts={"position": 0.98, "anchors": ABOVE_OR_BELOW}
            )
        )
        self._mean = self.plot(symbol="o", symbolSize=5)
        self._star = self.plot(symbol="star", symbolSize=16, pen=None)
        self.setToolTip(
            "How far predicted cells are from real treated ones that the training never sees (Fréchet distance), over\n"
            "how far untouched control cells are: 1 is no better than leaving the cells as they are, 0 is perfect.\n"
            "The star is the best model so far, which is the one that is kept."
        )
        self.take_colours(theme)
        self.clear_curves()

    @property
    def best_step(self) -> tuple[int, float] | None:
        """Step and mean of the best score; None where there is none yet."""
        if not self._steps:
            return None
        means = self._means()
        at = int(np.argmin(means))
        return int(self._steps[at]), float(means[at])

    def clear_curves(self) -> None:
        """Begin anew."""
        for line in self._thin.values():
            self.removeItem(line)
        self._steps, self._scores, self._thin = [], {}, {}
        self.explain("Held-out scores come with the second stage.")
        self.draw()

    def extend(self, scores: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Add held-out scores of conditions at further steps; steps without scores are passed over."""
        for step, found in scores:
            if not found:
                continue
            for name in found.keys() - self._scores.keys():
                self._scores[name] = [math.nan] * len(self._steps)
            self._steps.append(step)
            for name, values in self._scores.items():
                values.append(found.get(name, math.nan))
        self.draw_soon()

    def show_past(self, past: Past) -> None:
        """Show what a run that is resumed had already, before what it adds."""
        live = list(zip(self._steps, zip(*self._scores.values(), strict=True), strict=True)) if self._steps else []
        names = tuple(self._scores)
        self._steps, self._scores = [], {}
        self.extend(past.scores)
        self.extend((step, dict(zip(names, values, strict=True))) for step, values in live)

    def draw(self) -> None:
        """Draw what has come since."""
        steps, best = np.array(self._steps), self.best_step
        self._mean.setData(steps, np.maximum(self._means(), 1e-4))
        self._star.setData(*([[value] for value in best] if best else ([], [])))
        self.best.setText(f"★ best {best[1]:.2f}, step {best[0]:,}" if best else "")
        self._level.setVisible(best is not None)
        self.each.setVisible(len(self._scores) > 1)
        if best:
            self.explain("")
        thin = self._scores if self.each.isChecked() else {}
        for name in self._thin.keys() - thin.keys():
            self.removeItem(self._thin.pop(name))
        for number, (name, values) in enumerate(thin.items()):
            if name not in self._thin:
                self._thin[name] = self.plot()
                self._thin[name].setZValue(-0.5)
            self._thin[name].setPen(pg.mkPen(self._hue(number), width=1))
            self._thin[name].setData(steps, np.maximum(values, 1e-4), connect="finite")
        self._name_lines()
        self._show_level()

    def take_colours(self, theme: str) -> None:
        """Take the colours of a napari theme."""
        super().take_colours(theme)
        text = self.getAxis("left").textPen().color()
        self._level.setPen(pg.mkPen(text, style=Qt.PenStyle.DashLine))
        self._level.label.setColor(text)
        self._mean.setPen(pg.mkPen(self._colour(SCORE), width=2))
        self._mean.setSymbolBrush(self._colour(SCORE))
        self._mean.setSymbolPen(None)
        self._star.setSymbolBrush(self._colour(BEST))
        self._star.setSymbolPen(pg.mkPen(self.palette().window().color()))
        self.draw_soon()

    def _hue(self, number: int) -> QColor:
        """A colour of its own for each condition, hues as far apart as they can be, dark on light and light on dark."""
        return QColor.fromHslF(0.618 * number % 1, 0.6, 0.35 if self._light else 0.7)

    def _name_lines(self) -> None:
        """Name the conditions, the best first, with their newest scores."""
        newest = {name: values[-1] for name, values in self._scores.items() if name in self._thin}
        colours = {name: self._hue(number).name() for number, name in enumerate(self._scores)}
        ranked = sorted(newest, key=lambda name: (math.isnan(newest[name]), newest[name]))
        texts = []
        for name in ranked[:MOST_NAMES]:
            named = escape(name).replace(" ", "&nbsp;")
            texts.append(f'<span style="color:{colours[name]}">■</span>&nbsp;{named}&nbsp;{newest[name]:.2f}')
        more = [f"and {len(ranked) - MOST_NAMES} more"] if len(ranked) > MOST_NAMES else []
        self.names.setText("&nbsp;&nbsp; ".join([*texts, *more]))

    def _means(self) -> NDArray[np.float64]:
        if not self._steps:
            return np.empty(0)
        return np.asarray(np.nanmean(np.array(list(self._scores.values())), axis=0))

    def _show_level(self) -> None:
        """Let the axis take in the level of untouched cells and all scores."""
        if not self._steps:
            return
        shown = [self._means(), *(self._scores.values() if self.each.isChecked() else ())]
        values = np.log10(np.maximum(np.concatenate([*shown, [1.0]]), 1e-4))
        low, high = np.nanmin(values), np.nanmax(values)
        room = 0.12 * max(high - low, 0.3)
        self.setYRange(low - room, high + room, padding=0)


@dataclass(frozen=True, eq=False)
class Past:
    """What a run had recorded before it is resumed; empty where it is new.

    Parameters
    ----------
    losses
        The lines of the losses shown, by name.
    second_stage
        The first step of the adversarial stage.
    scores
        Steps and held-out scores by condition.
    """

    losses: Mapping[str, Series]
    second_stage: int | None
    scores: Sequence[tuple[int, Mapping[str, float]]]


def read_past(token: Token, folder: Path) -> Past:
    """Read the curves of a run folder, from `history.csv` and `scores.csv`; for a background job.

    Raises
    ------
    TrainingError
        If a file holds something else.
    """
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.errors import TrainingError

    run, losses, second = Run(folder), dict[str, Series](), None
    try:
        history, scores = run.history, run.scores.drop(columns=["seconds", "mean"], errors="ignore")
        for name in CURVES:
            token.check()
            rows = history[["step", name]].dropna() if name in history else history[:0]
            if len(rows):
                losses[name] = Series(SMOOTHING)
                losses[name].extend(rows["step"], rows[name])
        if "adversarial" in losses:
            second = int(history["step"][history["adversarial"].notna()].iloc[0])
        found = [(int(row["step"]), row.drop("step").dropna().to_dict()) for _, row in scores.iterrows()]
    except (ValueError, KeyError, OSError) as error:
        raise TrainingError(f"The curves of {folder} cannot be read ({error}); it is resumed without them.") from error
    return Past(losses, second, found)
