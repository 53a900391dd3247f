"""A button that starts a job in the background, shows how far it is, and stops it when it is pressed again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_impa.viewer.kit.jobs import Latest
from napari_impa.viewer.kit.texts import plain
from napari_impa.watch import Progress


class JobButton(QWidget):
    """A button over a bar that is there only while the job runs.

    Parameters
    ----------
    text, stop
        What the button says while nothing runs, and while the job does.
    tip
        Its tooltip.

    Signals
    -------
    asked
        Pressed while nothing runs: whoever hears it calls `start`.
    succeeded, failed
        The job's result, or its `Failure`.
    stopped
        It was stopped by the button, and has ended.
    """

    asked = Signal()
    succeeded = Signal(object)
    failed = Signal(object)
    stopped = Signal()

    def __init__(self, text: str, *, stop: str, tip: str = "") -> None:
        super().__init__()
        self._texts, self._allowed = (text, stop), True
        self.button = QPushButton(text)
        self.button.setToolTip(plain(tip))
        self.button.clicked.connect(self._on_click)
        self.bar = QProgressBar()
        self.bar.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addWidget(self.bar)
        self._stopping = False
        self._job = Latest(self)
        self._job.reported.connect(self._on_report)
        self._job.succeeded.connect(self.succeeded)
        self._job.failed.connect(self.failed)
        self._job.idle.connect(self._on_idle)

    @property
    def running(self) -> bool:
        """Whether the job runs, or has been stopped and is about to end."""
        return self._job.busy

    def allow(self, allowed: bool) -> None:
        """Whether the job may be started; it can always be stopped."""
        self._allowed = allowed
        self._follow()

    def say(self, text: str) -> None:
        """What the button says while nothing runs."""
        self._texts = (text, self._texts[1])
        self._follow()

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Run `function(token, *args)` in the background."""
        self._stopping = False
        self.bar.setRange(0, 0)
        self.bar.setFormat("")
        self._job.submit(function, *args)
        self._follow()

    def cancel(self) -> None:
        """Stop the job, whose result is dropped."""
        self._stopping = self.running
        self._job.cancel()
        self._follow()

    def _on_click(self) -> None:
        if self.running:
            self.cancel()
        else:
            self.asked.emit()

    def _on_report(self, report: object) -> None:
        if isinstance(report, Progress):
            self.bar.setRange(0, report.of)
            self.bar.setValue(report.done)
            self.bar.setFormat(re.sub("%(?=[pvm])", "%\u200b", report.what))  # a condition is no format
            self.bar.setToolTip(plain(report.what))

    def _on_idle(self) -> None:
        stopped, self._stopping = self._stopping, False
        self._follow()
        if stopped:
            self.stopped.emit()

    def _follow(self) -> None:
        running = self.running
        self.bar.setVisible(running)
        self.button.setText("Stopping …" if self._stopping else self._texts[running])
        self.button.setEnabled(not self._stopping if running else self._allowed)
