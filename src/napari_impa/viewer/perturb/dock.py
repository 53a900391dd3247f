"""The Perturb dock: choose a model, cells and a condition, and see beside each cell what it would become."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_impa.viewer.kit.docks import Dock
from napari_impa.viewer.kit.forms import Page, section
from napari_impa.viewer.kit.jobs import Failure, notify
from napari_impa.viewer.layers.cells_form import CellsForm
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.library.fetching import Running
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.perturb.changes_table import ChangesTable
from napari_impa.viewer.perturb.dock_memory import MEMORY, DockSettings
from napari_impa.viewer.perturb.export import Keep
from napari_impa.viewer.perturb.form.model_rows import ModelRows
from napari_impa.viewer.perturb.form.request_form import RequestForm
from napari_impa.viewer.perturb.form.view_rows import ViewRows
from napari_impa.viewer.perturb.new_image_line import NewImageLine
from napari_impa.viewer.perturb.request import Predicted, Request
from napari_impa.viewer.perturb.session import PerturbSession
from napari_impa.viewer.perturb.views import View
from napari_impa.viewer.perturb.whole_folder import RunningPrediction, WholeFolder

if TYPE_CHECKING:
    import napari

    from napari_impa.analysis.changes import Changes
    from napari_impa.cells.segmenters import Segmenter


class PerturbDock(Dock):
    """A form over `PerturbSession`; there is no button to press, every change is followed."""

    title = "Perturb cells"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.viewer = napari_viewer
        self.session = PerturbSession(napari_viewer)
        session, running, at_work = self.session, Running(), RunningPrediction()

        def abandon() -> None:
            session.abandon()
            running.cancel()
            at_work.cancel()

        super().__init__(on_close=self._close, on_viewer_closed=abandon)
        self.whole = WholeFolder(at_work, self._whole_request)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._take_cells_away)
        self._build(running)
        self._connect()
        self._kept = MEMORY.settings
        if self._kept is not None:
            self.request.show_values(self._kept.strength, self._kept.variability, self._kept.seed)
            self.views.take_up(self._kept.view, self._kept.controls)
        self.status.busy("Starting torch …")
        self.models.start("" if self._kept is None else self._kept.model)

    # ---- the form ---------------------------------------------------------------------------------------------------

    def _build(self, running: Running) -> None:
        self.page = Page()
        self.layout().addWidget(self.page, 1)
        self.models = ModelRows(self.page, self.session, running)
        self._listing, self._preparing = self.models.listing, self.models.preparing
        self.model, self.fetch, self.about = self.models.model, self.models.fetch, self.models.about
        self.new_image = NewImageLine(self.viewer)
        self.page.form.addRow(self.new_image)
        self.cells = CellsForm(self.viewer, lambda: self.session.step)
        self.page.form.addRow(self.cells)

        request = self.request = RequestForm(self.page)
        self.turn_into, self.condition = request.turn_into, request.turn_into.condition
        self.strength, self.variability, self.seed = request.strength, request.variability, request.seed
        self.views = ViewRows(self.page)
        self.view, self.view_controls = self.views.view, self.views.controls
        self.changes = ChangesTable()
        self.what_changed = section("What changed", self.changes)
        self.page.form.addRow(self.what_changed)
        self.keep = Keep()
        self.keep.looks_now = self.session.looks_now
        self.page.row("Keep", self.keep, tip="Save what is shown, or copy what makes it again.")
        self.whole_folder = section("A whole folder", self.whole)
        self.page.form.addRow(self.whole_folder)
        self._build_foot()

    def _connect(self) -> None:
        self.models.prepared.connect(self._on_prepared)
        self.models.said.connect(self.status.say)
        self.models.failed.connect(self._on_failed)
        self._preparing.failed.connect(self.status.rest)
        self.cells.changed.connect(self._find)
        self.cells.overview.toggled.connect(self.session.leave_out)
        self.cells.overview.cell_clicked.connect(self.session.show_cell)
        self.request.changed.connect(self._ask)
        self.turn_into.said.connect(self.status.say)
        self.views.chosen.connect(self._on_view_chosen)
        self.views.steered.connect(self.session.steer_view)
        self.views.measures_wanted.connect(self._on_measures_wanted)
        session = self.session
        session.model_changed.connect(self._on_model)
        session.cells_changed.connect(self._on_cells)
        session.cell_changed.connect(self.cells.overview.set_cell)
        session.cell_changed.connect(self.changes.set_cell)
        self.changes.measured.connect(self._on_measured)
        self.changes.cell_clicked.connect(session.show_cell)
        self.viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        session.predicted.connect(self._on_predicted)
        session.further_changed.connect(self._tell_result)
        session.failed.connect(self._on_failed)
        session.cell_changed.connect(self.keep.show_cell)
        session.busy_changed.connect(self.status.busy)
        session.image_came.connect(self.new_image.offer)
        self.new_image.take_wanted.connect(self._take_new_image)
        self.new_image.look_wanted.connect(session.step_aside)
        self.new_image.back_wanted.connect(self._on_back_wanted)
        session.stepped_aside.connect(self.new_image.offer_back)

    # ---- closed, and opened again ------------------------------------------------------------------------------------

    def _remember(self) -> None:
        """Let the next dock be as this one is."""
        loaded = self.session.loaded
        if loaded is not None:
            MEMORY.settings = DockSettings(
                loaded.key, self.turn_into.kept_targets, self.turn_into.compound.typed, *self.request.values,
                self.view.value, self.views.values,
            )  # fmt: skip

    # ---- models -----------------------------------------------------------------------------------------------------

    def use_model(self, path: str | Path) -> None:
        """Add a model to the list and choose it."""
        self.models.use_model(path)

    def _on_prepared(self, segmenters: list[type[Segmenter]]) -> None:
        self.cells.set_segmenters(segmenters)
        self.status.rest()

    def _on_model(self, loaded: Loaded) -> None:
        model = loaded.model
        self.status.say("")
        self.models.show_model(loaded)
        self.views.offer_orders(model.channels)
        self.request.set_model(loaded)
        kept, self._kept = self._kept, None
        if kept is not None and kept.model == loaded.key:
            self.turn_into.restore(kept.targets, kept.compound)
        self._ask()
        self.cells.set_model(model.channels, model.size)

    # ---- cells ------------------------------------------------------------------------------------------------------

    def _find(self) -> None:
        if self.session.loaded is not None:
            choice = self.cells.choice
            if choice is None:
                self._later.start()
            else:
                self._later.stop()
                self.session.set_cells(choice)
            self.cells.show_found(None)
            if self.cells.missing:
                self.status.say(self.cells.missing)

    def _take_new_image(self) -> None:
        """Take cells from images that were opened while a view had the canvas."""
        images = self.new_image.images
        used = [layer for layer in self.viewer.layers if layer not in images]
        if self.cells.choose_next(used):
            self.new_image.forget()
        elif self.cells.choice is not None and self.cells.choice.mask is not None:
            mask = self.cells.choice.mask.name
            self.status.say(
                f"{mask!r} says where the cells of its own field are: choose under Cells how to find others."
            )
        else:
            need = len(self.cells.channels)
            self.status.say(f"Choose above which layer shows which of the {need} channels; these alone do not tell.")

    def _on_back_wanted(self) -> None:
        if self.cells.choice is not None:  # or else the cells go as well
            self.session.come_back()

    def _take_cells_away(self) -> None:
        """Let go of the cells once napari has ended what it does: its loop over layers must find ours still there."""
        if self.session.loaded is not None and self.cells.choice is None:
            self.session.set_cells(None)

    def _on_cells(self, found: Found | None) -> None:
        self.cells.show_found(found)
        if self.cells.choice is None or set(self.cells.choice.layers) & set(self.new_image.images):
            self.new_image.forget()  # it was taken, or there is nothing that it could be taken for
        loaded = self.session.loaded
        if found is not None and loaded is not None:
            from napari_impa.engine.model.misfits import are_simulated, misfits

            simulated = are_simulated(found.cells) or found.simulated
            self.models.say_doubts(misfits(loaded.model, found.cells, simulated=simulated))
        if found is not None and loaded is not None and loaded.model.task == "batch":
            self.turn_into.start_elsewhere(found.said_condition(loaded.model.label))
        self.cells.overview.set_cell(self.session.cell)
        self.changes.set_result(None)
        self.changes.set_cell(self.session.cell)
        if found is None:
            self.keep.set_result(None, None, None)
            if not self.cells.missing:  # which is said already
                self.status.say("")
        self.views.offer(found, loaded)

    # ---- views ------------------------------------------------------------------------------------------------------

    def _on_view_chosen(self, view: type[View]) -> None:
        self.session.set_view(view)
        self._tell_result()

    def _on_measures_wanted(self) -> None:
        if self.changes.changes is None:
            self.what_changed.expand()  # which measures the cells

    # ---- requests and results ---------------------------------------------------------------------------------------

    def _ask(self, *_: Any) -> None:
        request = self.request.request
        if request is not None and self.session.loaded is not None:
            self.session.set_request(request)

    def _whole_request(self) -> tuple[Loaded, Request, Segmenter | None] | None:
        """What a whole folder is turned into: as the form says."""
        loaded, request = self.session.loaded, self.request.request
        return None if loaded is None or request is None else (loaded, request, self.cells.segmenter.segmenter)

    def _on_predicted(self, predicted: Predicted) -> None:
        loaded = self.session.loaded
        self.keep.set_result(self.session.found, predicted, loaded)
        self.keep.show_cell(self.session.cell)
        found, request = self.session.found, predicted.request
        if found is not None:
            by_name = {request.name(number): pixels for number, pixels in enumerate(predicted.pixels)}
            self.session.describe_cells(None)
            self.changes.set_result(found.cells, by_name, found.treated, as_it_is=found.as_it_is)
        self._tell_result()

    def _tell_result(self, *_: Any) -> None:
        """Say what was predicted, or what the view on show has found beyond it."""
        result, loaded, view = self.session.result, self.session.loaded, self.session.view_kind
        if result is None or loaded is None or result.request != self.session.request:
            return
        text = view.says(self.session.further[view]) if view in self.session.further else ""
        count, on = result.pixels.shape[1], loaded.model.device.type.upper()
        self.status.say(text or f"{result.request.title()}: {count:,} cells in {result.seconds:.1f} s on {on}.")

    def _on_measured(self, changes: Changes) -> None:
        """Let the outlines' features and the saved table say what was measured."""
        if self.session.result is None or self.session.found is None:
            return
        request, name = self.session.result.request, self.changes.target.value
        titles = {request.name(number): request.title(number) for number in range(len(request.targets))}
        if name in titles:
            self.session.describe_cells(changes, titles[name])
            values = {self.session.found.as_it_is: changes.control, titles[name]: changes.predicted}
            self.keep.set_features({title: changes.wide(measured) for title, measured in values.items()})

    def _on_theme(self, event: Any = None) -> None:
        self.changes.spread.take_colours(self.viewer.theme)

    def _on_failed(self, failure: Failure) -> None:
        notify(failure)
        self.status.warn(failure.message)

    def _close(self) -> None:
        self._remember()
        self._later.stop()
        self.viewer.events.theme.disconnect(self._on_theme)
        self.cells.close_form()
        self.new_image.close_line()
        self.models.close_rows()
        self.whole.close_form()
        self.request.set_model(None)
        self.changes.set_result(None)
        self.keep.set_result(None, None, None)
        self.session.close()
