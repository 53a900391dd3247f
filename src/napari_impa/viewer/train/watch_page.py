"""The Train dock's second page: losses, the gap closed and a preview while a model trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLabel, QPushButton

from napari_impa.viewer.kit.forms import Page, beside
from napari_impa.viewer.kit.jobs import Latest
from napari_impa.viewer.kit.texts import breakable, plain
from napari_impa.viewer.train.curves import LossCurves, Past, read_past
from napari_impa.viewer.train.gap_curves import GapCurves
from napari_impa.viewer.train.preview import Preview
from napari_impa.viewer.train.session import Advance
from napari_impa.work.training_outcome import TrainingStart

if TYPE_CHECKING:
    import napari


class WatchPage(Page):
    """Two live plots and a preview layer.

    Attributes
    ----------
    stops
        What ends the work in the background, without touching a widget.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.preview: Preview | None = None
        self._folder: Path | None = None
        self._started: TrainingStart | None = None
        self._past = Latest()
        self._past.succeeded.connect(self._show_past)
        self.stops: list[Callable[[], None]] = [self._past.cancel]
        theme = str(viewer.theme)
        self._about = "Nothing was trained here yet."
        self.about = QLabel(plain(self._about))
        self.about.setWordWrap(True)
        self.curves, self.gaps = LossCurves(theme), GapCurves(theme)
        self.show_preview = QPushButton("Show preview")
        self.show_preview.setToolTip("Move the camera to the preview layer: control, predicted and real cells.")
        self.show_preview.clicked.connect(self._look_at_preview)
        self.show_preview.setEnabled(False)
        for widget in (self.about, self.curves, self.curves.names, self.gaps, self.gaps.names):
            self.form.addRow(widget)
        self.form.addRow(beside(self.gaps.best, self.gaps.each))
        self.form.addRow(self.show_preview)
        viewer.events.theme.connect(self._on_theme)

    def begin(self, folder: Path) -> None:
        """Clear the plots for the training in a run folder, and show what it had recorded before."""
        self.curves.clear_curves()
        self.gaps.clear_curves()
        self._past.submit(read_past, folder)
        self._say("")
        self._folder = folder

    def started(self, report: TrainingStart) -> None:
        """Say what is trained on and on what device."""
        self._say(f"{report.cells:,} cells · {report.device}\n{report.kept}")
        self._started = report
        self._label_gaps(report)
        before = None
        if self.preview is not None:
            self.preview.composing.cancel()
            before = self.preview.layer if self.preview.shown else None
        self.preview = Preview(self.viewer, report.channels, report.pixel_size, replaces=before)
        self.show_preview.setEnabled(False)
        self.stops[1:] = [self.preview.composing.cancel]

    def follow(self, report: Advance) -> None:
        """Draw what has come."""
        event = report.event
        if event.message and not event.finished:
            self._go_back(event.message)
            return
        self.curves.extend(report.points)
        self.gaps.extend([(event.step, event.gaps)])
        if event.samples is not None and self.preview is not None:
            self.preview.draw(event.samples, event.step)
            self.show_preview.setEnabled(True)

    def _go_back(self, message: str) -> None:
        """Say why the training went back, and draw what is left of it."""
        self._say(f"{self._about}\n⚠ {message}")
        self.curves.clear_curves()
        self.gaps.clear_curves()
        if self._started is not None:
            self._label_gaps(self._started)
        if self._folder is not None:
            self._past.submit(read_past, self._folder)

    def _say(self, text: str) -> None:
        self._about = text
        self.about.setText(breakable(text))

    def _label_gaps(self, report: TrainingStart) -> None:
        self.gaps.set_floor(report.floor)
        if not report.scored:
            self.gaps.explain("Not measured, as is said above.")

    def _show_past(self, past: Past) -> None:
        self.curves.show_past(past)
        self.gaps.show_past(past)

    def _look_at_preview(self) -> None:
        if self.preview is not None:
            self.preview.look_at()

    def _on_theme(self, event: Any) -> None:
        for plot in (self.curves, self.gaps):
            plot.take_colours(str(event.value))
