"""The Train dock's first page: what is trained on, and how; everything a `Plan` holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QLabel, QLineEdit, QWidget

from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.cells.segmenters import available_segmenters
from napari_impa.cells.tables import no_conditions
from napari_impa.cells.words import WHERE_IMAGED
from napari_impa.engine.training.settings import MAY_CHANGE, TrainingSettings
from napari_impa.errors import ConditionError, ImpaError
from napari_impa.viewer.kit.dialogs import ask_for_folder, open_dialog, tool_button
from napari_impa.viewer.kit.forms import Options, Page, breakable, section
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job
from napari_impa.viewer.plate.plate_box import PlateBox
from napari_impa.viewer.train.conditions_form import ConditionsForm
from napari_impa.viewer.train.estimator import Estimator
from napari_impa.viewer.train.open_layers.layers_box import LayersBox
from napari_impa.viewer.train.plate.reading_box import TITLE, ReadingBox, in_dock
from napari_impa.viewer.train.settings_form import SettingsForm
from napari_impa.work.engine_choices import Engine
from napari_impa.work.survey import Looked
from napari_impa.work.tables.conditions_table import held_rows
from napari_impa.work.training_plan import Plan, free_folder, plan_of, settings_to_share, with_changes

if TYPE_CHECKING:
    import napari

FOLDER, LAYERS = "folder", "layers"
NEW_NETWORKS = ("new networks", None)


class SetupPage(Page):
    """Source, what was found, labels, settings and run folder.

    Signals
    -------
    changed
        What can be started may be another.
    look_asked
        Path, task and kind of a folder to look at, and how it is to be read (`LayoutChoice`).
    failed
        `Failure` of something chosen here.

    Attributes
    ----------
    stops
        What ends the work in the background, without touching a widget.
    """

    changed = Signal()
    look_asked = Signal(object, str, object, object)
    failed = Signal(object)

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.estimator = Estimator()
        self._engine: Engine | None = None
        self._source: Path | None = None
        self._named_after: Path | None = None
        self._like: Plan | None = None
        self._choice = AS_FOUND
        self._worked: LayoutChoice | None = None
        self._notes = {"settings": "", "run": ""}
        self._reading = Latest()
        self._reading.succeeded.connect(self._on_settings)
        self._reading.failed.connect(self.failed)
        self._enabled, self._has_wells = True, False
        self._build_source()
        self.cells = ConditionsForm(self)
        self.settings = SettingsForm(self)
        self._build_model_and_folder()
        self.stops: list[Callable[[], None]] = [
            self.estimator.abandon, self.cells.stop, self.settings.stop, self._reading.cancel, self.plate.stop,
        ]  # fmt: skip
        self.cells.changed.connect(self._on_cells)
        self.cells.failed.connect(self.failed)
        self.cells.looked_closer.connect(lambda looked: self.plate.take_limits(looked.limits))
        self.cells.task.currentIndexChanged.connect(self._on_task)
        self.settings.changed.connect(self._on_settings_changed)
        self.estimator.said.connect(self.settings.show_estimate)
        self.estimator.suggested.connect(self.settings.suggest)
        self._show_rows()

    def _build_source(self) -> None:
        origin = [("a folder", FOLDER), ("open layers", LAYERS)]
        self.origin = Options(origin, tip="Train on images in a folder, or on cells of the layers that are open here.")
        self.row("Cells from", self.origin, tip=self.origin.toolTip())
        self.source = QLineEdit()
        self.source.setPlaceholderText("a folder of images, or .cells")
        self.source.editingFinished.connect(self._on_source_typed)
        self.choose = tool_button("Choose …", self._choose_source)
        tip = "A plate, images with metadata.csv, one subfolder a condition, IMPA's own layout, or a .cells folder."
        self._source_row = self.row("Folder", self.source, self.choose, tip=tip)
        self.hint = QLabel(
            "A plate as the microscope leaves it, images with a metadata.csv beside them, or one subfolder a "
            "condition. What is in it is shown first; nothing in it is changed."
        )
        self.hint.setWordWrap(True)
        self.form.addRow(self.hint)
        self.layers = LayersBox(self.viewer)
        self.layers.looked.connect(self.show_looked)
        self.layers.failed.connect(self.failed)
        self.form.addRow(self.layers)
        self.kind = Options(tip="Whole fields are cut into cells first; ready crops show one cell each.")
        self.kind.currentIndexChanged.connect(self.look)
        self._kind_row = self.row("Images are", self.kind, tip=self.kind.toolTip())
        self.plate = PlateBox()
        self.plate.chosen.connect(self._on_plate_map)
        self._plate_row = self.row("Plate map", self.plate, tip="What is in the wells of the plate.")
        self.reading = ReadingBox()
        self.reading.changed.connect(self._on_reading)
        self._reading_section = section(TITLE, self.reading)
        self.form.addRow(self._reading_section)
        self.origin.currentIndexChanged.connect(self._on_origin)

    def _build_model_and_folder(self) -> None:
        tip = "Train new networks, or go on from a trained model with the weights that fit these cells."
        self.start_from = Options([NEW_NETWORKS], tip=tip)
        self.start_from.currentIndexChanged.connect(self._on_start_from)
        self.choose_model = tool_button("⋯", self._choose_model, "Choose a model file (.impa) to go on from.")
        self.row("Start from", self.start_from, self.choose_model, tip=tip)
        self.folder = QLineEdit()
        self.folder.textChanged.connect(self._on_folder)
        self.choose_folder = tool_button("⋯", self._choose_folder, "Choose another run folder.")
        tip = "Model, history and checkpoints are kept in this folder; one that holds a run is resumed."
        self.row("Run folder", self.folder, self.choose_folder, tip=tip)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.form.addRow(self.note)

    # ---- the source -------------------------------------------------------------------------------------------------

    def set_source(self, path: str | Path) -> None:
        """Look at a folder and fill the form with what is found."""
        if self.origin.value != FOLDER:
            self.origin.choose(FOLDER)
            self._show_rows()
        self._source = Path(path).expanduser()
        self._like, self._worked = None, None
        self._take_choice(AS_FOUND)
        self._note("settings", "")
        self.source.setText(str(self._source))
        self.kind.refill([])
        self.look()

    def look(self) -> None:
        """Ask for the folder to be looked at, once the engine is there."""
        if self.origin.value == FOLDER and self._source is not None and self._engine is not None:
            self.look_asked.emit(self._source, self.cells.task.value, self.kind.value, self._choice)

    def _on_plate_map(self, plate_map: str | None) -> None:
        self._choice = replace(self._choice, plate_map=plate_map)
        self.look()

    def _on_reading(self) -> None:
        self._choice = self.reading.chosen(self._choice)
        self.kind.refill([])
        self.look()

    def _take_choice(self, choice: LayoutChoice) -> None:
        self._choice = choice
        self.reading.show_choice(choice)

    def fill(self, engine: Engine) -> None:
        """Take what can be chosen, which is known when torch has been imported."""
        self._engine = engine
        self.settings.fill(engine)
        self.layers.set_segmenters(available_segmenters())
        self.look()

    def show_looked(self, looked: Looked | None) -> None:
        """Show what a folder or layers hold; None where nothing does."""
        if looked is None and self._worked is not None and self._choice != self._worked:
            self._take_choice(self._worked)  # what was chosen last did not fit, which is said; what there was stays
            if self.cells.looked is not None:
                self._show_kind(self.cells.looked.source.kind)
        elif looked is None:
            self.cells.clear()
            self.estimator.stop()
            self.settings.show_estimate("")
        else:
            self._worked = self._choice
            self._show_kind(looked.source.kind)
            before, chosen = (
                self.cells.looked,
                (self.cells.label.ticked, self.cells.chosen_control, self.cells.hold_out),
            )
            self.cells.fill(looked)
            if before is not None and looked.cells is None and before.source.path == looked.source.path:
                self.cells.take(*chosen)
            self._has_wells = self.plate.fill(looked.source)
            self._take_choices(looked)
            self._fit()
            if looked.source.path != self._named_after:  # else the user may have chosen another
                self.choose_free_folder()
        self._show_rows()
        self.changed.emit()

    def _show_kind(self, kind: str) -> None:
        self.kind.refill([] if kind == "cells" else [("whole fields", "fields"), ("ready crops", "crops")])
        self.kind.choose(kind)

    def _take_choices(self, looked: Looked) -> None:
        """Choose what the run chose whose settings are shown, once its cells are found."""
        like, self._like = self._like, None
        if like is None or like.source.resolve() != looked.source.path.resolve():
            return
        self.cells.take(like.label, like.control, like.settings.hold_out)
        self.settings.find_nuclei(like.segment, like.nuclei_channel)
        lost = [name for name in like.settings.hold_out if name not in self.cells.hold_out]
        if lost:
            self._note(
                "settings", f"{self._notes['settings']} It also held out by {', '.join(lost)}, which is not kept."
            )

    def _on_source_typed(self) -> None:
        text = self.source.text().strip()
        if text and Path(text).expanduser() != self._source:
            self.set_source(text)

    def _choose_source(self) -> None:
        ask_for_folder(self, "Choose a folder of images or .cells", self.source.text(), self.set_source)

    def _on_origin(self) -> None:
        self.estimator.stop()
        self.cells.clear()
        self.settings.show_estimate("")
        self._show_rows()
        if self.origin.value == LAYERS:
            self.layers.tell()
        else:
            self.look()
        self.changed.emit()

    def _show_rows(self) -> None:
        folder = self.origin.value == FOLDER
        self.form.setRowVisible(self._source_row, folder)
        self.form.setRowVisible(self.hint, folder and self.cells.looked is None)
        self.form.setRowVisible(self.layers, not folder)
        self.form.setRowVisible(self._kind_row, folder and bool(self.kind.values))
        stored = self.cells.looked is not None and self.cells.looked.source.kind == "cells"
        self.form.setRowVisible(self._reading_section, folder and self._source is not None and not stored)
        self.form.setRowVisible(self._plate_row, folder and self.cells.looked is not None and self._has_wells)

    # ---- labels and settings ----------------------------------------------------------------------------------------

    def _on_cells(self) -> None:
        self._fit()
        self.changed.emit()

    def _fit(self) -> None:
        if self.cells.looked is not None:
            self.settings.fit(self.cells.looked, self.cells.label.ticked, self.cells.chosen_control)
            looked, label, control = self.cells.looked, self.cells.label.ticked, self.cells.chosen_control
            held = held_rows(looked.source.table, self.cells.held_out)
            self.plate.show_conditions(looked.source, label, control, held, looked)

    def _on_task(self) -> None:
        self.layers.set_task(self.cells.task.value)
        self.settings.follow_task(self.cells.task.value)

    def _on_settings_changed(self) -> None:
        self.cells.find_nuclei_by(self.settings.segmenter.segmenter, self.settings.nuclei.value)
        self.plate.find_nuclei_by(self.settings.segmenter.segmenter, self.settings.nuclei.value)
        self.cells.draw_by(self.settings.seed.value())
        self.estimate()

    def estimate(self) -> None:
        """Say what the budget gives, or what contradicts what."""
        looked, form = self.cells.looked, self.settings
        if looked is None or not self._enabled or form.size.value is None or not form.offered.conditions:
            return
        try:
            settings = TrainingSettings(task=self.cells.task.value, **form.values())
        except ImpaError as error:
            self.estimator.complain(str(error))
            return
        channels = len(looked.source.channels)
        self.estimator.ask(channels, form.offered.conditions, settings, choose_preset=not form.preset_chosen)

    # ---- the run folder, and models to go on from -------------------------------------------------------------------

    @property
    def run_folder(self) -> Path | None:
        """Where the run is kept; None while none is chosen."""
        return Path(self.folder.text()).expanduser() if self.folder.text().strip() else None

    @property
    def resumes(self) -> bool:
        """Whether a start goes on with the run that the folder holds."""
        return self.run_folder is not None and (self.run_folder / "config.json").is_file()

    def choose_free_folder(self) -> None:
        """Choose a run folder that does not exist yet, beside the source."""
        if self.cells.looked is not None:
            self._named_after = self.cells.looked.source.path
            self.folder.setText(str(free_folder(self._named_after)))

    def extend(self, plan: Plan) -> None:
        """Show the settings of a run that is complete, to be trained for longer."""
        self.settings.take(plan.settings)
        amount = self.settings.amount
        amount.setValue(2 * amount.value())
        text = f"{plan.folder.name} is complete. Twice its {self.settings.unit.value} are proposed above, counted from"
        self._note("run", f"{text} its beginning: say how many it is to have in all, then Resume.")
        self._bring_into_sight(self.note)

    def repeat(self, folder: Path) -> None:
        """Fill the form from a run, to train anew with some settings changed."""
        self._reading.submit(as_job(plan_of), folder)

    def go_on_from(self, model: Path, title: str | None = None) -> None:
        """Choose a model to go on from, and the settings it asks for."""
        options = [NEW_NETWORKS, (title or model.stem, model)]
        self.start_from.refill(options)
        self.start_from.choose(model)
        self._on_start_from()
        self._bring_into_sight(self.start_from)

    def _on_start_from(self) -> None:
        if self.start_from.value is not None:
            self._reading.submit(as_job(settings_to_share), self.start_from.value)

    def _on_settings(self, found: Plan | dict[str, Any]) -> None:
        if isinstance(found, Plan):
            self.settings.take(found.settings)
            self.cells.task.choose(found.settings.task)
            self._on_task()
            self.start_from.refill([NEW_NETWORKS])
            self._named_after = None
            self.set_source(found.source)
            self._take_choice(found.choice)
            self.look()
            self._note("settings", f"Settings of {found.folder.name}: change some, then start a new run.")
            self._like = found
            if found.kind is not None:
                self.kind.refill([("whole fields", "fields"), ("ready crops", "crops")])
                self.kind.choose(found.kind)
                self.look()
            return
        try:
            self.settings.take(replace(TrainingSettings(**self.settings.values()), **found))
        except ImpaError as error:
            self.failed.emit(Failure(str(error), ""))

    def _on_folder(self) -> None:
        text = "This folder holds a run: Resume goes on with it, by its own settings and on its own cells."
        self._note("run", text if self.resumes else "")
        self.changed.emit()

    def _bring_into_sight(self, widget: QWidget) -> None:
        """Scroll to a widget when the form has been laid out anew."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(lambda: self.ensureWidgetVisible(widget))
        timer.timeout.connect(timer.deleteLater)
        timer.start(0)

    def _note(self, about: str, text: str) -> None:
        self._notes[about] = text
        self.note.setText(breakable("\n".join(filter(None, self._notes.values()))))
        self.note.setVisible(bool(self.note.text()))

    def _choose_folder(self) -> None:
        start = "" if self.run_folder is None else str(self.run_folder.parent)
        ask_for_folder(self, "Choose a run folder", start, self.folder.setText)

    def _choose_model(self) -> None:
        dialog = QFileDialog(self, "Choose a model to go on from", "", "Models (*.impa)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda path: self.go_on_from(Path(path)))
        open_dialog(dialog)

    # ---- the plan ---------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Everything chosen, as the training takes it; where the folder holds a run, that run's plan.

        What may change when a run is resumed (its budget, the device) is taken from the form.

        Raises
        ------
        ImpaError
            If something is missing or does not fit.
        """
        folder, looked = self.run_folder, self.cells.looked
        if folder is not None and self.resumes:
            chosen = self.settings.values()
            return with_changes(plan_of(folder), {name: chosen[name] for name in MAY_CHANGE if name in chosen})
        if looked is None:
            raise ConditionError("No folder is chosen; choose one with labelled images or cells.")
        if folder is None:
            raise ConditionError("No run folder is chosen; choose where model and history are kept.")
        if self.settings.size.value is None:
            raise ConditionError("The crops are too small for the networks, which take 24 px and more.")
        if not self.cells.label.ticked:
            if all(map(WHERE_IMAGED.fits, looked.source.table.columns)):
                raise ConditionError(in_dock(no_conditions(looked.source.table)))
            raise ConditionError("No label column is ticked; tick those whose values name the condition of a cell.")
        task = self.cells.task.value
        if task == "perturbation" and self.cells.chosen_control is None:
            raise ConditionError("No control is chosen; choose the untreated control.")
        settings = TrainingSettings(task=task, hold_out=self.cells.hold_out, **self.settings.values())
        return Plan(
            looked.source.path, self.cells.label.ticked, self.cells.chosen_control, settings, folder,
            self.settings.segmenter.segmenter, self.settings.nuclei.value, self.kind.value, self.start_from.value,
            looked.cells, choice=self._choice,
        )  # fmt: skip

    def set_enabled(self, enabled: bool) -> None:
        """Let everything be changed, or nothing."""
        was, self._enabled = self._enabled, enabled
        self.body.setEnabled(enabled)
        if not enabled:
            self.estimator.stop()
            self.cells.rest()
            self.plate.stop()
            self._note("settings", "")
        elif not was:
            self.cells.go_on()
            self.estimate()
