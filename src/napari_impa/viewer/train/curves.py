"""Losses as a plot that grows while a model trains, however many steps there are; and what a run had before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_impa.engine.training.steps.terms import CURVES
from napari_impa.viewer.kit.live_plot import LivePlot
from napari_impa.viewer.kit.series import Series
from napari_impa.viewer.kit.texts import joined, rich, unbroken
from napari_impa.watch import Token

RIGHT_OR_LEFT = [(0, 0.5), (1, 0.5)]
"""Where a label stands beside its line: on one side, or on the other where there is no room."""

SMOOTHING = 0.9


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
        sign = '<span style="color:{}">■</span>&nbsp;{}'
        names = [
            rich(sign, self._colour(term.colours), unbroken(term.title))
            for term in map(CURVES.__getitem__, self._lines)
        ]
        self.names.setText(joined("&nbsp;&nbsp; ", names))


@dataclass(frozen=True, eq=False)
class Past:
    """What a run had recorded before it is resumed; empty where it is new.

    Parameters
    ----------
    losses
        The lines of the losses shown, by name.
    second_stage
        The first step of the adversarial stage.
    gaps
        Steps and gaps closed by condition.
    """

    losses: Mapping[str, Series]
    second_stage: int | None
    gaps: Sequence[tuple[int, Mapping[str, float]]]


def read_past(token: Token, folder: Path) -> Past:
    """Read the curves of a run folder, from its tables of losses and gaps; for a background job.

    Raises
    ------
    TrainingError
        If a file holds something else.
    """
    from napari_impa.engine.training.run_folder.run import Run
    from napari_impa.errors import TrainingError

    run, losses, second = Run(folder), dict[str, Series](), None
    try:
        history, gaps = run.history, run.gaps.drop(columns=["seconds", "mean"], errors="ignore")
        for name in CURVES:
            token.check()
            rows = history[["step", name]].dropna() if name in history else history[:0]
            if len(rows):
                losses[name] = Series(SMOOTHING)
                losses[name].extend(rows["step"], rows[name])
        if "adversarial" in losses:
            second = int(history["step"][history["adversarial"].notna()].iloc[0])
        found = [(int(row["step"]), row.drop("step").dropna().to_dict()) for _, row in gaps.iterrows()]
    except (ValueError, KeyError, OSError) as error:
        raise TrainingError(f"The curves of {folder} cannot be read ({error}); it is resumed without them.") from error
    return Past(losses, second, found)
