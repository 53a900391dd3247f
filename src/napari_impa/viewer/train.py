"""The Train dock: a labelled folder in, a model out, without leaving the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTabWidget,
    QToolButton,
    QWidget,
)

from napari_impa.errors import ConditionError, ImpaError
from napari_impa.viewer.curves import LossCurves
from napari_impa.viewer.docks import Dock, Options, Page, below, beside
from napari_impa.viewer.jobs import Failure, notify
from napari_impa.viewer.looking import Engine, Looked, free_folder
from napari_impa.viewer.models import remember
from napari_impa.viewer.preview import Preview
from napari_impa.viewer.reader import cells_layers
from napari_impa.viewer.sources import is_source
from napari_impa.viewer.training_cells import CellsForm
from napari_impa.viewer.training_form import SettingsForm
from napari_impa.viewer.training_job import Cropping, Plan, Progress, Started, Trained
from napari_impa.viewer.training_session import TrainingSession

if TYPE_CHECKING:
    import napari

CELLS_TO_TRY = 200
READY, TRAINING, STOPPING = "Start", "Stop", "Stopping …"


class TrainDock(Dock):
    """A form over `TrainingSession`: choose a folder, start, watch, and use the model."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.viewer = napari_viewer
        self.session = TrainingSession()
        super().__init__(on_close=self._on_closed, on_viewer_closed=self.session.stop)
        self._engine: Engine | None = None
        self._preview: Preview | None = None
        self._trained: Trained | None = None
        self._source: Path | None = None
        self._build()
        session = self.session
        session.engine_known.connect(self._on_engine)
        session.looked.connect(self._on_looked)
        session.reported.connect(self._on_report)
        session.ended.connect(self._on_ended)
        session.failed.connect(self._on_failed)
        self.status.busy("Starting torch …")
        self._set_state(READY)

    def _build(self) -> None:
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.setup, self.watch = Page(), Page()
        for page, name, tip in (
            (self.setup, "Set up", "What is trained on, and how."),
            (self.watch, "Watch", "How the training goes."),
        ):
            self.pages.setTabToolTip(self.pages.addTab(page, name), tip)
        self.layout().addWidget(self.pages, 1)
        self._build_setup()
        self._build_watch()
        self.layout().addWidget(self._foot())

    def _build_setup(self) -> None:
        page = self.setup
        self.source = QLineEdit()
        self.source.setPlaceholderText("a folder of images, or .cells")
        self.source.editingFinished.connect(self._on_source_typed)
        self.choose = QToolButton()
        self.choose.setText("Choose …")
        self.choose.clicked.connect(self._choose_source)
        tip = "Images with metadata.csv, one subfolder a condition, IMPA's own layout, or a .cells folder."
        page.row("Folder", self.source, self.choose, tip=tip)
        self.kind = Options(tip="Whole fields are cut into cells first; ready crops show one cell each.")
        self.kind.currentIndexChanged.connect(self._look)
        self._kind_name = page.row("Images are", self.kind, tip=self.kind.toolTip())
        self.cells = CellsForm(page)
        self.cells.failed.connect(self._on_failed)
        self.found = self.cells.panel.summary
        self.settings = SettingsForm(page)
        self.folder = QLineEdit()
        self.folder.textChanged.connect(lambda _: self._set_state(self.state))
        self.choose_folder = QToolButton()
        self.choose_folder.setText("⋯")
        self.choose_folder.clicked.connect(self._choose_folder)
        tip = "Model, history and checkpoints are kept in this folder; one that holds a run is resumed."
        page.row("Run folder", self.folder, self.choose_folder, tip=tip)

    def _build_watch(self) -> None:
        self.curves = LossCurves(str(self.viewer.theme))
        self.viewer.events.theme.connect(self._on_theme)
        self.watch.form.addRow(self.curves)
        self.watch.form.addRow(self.curves.names)

    def _foot(self) -> QWidget:
        """Buttons, progress and status, which stay in sight on every page."""
        self.start = QPushButton(READY)
        self.start.setToolTip("Train in the background; Stop keeps the model as it is then, and Resume goes on.")
        self.start.clicked.connect(self._on_start)
        self.use = QPushButton("Use in Perturb")
        self.use.setToolTip("Open the Perturb dock with the trained model.")
        self.use.clicked.connect(self.use_in_perturb)
        self.show_preview = QPushButton("Show preview")
        self.show_preview.setToolTip("Move the camera to the preview layer: control, predicted and real cells.")
        self.show_preview.clicked.connect(self._look_at_preview)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setFormat("")
        foot = below(beside(self.start, self.show_preview, self.use), self.progress, self.status)
        foot.layout().setContentsMargins(8, 6, 8, 6)
        return foot

    def _on_closed(self) -> None:
        self.session.stop()
        self.cells.stop()

    def _on_theme(self, event: Any) -> None:
        self.curves.take_colours(str(event.value))

    # ---- the folder -------------------------------------------------------------------------------------------------

    def set_source(self, path: str | Path) -> None:
        """Look at a folder and fill the form with what is found."""
        self._source = Path(path)
        self.source.setText(str(path))
        self.kind.refill([])
        self._look()

    def _look(self) -> None:
        if self._source is not None and self._engine is not None:
            self.session.look(self._source, self.cells.task.value, self.kind.value)
            self.status.busy("Looking at the folder …")

    def _on_source_typed(self) -> None:
        text = self.source.text().strip()
        if text and Path(text) != self._source:
            self.set_source(text)

    def _choose_source(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Choose a folder of images or .cells", self.source.text())
        if path:
            self.set_source(path)

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Choose a run folder", str(Path(self.folder.text()).parent))
        if path:
            self.folder.setText(path)

    def _on_engine(self, engine: Engine) -> None:
        self._engine = engine
        self.settings.fill(engine)
        self.status.busy("")
        self._look()

    def _on_looked(self, looked: Looked) -> None:
        self.status.busy("")
        self.status.say("")
        ready = looked.source.kind == "cells"
        self.kind.refill([] if ready else [("whole fields", "fields"), ("ready crops", "crops")])
        self.kind.choose(looked.source.kind)
        for widget in (self._kind_name, self.kind):
            widget.setVisible(not ready)
        self.cells.fill(looked)
        self.settings.fit(looked)
        self.folder.setText(str(free_folder(looked.source.path)))
        self._set_state(READY)

    # ---- the training -----------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Everything chosen, as the training takes it.

        Raises
        ------
        ImpaError
            If something is missing or does not fit.
        """
        from napari_impa.engine.settings import TrainingSettings

        looked = self.cells.looked
        if looked is None:
            raise ConditionError("No folder is chosen; choose one with labelled images or cells.")
        if self.settings.size.value is None:
            raise ConditionError("The crops are too small for the networks, which take 24 px and more.")
        if not self.cells.label.ticked:
            raise ConditionError("No label column is ticked; tick those whose values name the condition of a cell.")
        task = self.cells.task.value
        if task == "perturbation" and self.cells.chosen_control is None:
            raise ConditionError("No control is chosen; choose the untreated control.")
        settings = TrainingSettings(task=task, hold_out=self.cells.hold_out, **self.settings.values())
        return Plan(
            looked.source.path, self.cells.label.ticked, self.cells.chosen_control, settings,
            Path(self.folder.text()), self.settings.segment.value, self.settings.nuclei.value,
            self.kind.value,
        )  # fmt: skip

    def _on_start(self) -> None:
        if self.state == TRAINING:
            self._set_state(STOPPING)
            if self.session.job is not None:
                self.session.job.cancel()
            return
        try:
            plan = self.plan()
        except ImpaError as error:
            self._on_failed(Failure.of(error))
            return
        self.curves.clear_curves()
        self.progress.setValue(0)
        self.status.say("Reading the folder …")
        self._set_state(TRAINING)
        self.pages.setCurrentWidget(self.watch)
        self.session.start(plan)

    def _on_report(self, report: Cropping | Started | Progress) -> None:
        if isinstance(report, Cropping):
            self.progress.setValue(round(1000 * report.done / max(1, report.total)))
            self.status.say(f"Finding cells: {report.done:,} of {report.total:,} read, {report.text}.")
        elif isinstance(report, Started):
            self._about = f"{report.cells:,} cells · {report.device}"
            self.status.say(f"Training starts\n{self._about}")
            self._preview = Preview(self.viewer, report.channels, report.pixel_size)
            self.progress.setValue(0)
        else:
            event = report.event
            if self.curves.extend(report.points):
                QTimer.singleShot(0, self._look_at_curves)  # what is worth watching now
            self.progress.setValue(round(1000 * event.progress))
            steps = f"{event.step:,}" + (f" of {event.steps:,}" if event.steps else "")
            left = "" if event.seconds_left is None else f" · {duration(event.seconds_left)} left"
            self.status.say(f"Step {steps}{left} · {event.stage} stage\n{self._about}")
            if event.samples is not None and self._preview is not None:
                self._preview.show(event.samples, event.step)
                self.show_preview.setEnabled(True)

    def _on_ended(self, outcome: Trained | Failure | None) -> None:
        self._set_state(READY)
        if isinstance(outcome, Trained):
            self._trained = outcome
            remember(outcome.model_path)
            self.status.say(outcome.message)
            show_info(outcome.message)
        elif outcome is None:
            self.progress.setValue(0)
            self.status.say("Stopped before the first step; nothing was written.")
        else:
            self._on_failed(outcome)
        self._set_state(READY)

    def _on_failed(self, failure: Failure) -> None:
        notify(failure)
        self.status.busy("")
        self.status.warn(failure.message)

    def _look_at_curves(self) -> None:
        self.watch.ensureWidgetVisible(self.curves.names)

    def _look_at_preview(self) -> None:
        if self._preview is not None:
            self._preview.look_at()

    def use_in_perturb(self) -> Any:
        """Open the Perturb dock, or the one that is open, with the trained model; returns the dock.

        Where no image is open, control cells of the training are opened to try the model on.
        """
        from napari_impa.viewer.perturb import open_dock

        trained = self._trained
        if trained is not None and not any(is_source(layer) for layer in self.viewer.layers):
            cells = trained.cells
            rows = np.flatnonzero(cells.is_control if cells.control is not None else np.ones(len(cells), bool))
            for data in cells_layers(
                cells.take(rows[:CELLS_TO_TRY]), "control cells · " if cells.control else "cells · "
            ):
                self.viewer.add_layer(Layer.create(*data))
        dock = open_dock(self.viewer)
        if trained is not None:
            dock.use_model(trained.model_path)
        return dock

    def _set_state(self, state: str) -> None:
        """Start, Stop, Stopping …: what can be pressed and changed."""
        self.state = state
        held = bool(self.folder.text()) and (Path(self.folder.text()) / "config.json").is_file()
        self.start.setText("Resume" if state == READY and held else state)
        self.start.setEnabled(state != STOPPING and (state == TRAINING or self.cells.looked is not None))
        self.use.setEnabled(self._trained is not None)
        self.show_preview.setEnabled(self._preview is not None and self._preview.layer is not None)
        for widget in (
            self.source, self.choose, self.kind, self.folder, self.choose_folder,
            self.cells.task, self.cells.label, self.cells.control, self.cells.column, self.cells.held,
            self.settings.preset, self.settings.size, self.settings.amount, self.settings.unit, self.settings.more,
        ):  # fmt: skip
            widget.setEnabled(state == READY)


def duration(seconds: float) -> str:
    """Write a time as a person would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
