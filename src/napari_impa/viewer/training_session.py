"""What the Train dock does in the background, without its form: ask the engine, look at a folder, train."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_impa.cells.source import Kind
from napari_impa.viewer.jobs import Failure, Job, Latest
from napari_impa.viewer.looking import ask_engine, look
from napari_impa.viewer.training_job import Plan, Trained, train_plan


class TrainingSession(QObject):
    """One training at a time in the background, and looking at folders before it.

    Signals
    -------
    engine_known, looked
        `Engine`; `Looked`.
    reported
        `Cropping`, `Started` or `Progress`.
    ended
        `Trained`, `Failure`, or None where it was stopped before the first step.
    failed
        `Failure` of anything but the training.
    """

    engine_known = Signal(object)
    looked = Signal(object)
    reported = Signal(object)
    ended = Signal(object)
    failed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self._asking, self._looking = Latest(self), Latest(self)
        self._asking.succeeded.connect(self.engine_known)
        self._looking.succeeded.connect(self.looked)
        for latest in (self._asking, self._looking):
            latest.failed.connect(self.failed)
        self._asking.submit(ask_engine)

    def look(self, path: Path, task: str, kind: Kind | None = None) -> None:
        """Look at a folder."""
        self._looking.submit(look, path, task, kind)

    def start(self, plan: Plan) -> None:
        """Start a training."""
        assert self.job is None
        self.job = Job(train_plan, plan)
        self.job.reported.connect(self.reported)
        self.job.succeeded.connect(self._end)
        self.job.failed.connect(self._end)
        self.job.cancelled.connect(lambda: self._end(None))
        self.job.start()

    def stop(self) -> None:
        """Stop the training at its next step, and whatever else is under way; may be called twice."""
        self._asking.cancel()
        self._looking.cancel()
        if self.job is not None:
            self.job.cancel()

    def _end(self, outcome: Trained | Failure | None) -> None:
        self.job = None
        self.ended.emit(outcome)
