"""The Train dock: a labelled folder in, a model out, without leaving the viewer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from qtpy.QtWidgets import QProgressBar, QPushButton, QTabWidget, QWidget

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.errors import ImpaError
from napari_impa.viewer.kit.docks import Dock
from napari_impa.viewer.kit.forms import Page, below, beside
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job, notify
from napari_impa.viewer.kit.problem import Problem
from napari_impa.viewer.layers.as_layers import cells_layers
from napari_impa.viewer.layers.sources import is_source
from napari_impa.viewer.library.models import remember
from napari_impa.viewer.train.close_guard import CloseGuard
from napari_impa.viewer.train.plate.reading_box import in_dock
from napari_impa.viewer.train.runs_page import RunsList
from napari_impa.viewer.train.session import PAUSED, READY, STOPPING, TRAINING, Advance, TrainingSession
from napari_impa.viewer.train.setup.setup_page import SetupPage
from napari_impa.viewer.train.watch_page import WatchPage
from napari_impa.watch import Progress
from napari_impa.work.engine_choices import Engine
from napari_impa.work.survey import Looked
from napari_impa.work.training_outcome import Trained, TrainingStart
from napari_impa.work.training_plan import Plan, plan_of
from napari_impa.work.trial_cells import ToTry, cells_to_try, of_run

if TYPE_CHECKING:
    import napari

STAGES = {"autoencoder": "learning to draw cells", "adversarial": "learning what conditions do"}


class TrainDock(Dock):
    """A form over `TrainingSession`: choose a folder, start, watch, and use the model."""

    title = "Train on a folder"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.viewer = napari_viewer
        self.session = session = TrainingSession()
        self._opening = Latest()
        self._stops: list[Sequence[Callable[[], None]]] = [[self._opening.cancel]]
        super().__init__(on_close=self._on_close, on_viewer_closed=_leaving(session.abandon, self._stops))
        self._trained: Trained | None = None
        self._closed = False
        self._estimate = ""
        self._missing: Failure | None = None
        self._build()
        self._guard = CloseGuard(napari_viewer, self, session)
        self._stops += [self.setup.stops, self.watch.stops, [self.runs.close_jobs]]
        session.engine_known.connect(self._on_engine)
        session.looked.connect(self._on_looked)
        session.reported.connect(self._on_report)
        session.ended.connect(self._on_ended)
        session.failed.connect(self._on_failed)
        session.state_changed.connect(self._follow_state)
        self._opening.succeeded.connect(self._on_to_try)
        self._opening.failed.connect(self._on_failed)
        self.status.busy("Starting torch …")
        self._follow_state()

    def _build(self) -> None:
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.setup, self.watch, runs = SetupPage(self.viewer), WatchPage(self.viewer), Page()
        self.runs = RunsList()
        runs.form.addRow(self.runs)
        for page, name, tip in (
            (self.setup, "Set up", "What is trained on, and how."),
            (self.watch, "Watch", "How the training goes."),
            (runs, "Runs", "Trainings of this folder, and lately of others: how good, and going on with them."),
        ):
            self.pages.setTabToolTip(self.pages.addTab(page, name), tip)
        self.layout().addWidget(self.pages, 1)
        self.layout().addWidget(self._foot())
        self.setup.changed.connect(self._follow_state)
        self.setup.changed.connect(self._forget_what_was_missing)
        self.setup.look_asked.connect(self._look)
        self.setup.estimator.said.connect(self._on_estimate)
        self.setup.failed.connect(self._on_failed)
        self.pages.currentChanged.connect(self._on_page)
        self.runs.resume_asked.connect(self.resume)
        self.runs.again_asked.connect(self._train_again)
        self.runs.go_on_from_asked.connect(self._go_on_from)
        self.runs.use_asked.connect(lambda folder: self._opening.submit(as_job(of_run), folder))

    def _on_page(self, index: int) -> None:
        if self.pages.tabText(index) == "Runs":
            self.runs.refresh()

    def _foot(self) -> QWidget:
        """Buttons, progress and status, which stay in sight on every page."""
        self.start = QPushButton("Start")
        self.start.setToolTip("Train in the background; Stop keeps the best model so far, and Resume goes on.")
        self.start.clicked.connect(self._on_start)
        self.pause = QPushButton("Pause")
        self.pause.setToolTip("Wait after this step, saved, with the computer free for other things; then continue.")
        self.pause.clicked.connect(self._on_pause)
        self.use = QPushButton("Use in Perturb")
        self.use.setToolTip("Open the Perturb dock with the trained model.")
        self.use.clicked.connect(self.use_in_perturb)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setFormat("")
        self.problem = Problem()
        foot = below(beside(self.start, self.pause, self.use), self.progress, self.status, self.problem)
        foot.layout().setContentsMargins(8, 6, 8, 6)
        return foot

    @property
    def state(self) -> str:
        """The session's state."""
        return self.session.state

    # ---- the folder -------------------------------------------------------------------------------------------------

    def _on_engine(self, engine: Engine) -> None:
        self.status.rest()
        self.setup.fill(engine)

    def _look(self, path: Path, task: str, kind: Any, choice: LayoutChoice) -> None:
        self.problem.clear()
        self.status.busy("Looking at the folder …")
        self.session.look(path, task, kind, choice)

    def _on_looked(self, looked: Looked | None) -> None:
        self.status.rest()
        if not self.setup.source.is_folder:  # layers were chosen meanwhile
            return
        if self.state == READY:
            self.status.say("")
            self.problem.clear()
        self.setup.show_looked(looked)
        if looked is not None:
            self.runs.show_folder(looked.source.path.resolve().parent)

    def _on_estimate(self, text: str, tip: str) -> None:
        """Say beside Start, too, how long it would take, but not over how the last training ended."""
        line = text.partition("\n")[0]
        if self.state == READY and (self.pages.currentWidget() is self.setup or self.status.said == self._estimate):
            self.status.say(line)
        self._estimate = line

    # ---- the training -----------------------------------------------------------------------------------------------

    def _on_start(self) -> None:
        if self.state != READY:
            self.session.stop()
            return
        try:
            plan = self.setup.plan()
        except ImpaError as error:
            self._on_failed(Failure(str(error), ""))
            self._missing = self.problem.failure
            return
        self.begin(plan)

    def _forget_what_was_missing(self) -> None:
        """Take away what a start that could not be made was refused for, as another choice is made now."""
        if self._missing is not None and self.problem.failure is self._missing:
            self.problem.clear()
        self._missing = None

    def begin(self, plan: Plan) -> None:
        """Start a training, or go on with the one in the plan's folder, and watch it."""
        self.setup.set_enabled(False)  # neither measuring nor looking is to slow the training down
        try:
            self.session.start(plan)
        except ImpaError as error:
            self._follow_state()
            self._on_failed(Failure(str(error), ""))
            return
        self.problem.clear()
        self.progress.setValue(0)
        self.status.say("Reading the cells …")
        self.watch.begin(plan.folder)
        self.pages.setCurrentWidget(self.watch)

    def resume(self, folder: Path) -> None:
        """Go on with the run in a folder; one that is complete is first asked for more steps or minutes."""
        try:
            plan = plan_of(folder)
        except ImpaError as error:
            self._on_failed(Failure(str(error), ""))
            return
        self.setup.run.folder.setText(str(folder))
        if self.runs.is_complete(folder):
            self.setup.extend(plan)
            self.pages.setCurrentWidget(self.setup)
        else:
            self.begin(plan)

    def _train_again(self, folder: Path) -> None:
        self.setup.repeat(folder)
        self.pages.setCurrentWidget(self.setup)

    def _go_on_from(self, folder: Path) -> None:
        self.setup.run.go_on_from(folder / "model.impa", folder.name)
        self.pages.setCurrentWidget(self.setup)

    def _on_pause(self) -> None:
        if self.state == PAUSED:
            self.session.resume()
        else:
            self.session.pause()
            self.pause.setEnabled(False)
            self.pause.setText("Pausing …")

    def _on_report(self, report: Progress | TrainingStart | Advance) -> None:
        if isinstance(report, Progress):
            self.progress.setValue(round(1000 * report.done / max(1, report.of)))
            self.status.say(f"Finding cells: {report.done:,} of {report.of:,} read, {report.what}.")
        elif isinstance(report, TrainingStart):
            self.progress.setValue(0)
            self.status.say("The training starts …")
            self.watch.started(report)
        elif report.event.paused:
            self.watch.follow(report)
            if self.state == PAUSED:
                self.status.say(f"Paused after step {report.event.step:,}, which is saved; Continue goes on.")
        else:
            from napari_impa.work.training import LAST  # which loads torch, as the training has

            event = report.event
            self.progress.setValue(round(1000 * event.progress))
            steps = f"{event.step:,}" + (f" of {event.steps:,}" if event.steps else "")
            left = f" · {duration(event.seconds_left)} left" if event.seconds_left else ""
            doing = LAST if event.seconds_left == 0 else STAGES.get(event.stage, event.stage)
            self.status.say(event.message or f"Step {steps}{left} · {doing}")
            self.watch.follow(report)

    def _on_ended(self, outcome: Trained | Failure | None) -> None:
        self._follow_state()
        if isinstance(outcome, Trained):
            self._trained = outcome
            remember(outcome.model_path)
            self.status.say(outcome.message)
            if outcome.complete:
                self.setup.choose_free_folder()  # the next start is another run
        elif outcome is None:
            self.progress.setValue(0)
            self.status.say("Stopped before the first step; nothing was written.")
        else:
            self.status.say("")
            self.problem.show_failure(outcome)
        self._follow_state()
        if not self._closed:
            self.runs.refresh()

    def _on_failed(self, failure: Failure) -> None:
        failure = replace(failure, message=in_dock(failure.message))
        notify(failure)
        self.status.rest()
        self.status.say("")
        self.problem.show_failure(failure)

    def _follow_state(self, *_: object) -> None:
        """What can be pressed and changed in the present state."""
        state, ready = self.state, self.state == READY
        resumes = self.setup.run.resumes
        if ready:
            self.start.setText("Resume" if resumes else "Start")
            self.start.setEnabled(resumes or self.setup.cells.looked is not None)
        else:
            self.start.setText("Stopping …" if state == STOPPING else "Stop")
            self.start.setEnabled(state != STOPPING)
        self.pause.setText("Continue" if state == PAUSED else "Pause")
        self.pause.setEnabled(state in (TRAINING, PAUSED))
        self.use.setEnabled(self._trained is not None)
        self.setup.set_enabled(ready)
        self.runs.allow_training(ready)

    # ---- the model --------------------------------------------------------------------------------------------------

    def use_in_perturb(self) -> Any:
        """Open the Perturb dock, or the one that is open, with the model trained last; returns the dock.

        Where no image is open, control cells are opened to try the model on, of those held out where there are any.
        """
        trained = self._trained
        if trained is None:
            return self._open_perturb(None)
        return self._open_perturb(ToTry(trained.model_path, cells_to_try(trained.cells, trained.hold_out)))

    def _on_to_try(self, to_try: ToTry) -> None:
        self._open_perturb(to_try)

    def _open_perturb(self, to_try: ToTry | None) -> Any:
        from napari_impa.viewer.perturb.dock import PerturbDock

        if to_try is not None and to_try.cells is not None and not any(map(is_source, self.viewer.layers)):
            for data in cells_layers(to_try.cells, to_try.prefix):
                self.viewer.add_layer(Layer.create(*data))
        dock = PerturbDock.open_in(self.viewer)
        if to_try is not None:
            dock.use_model(to_try.model_path)
        return dock

    def _on_close(self) -> None:
        self._closed = True
        _leaving(self.session.stop, self._stops)()
        self.setup.source.layers.close_form()
        self._guard.remove()


def _leaving(session: Callable[[], None], stops: list[Sequence[Callable[[], None]]]) -> Callable[[], None]:
    """End the training and everything else in the background; nothing of the dock is held."""

    def leave() -> None:
        session()
        for part in stops:
            for stop in part:
                stop()

    return leave


def duration(seconds: float) -> str:
    """Write a time as a person would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
