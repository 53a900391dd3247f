"""What the Train dock does in the background, without its form: ask the engine, look at a folder, train, steer."""

from __future__ import annotations

import gc
import io
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from napari.utils import progress
from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal

from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.cells.source import SourceKind
from napari_impa.engine.steering import Steering
from napari_impa.engine.training.events import TrainingEvent
from napari_impa.errors import TrainingError
from napari_impa.viewer.kit.jobs import Failure, Job, Latest, as_job, notify
from napari_impa.viewer.kit.texts import plain
from napari_impa.viewer.library.settings import read_settings
from napari_impa.watch import Progress, Token
from napari_impa.work.engine_choices import ask_engine
from napari_impa.work.survey import look
from napari_impa.work.training_outcome import Trained, TrainingStart
from napari_impa.work.training_plan import Plan

READY, STARTING, CROPPING, TRAINING, PAUSED, STOPPING = (
    "ready", "starting", "cropping", "training", "paused", "stopping",
)  # fmt: skip
"""States of a session. From `ready` to `starting`; `cropping` where cells are cut first; `training` and `paused` in
turns; `stopping` from wherever it is stopped until it has ended and is `ready` again."""

PARTS = 1000
"""Of the bar in napari's activity dock."""

REPORT_EVERY = 0.1
"""Seconds between reports, so that a fast GPU does not flood the window."""


@dataclass(frozen=True, eq=False)
class Advance:
    """How far a training is: its newest event, with the losses of all steps since the one that was told before."""

    event: TrainingEvent
    points: list[tuple[int, Mapping[str, float]]]


def train(token: Token, plan: Plan, steering: Steering) -> Trained:
    """Train in the background; sends `Progress` while cells are cut, then `TrainingStart`, then `Advance`s.

    Raises
    ------
    ImpaError, CancelledError
        As `Training`.
    """
    from napari_impa.work.training import Training

    training = Training(plan, watch=token, steering=steering)
    token.send(training.start)
    waiting: list[tuple[int, Mapping[str, float]]] = []
    told = 0.0
    for event in training:
        if event.losses:
            waiting.append((event.step, event.losses))
        worth_it = event.message or event.finished or event.paused or event.gaps or event.samples is not None
        if worth_it or time.monotonic() - told > REPORT_EVERY:
            token.send(Advance(event, waiting))
            waiting, told = [], time.monotonic()
    return training.outcome


class TrainingSession(QObject):
    """One training at a time in the whole application, in the background, and looking at folders before it.

    Signals
    -------
    engine_known
        `Engine`.
    looked
        `Looked`, or None where a folder could not be looked at; why is told by `failed` then.
    reported
        As by `train`: `Progress`, `TrainingStart` or `Advance`.
    ended
        `Trained`, `Failure`, or None where it was stopped before the first step or left at once.
    failed
        `Failure` of anything but the training.
    state_changed
        The state's name.
    """

    engine_known = Signal(object)
    looked = Signal(object)
    reported = Signal(object)
    ended = Signal(object)
    failed = Signal(object)
    state_changed = Signal(str)

    current: ClassVar[TrainingSession | None] = None
    """The session that trains now, in whichever viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self.state = READY
        self.step = 0
        self._steering: Steering | None = None
        self._activity: progress | None = None
        self._quiet = False
        self._asking, self._looking = Latest(self), Latest(self)
        self._asking.succeeded.connect(self.engine_known)
        self._looking.succeeded.connect(self.looked)
        self._looking.failed.connect(self._on_not_looked)
        for latest in (self._asking, self._looking):
            latest.failed.connect(self.failed)
        self._asking.submit(as_job(ask_engine))

    @property
    def busy(self) -> bool:
        """Whether a training is under way, or paused."""
        return self.job is not None

    def look(self, path: Path, task: str, kind: SourceKind | None = None, choice: LayoutChoice = AS_FOUND) -> None:
        """Look at a folder."""
        self._looking.submit(as_job(look), path, task, kind, choice)

    # ---- steering ---------------------------------------------------------------------------------------------------

    def start(self, plan: Plan) -> None:
        """Start a training, or resume the one in the plan's folder.

        Raises
        ------
        TrainingError
            If a training is going on already, here or in another window.
        """
        if TrainingSession.current is not None:
            raise TrainingError(
                "A training is going on already; one at a time is trained here: wait for its end, or stop it."
            )
        TrainingSession.current = self
        self._quiet, self.step = False, 0
        self._steering = Steering()
        self._activity = progress(total=PARTS, desc=f"Training {plan.folder.name}", file=_Nowhere())
        self.job = Job(train, replace(plan, cache=read_settings().cache), self._steering)
        self.job.reported.connect(self._on_report)
        self.job.succeeded.connect(self._end)
        self.job.failed.connect(self._end)
        self.job.cancelled.connect(self._end)
        self._set_state(STARTING)
        self.job.start()

    def pause(self) -> None:
        """Pause after the step that is being made; `paused` is the state when it has been saved."""
        if self._steering is not None:
            self._steering.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        if self._steering is not None:
            self._steering.go_on()
        if self.state == PAUSED:
            self._set_state(TRAINING)

    def stop(self) -> None:
        """Stop the training after its step, keeping its best model, and whatever else is under way; also twice."""
        self._leave(at_once=False)

    def abandon(self) -> None:
        """Leave within a second, as the window closes, and say nothing any more; the run can be resumed."""
        self._quiet = True
        self._leave(at_once=True)

    def _leave(self, *, at_once: bool) -> None:
        self._asking.cancel()
        self._looking.cancel()
        if self.job is None or self._steering is None:
            return
        self.job.cancel()
        self._steering.abandon() if at_once else self._steering.stop()
        if at_once:
            self._close_activity()
        self._set_state(STOPPING)

    def _on_not_looked(self, failure: Failure) -> None:
        self.looked.emit(None)

    # ---- what comes back --------------------------------------------------------------------------------------------

    def _on_report(self, report: Any) -> None:
        if isinstance(report, Progress):
            self._go_to(CROPPING)
            done, text = report.done / max(1, report.of), "Finding cells"
        elif isinstance(report, TrainingStart):
            self.step = report.steps_done
            self._go_to(TRAINING)
            done, text = 0.0, "Training"
        elif report.event.paused:
            self.step = report.event.step
            if self._steering is not None and self._steering.paused:  # it may go on again by now
                self._go_to(PAUSED)
            self.reported.emit(report)
            return
        else:
            self.step = report.event.step
            self._go_to(TRAINING)
            done, text = report.event.progress, f"Training · step {self.step:,}"
        self.reported.emit(report)
        self._show(done, text)  # last: napari handles other events meanwhile, and the training's end may be among them

    def _end(self, outcome: Trained | Failure | None = None) -> None:
        self.job = self._steering = None
        TrainingSession.current = None
        self._close_activity()
        give_memory_back()
        self._set_state(READY)
        if not self._quiet and isinstance(outcome, Trained):
            show_info(plain(outcome.message))
        elif not self._quiet and isinstance(outcome, Failure):
            notify(outcome)
        self.ended.emit(outcome)

    def _go_to(self, state: str) -> None:
        if self.state != STOPPING:
            self._set_state(state)

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.state_changed.emit(state)

    # ---- napari's activity dock -------------------------------------------------------------------------------------

    def _show(self, done: float, text: str) -> None:
        bar = self._activity
        if bar is None:
            return
        if bar.desc != f"{text}: ":
            bar.set_description(text)
        steps = round(PARTS * done) - bar.n
        if steps:
            bar.update(steps)

    def _close_activity(self) -> None:
        bar, self._activity = self._activity, None
        if bar is not None:
            bar.close()


class _Nowhere(io.TextIOBase):
    """Where the text of a progress bar goes that is shown in the window."""

    def write(self, text: str) -> int:
        return len(text)


def give_memory_back() -> None:
    """Free what a training left behind, and let the GPU have the memory that torch keeps for later.

    In the main thread, as garbage may hold widgets, which only that thread may delete.
    """
    gc.collect()
    if "torch" not in sys.modules:
        return
    import torch

    from napari_impa.engine.device import release_memory

    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        release_memory(torch.device("cuda"))
    elif torch.backends.mps.is_available():
        release_memory(torch.device("mps"))
