"""The Train dock's first page: what is trained on, and how; everything a `Plan` holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal

from napari_impa.cells.segmenters import available_segmenters
from napari_impa.cells.tables import no_conditions
from napari_impa.cells.words import WHERE_IMAGED
from napari_impa.engine.training.settings import MAY_CHANGE, TrainingSettings
from napari_impa.errors import ConditionError, ImpaError
from napari_impa.viewer.kit.forms import Page
from napari_impa.viewer.kit.jobs import Failure, Latest, as_job
from napari_impa.viewer.train.conditions_form import ConditionsForm
from napari_impa.viewer.train.estimator import Estimator
from napari_impa.viewer.train.plate.reading_box import in_dock
from napari_impa.viewer.train.settings_form import SettingsForm
from napari_impa.viewer.train.setup.run_form import RunForm
from napari_impa.viewer.train.setup.source_form import SourceForm
from napari_impa.work.engine_choices import Engine
from napari_impa.work.survey import Looked
from napari_impa.work.tables.conditions_table import held_rows
from napari_impa.work.training_plan import Plan, plan_of, settings_to_share, with_changes

if TYPE_CHECKING:
    import napari


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
        self._like: Plan | None = None
        self._reading = Latest()
        self._reading.succeeded.connect(self._on_settings)
        self._reading.failed.connect(self.failed)
        self._enabled = True
        self.source = SourceForm(self, viewer)
        self.cells = ConditionsForm(self)
        self.settings = SettingsForm(self)
        self.run = RunForm(self)
        self.stops: list[Callable[[], None]] = [
            self.estimator.abandon, self.cells.stop, self.settings.stop, self._reading.cancel, self.source.plate.stop,
        ]  # fmt: skip
        self.source.asked.connect(self.look)
        self.source.looked.connect(self.show_looked)
        self.source.chosen.connect(self.set_source)
        self.source.origin_changed.connect(self._on_origin)
        self.source.failed.connect(self.failed)
        self.cells.changed.connect(self._on_cells)
        self.cells.failed.connect(self.failed)
        self.cells.looked_closer.connect(lambda looked: self.source.plate.take_limits(looked.limits))
        self.cells.task.currentIndexChanged.connect(self._on_task)
        self.settings.changed.connect(self._on_settings_changed)
        self.estimator.said.connect(self.settings.show_estimate)
        self.estimator.suggested.connect(self.settings.suggest)
        self.run.changed.connect(self.changed)
        self.run.model_chosen.connect(lambda model: self._reading.submit(as_job(settings_to_share), model))
        self.source.show_rows()

    # ---- the source -------------------------------------------------------------------------------------------------

    def set_source(self, path: str | Path) -> None:
        """Look at a folder and fill the form with what is found."""
        self._like = None
        self.run.say("settings", "")
        self.source.set_path(path)

    def look(self) -> None:
        """Ask for the folder to be looked at, once the engine is there."""
        source = self.source
        if source.is_folder and source.path is not None and self._engine is not None:
            self.look_asked.emit(source.path, self.cells.task.value, source.kind.value, source.choice)

    def fill(self, engine: Engine) -> None:
        """Take what can be chosen, which is known when torch has been imported."""
        self._engine = engine
        self.settings.fill(engine)
        self.source.layers.set_segmenters(available_segmenters())
        self.look()

    def show_looked(self, looked: Looked | None) -> None:
        """Show what a folder or layers hold; None where nothing does."""
        if looked is None and not self.source.go_back():  # else what was chosen last did not fit, which is said
            self.source.forget_found()
            self._show_nothing()
        elif looked is not None:
            before, form = self.cells.looked, self.cells
            chosen = (form.label.ticked, form.chosen_control, form.hold_out)
            form.fill(looked)
            if before is not None and looked.cells is None and before.source.path == looked.source.path:
                form.take(*chosen)
            self.source.show_looked(looked)
            self._take_choices(looked)
            self._fit()
            self.run.follow(looked.source.path)
        self.source.show_rows()
        self.changed.emit()

    def _show_nothing(self) -> None:
        self.estimator.stop()
        self.cells.clear()
        self.settings.show_estimate("")

    def _take_choices(self, looked: Looked) -> None:
        """Choose what the run chose whose settings are shown, once its cells are found."""
        like, self._like = self._like, None
        if like is None or like.source.resolve() != looked.source.path.resolve():
            return
        self.cells.take(like.label, like.control, like.settings.hold_out)
        self.settings.find_nuclei(like.segment, like.nuclei_channel)
        lost = [name for name in like.settings.hold_out if name not in self.cells.hold_out]
        if lost:
            self.run.say("settings", "", more=f"It also held out by {', '.join(lost)}, which is not kept.")

    def _on_origin(self) -> None:
        self._show_nothing()
        self.changed.emit()

    # ---- labels and settings ----------------------------------------------------------------------------------------

    def _on_cells(self) -> None:
        self._fit()
        self.changed.emit()

    def _fit(self) -> None:
        if self.cells.looked is not None:
            looked, label, control = self.cells.looked, self.cells.label.ticked, self.cells.chosen_control
            self.settings.fit(looked, label, control)
            held = held_rows(looked.source.table, self.cells.held_out)
            self.source.plate.show_conditions(looked.source, label, control, held, looked)

    def _on_task(self) -> None:
        self.source.layers.set_task(self.cells.task.value)
        self.settings.follow_task(self.cells.task.value)

    def _on_settings_changed(self) -> None:
        for shown in (self.cells, self.source.plate):
            shown.find_nuclei_by(self.settings.segmenter.segmenter, self.settings.nuclei.value)
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

    def choose_free_folder(self) -> None:
        """Choose a run folder that does not exist yet, beside the source."""
        if self.cells.looked is not None:
            self.run.choose_free_folder(self.cells.looked.source.path)

    def extend(self, plan: Plan) -> None:
        """Show the settings of a run that is complete, to be trained for longer."""
        self.settings.take(plan.settings)
        amount = self.settings.amount
        amount.setValue(2 * amount.value())
        text = f"{plan.folder.name} is complete. Twice its {self.settings.unit.value} are proposed above, counted from"
        self.run.say("run", f"{text} its beginning: say how many it is to have in all, then Resume.")
        self.run.bring_into_sight(self.run.note)

    def repeat(self, folder: Path) -> None:
        """Fill the form from a run, to train anew with some settings changed."""
        self._reading.submit(as_job(plan_of), folder)

    def _on_settings(self, found: Plan | dict[str, Any]) -> None:
        if isinstance(found, Plan):
            self._show_plan(found)
            return
        try:
            self.settings.take(replace(TrainingSettings(**self.settings.values()), **found))
        except ImpaError as error:
            self.failed.emit(Failure(str(error), ""))

    def _show_plan(self, plan: Plan) -> None:
        self.settings.take(plan.settings)
        self.cells.task.choose(plan.settings.task)
        self._on_task()
        self.run.begin_anew()
        self.set_source(plan.source)
        self.source.take_choice(plan.choice)
        self.run.say("settings", f"Settings of {plan.folder.name}: change some, then start a new run.")
        self._like = plan
        if plan.kind is not None:
            self.source.take_kind(plan.kind)
        self.look()

    # ---- the plan ---------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Everything chosen, as the training takes it; where the folder holds a run, that run's plan.

        What may change when a run is resumed (its budget, the device) is taken from the form.

        Raises
        ------
        ImpaError
            If something is missing or does not fit.
        """
        folder, looked = self.run.path, self.cells.looked
        if folder is not None and self.run.resumes:
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
            self.settings.segmenter.segmenter, self.settings.nuclei.value, self.source.kind.value,
            self.run.start_from.value, looked.cells, choice=self.source.choice,
        )  # fmt: skip

    def set_enabled(self, enabled: bool) -> None:
        """Let everything be changed, or nothing."""
        was, self._enabled = self._enabled, enabled
        self.body.setEnabled(enabled)
        if not enabled:
            self.estimator.stop()
            self.cells.rest()
            self.source.plate.stop()
            self.run.say("settings", "")
        elif not was:
            self.cells.go_on()
            self.estimate()
