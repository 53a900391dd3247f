"""The Perturb dock: choose a model, cells and a condition, and see beside each cell what it would become."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QLabel,
    QMenu,
    QSpinBox,
    QToolButton,
)
from superqt import QLabeledDoubleSlider

from napari_impa.analysis.pictures.gallery_order import ORDERS, measurement_names
from napari_impa.viewer.kit.docks import Dock
from napari_impa.viewer.kit.forms import Options, Page, Wrapped, beside, plain, section
from napari_impa.viewer.kit.jobs import Failure, Latest, notify
from napari_impa.viewer.kit.typed_form import TypedForm
from napari_impa.viewer.layers.cells_form import CellsForm
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.library.fetching import FetchedModel, FetchRow, Running
from napari_impa.viewer.library.models import Choice, Loaded, choices, of_path, remember
from napari_impa.viewer.perturb.changes_table import ChangesTable
from napari_impa.viewer.perturb.dock_memory import MEMORY, DockSettings
from napari_impa.viewer.perturb.export import Keep
from napari_impa.viewer.perturb.new_image_line import NewImageLine
from napari_impa.viewer.perturb.request import Predicted, Request
from napari_impa.viewer.perturb.session import PerturbSession
from napari_impa.viewer.perturb.targets_form import TurnInto
from napari_impa.viewer.perturb.views import VIEWS
from napari_impa.viewer.perturb.views.gallery import GalleryControls
from napari_impa.viewer.perturb.whole_folder import RunningPrediction, WholeFolder
from napari_impa.watch import Token

if TYPE_CHECKING:
    import napari

    from napari_impa.analysis.changes import Changes
    from napari_impa.cells.segmenters import Segmenter


def prepare(token: Token) -> tuple[list[Choice], list[type[Segmenter]]]:
    """List models and segmenters; imports torch, so it is run in the background."""
    from napari_impa.cells.segmenters import available_segmenters

    return choices(token), list(available_segmenters())


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
        self.fetch = FetchRow(running)
        self.whole = WholeFolder(at_work, self._whole_request)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._take_cells_away)
        self._build()
        self._kept = MEMORY.settings
        if self._kept is not None:
            self._take_up(self._kept)
        self._connect()
        self._wanted: str | None = None
        self._choices: dict[str, Choice] = {}
        self._listing = Latest(self)
        self._listing.succeeded.connect(self._list_models)
        self._preparing = Latest(self)
        self._preparing.succeeded.connect(self._on_prepared)
        self._preparing.failed.connect(lambda _: self.status.busy(""))
        self._preparing.failed.connect(self._on_failed)
        self._preparing.submit(prepare)
        self.status.busy("Starting torch …")

    # ---- the form ---------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.page = Page()
        self.layout().addWidget(self.page)
        self.model = Options(tip="The model that turns cells: bundled, trained lately, or opened from a file.")
        self.open = QToolButton()
        self.open.setText("⋯")
        self.open.setAccessibleName("Open a model")
        self.open.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.open.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.open.setToolTip("Open a model file (.impa), a run folder or a published checkpoint.")
        menu = QMenu(self.open)
        menu.addAction("Open a model file …", self._open_file)
        menu.addAction("Open a run or checkpoint folder …", self._open_folder)
        self.open.setMenu(menu)
        self.about = QLabel()
        self.page.row("Model", beside(self.model, self.open))
        self.page.form.addRow("", self.about)
        self.doubts = Wrapped()
        self.doubts.hide()
        self.page.form.addRow(self.doubts)
        self.page.form.addRow(self.fetch)
        self.new_image = NewImageLine(self.viewer)
        self.page.form.addRow(self.new_image)
        self.cells = CellsForm(self.viewer, lambda: self.session.step)
        self.page.form.addRow(self.cells)

        self.turn_into = TurnInto()
        self.condition = self.turn_into.condition
        self.turn_into_label = self.page.row("Turn into", self.turn_into)
        self.strength = self._slider(2.0, 1.0, "0 is the cell as it is, 1 the condition; beyond 1 it is exaggerated.")
        self.page.row("Strength", self.strength, tip=self.strength.toolTip())
        self.variability = self._slider(1.0, 0.1, "How much the predicted cells vary by chance; 0 gives the mean cell.")
        self.page.row("Variability", self.variability, tip=self.variability.toolTip())
        self.seed = QSpinBox()
        self.seed.setRange(0, 9999)
        self.seed.setToolTip("Another seed draws another cell of the same condition.")
        self.page.row("Seed", self.seed, tip=self.seed.toolTip())

        self.view = Options([(view.title, view) for view in VIEWS], tip="How control and predicted cells are compared.")
        for number, view in enumerate(VIEWS):
            self.view.setItemData(number, view.tip, Qt.ItemDataRole.ToolTipRole)
        self.page.row("View", self.view)
        kinds = dict.fromkeys(view.controls for view in VIEWS if view.controls is not None)
        self.view_controls = {kind: TypedForm(self.page.form, kind) for kind in kinds}
        self._show_controls()
        self.changes = ChangesTable()
        self.what_changed = section("What changed", self.changes)
        self.page.form.addRow(self.what_changed)
        self.keep = Keep()
        self.keep.looks_now = self.session.looks_now
        self.page.row("Keep", self.keep, tip="Save what is shown, or copy what makes it again.")
        self.whole_folder = section("A whole folder", self.whole)
        self.page.form.addRow(self.whole_folder)
        self.page.form.addRow(self.status)

    def _slider(self, most: float, value: float, tip: str) -> QLabeledDoubleSlider:
        slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        slider.setRange(0.0, most)
        slider.setDecimals(2)
        slider.setSingleStep(0.05)
        slider.setValue(value)
        slider.setToolTip(tip)
        return slider

    def _connect(self) -> None:
        self.model.currentIndexChanged.connect(self._on_model_chosen)
        self.fetch.fetched.connect(self._on_fetched)
        self.fetch.failed.connect(self._on_failed)
        self.cells.changed.connect(self._find)
        self.cells.overview.toggled.connect(self.session.leave_out)
        self.cells.overview.cell_clicked.connect(self.session.show_cell)
        self.turn_into.changed.connect(self._ask)
        for widget in (self.strength, self.variability, self.seed):
            widget.valueChanged.connect(self._ask)
        self.view.currentIndexChanged.connect(self._on_view_chosen)
        for form in self.view_controls.values():
            form.changed.connect(partial(self._on_controls, form))
        session = self.session
        session.model_changed.connect(self._on_model)
        session.model_failed.connect(self._on_model_failed)
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

    def _take_up(self, kept: DockSettings) -> None:
        """Set what does not depend on the model as the dock before had it."""
        self.strength.setValue(kept.strength)
        self.variability.setValue(kept.variability)
        self.seed.setValue(kept.seed)
        self.view.choose(kept.view)
        for value in kept.controls:
            form = self.view_controls[type(value)]
            if isinstance(value, GalleryControls):  # a model, which offers more orders, is not there yet
                form.offer("order", tuple(dict.fromkeys((*ORDERS, value.order))))
            form.show_value(value)
            self._on_controls(form)
        self._on_view_chosen()

    def _remember(self) -> None:
        """Let the next dock be as this one is."""
        loaded = self.session.loaded
        if loaded is not None:
            MEMORY.settings = DockSettings(
                loaded.key, self.turn_into.kept_targets, self.turn_into.compound.typed,
                round(self.strength.value(), 2), round(self.variability.value(), 2),
                self.seed.value(), self.view.value, tuple(form.value for form in self.view_controls.values()),
            )  # fmt: skip

    # ---- models -----------------------------------------------------------------------------------------------------

    def use_model(self, path: str | Path) -> None:
        """Add a model to the list and choose it."""
        choice = of_path(path)
        remember(path)
        self._wanted = choice.key
        if not self._preparing.busy:
            self._add_and_choose(choice)

    def _add_and_choose(self, choice: Choice) -> None:
        if choice.key not in self.model.values:
            self.model.add(choice.title, choice.key)
        self.model.choose(choice.key)
        self._on_model_chosen()

    def _on_prepared(self, prepared: tuple[list[Choice], list[type[Segmenter]]]) -> None:
        models, segmenters = prepared
        self.cells.set_segmenters(segmenters)
        self.status.busy("")
        self._list_models(models)

    def _list_models(self, models: list[Choice]) -> None:
        self._choices = {choice.key: choice for choice in models}
        self.model.refill([(choice.title, choice.key) for choice in models])
        for number, choice in enumerate(models):
            self.model.setItemData(number, plain(choice.about or choice.key), Qt.ItemDataRole.ToolTipRole)
        popup = self.model.view()
        popup.setMinimumWidth(popup.sizeHintForColumn(0) + 2 * popup.verticalScrollBar().sizeHint().width())
        if self._wanted is None and self._kept is not None and self._is_here(self._kept.model):
            self._wanted = self._kept.model
        if self._wanted is not None:
            self._add_and_choose(self._choices.get(self._wanted) or of_path(self._wanted))
        elif self.model.count():
            self._on_model_chosen()
        else:
            self.status.say("There is no model yet: train one on a folder, or open one.")

    def _is_here(self, key: str) -> bool:
        choice = self._choices.get(key)
        return Path(key).exists() if choice is None else not choice.to_fetch

    def _on_model_chosen(self) -> None:
        key = self.model.value
        choice = self._choices.get(key)
        self.model.setToolTip(plain(choice.about if choice is not None and choice.about else str(key)))
        if choice is not None and choice.to_fetch:
            loaded = self.session.loaded
            self.fetch.offer(choice.key, choice.to_fetch, "" if loaded is None else loaded.model.name)
            return
        self.fetch.withdraw()
        if key is not None:
            self.session.set_model(key)

    def _on_fetched(self, fetched: FetchedModel) -> None:
        """List the model as one that is here now, and choose it."""
        self._wanted = fetched.name
        self._listing.submit(choices)
        show_info(fetched.remark or f"{fetched.name} is on this computer now.")

    def _on_model_failed(self) -> None:
        """Let the list say which model goes on; the first where the one of a dock before does not open any more."""
        kept, self._kept = self._kept, None
        if self.session.loaded is not None:
            self.model.choose(self.session.loaded.key)
        elif kept is not None:
            self._wanted = None
            broken = self.model.value
            others = (key for key in self.model.values if key != broken and self._is_here(key))
            if self.model.choose(next(others, None)):
                self._on_model_chosen()

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", "IMPA models (*.impa)")
        if path:
            self.use_model(path)

    def _open_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a run or a published checkpoint")
        if path:
            self.use_model(path)

    def _on_model(self, loaded: Loaded) -> None:
        model = loaded.model
        self.status.say("")
        self.about.setText(model.describe())
        about = f"{loaded.key}\nChannels: {', '.join(model.channels)}\nPredicts on: {loaded.device}"
        self.about.setToolTip(plain(about))
        self._offer_orders(model.channels)
        self.turn_into.set_model(loaded)
        kept, self._kept = self._kept, None
        if kept is not None and kept.model == loaded.key:
            self.turn_into.restore(kept.targets, kept.compound)
        self.turn_into_label.setText(self.turn_into.label)
        from napari_impa.engine.model.misfits import weaknesses

        self._say_doubts(weaknesses(model))
        self._ask()
        self.cells.set_model(model.channels, model.size)

    def _say_doubts(self, lines: tuple[str, ...]) -> None:
        """Say, in one line under the model, why its pictures may be wrong; the tooltip has all reasons."""
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        self.doubts.setText(plain(f"⚠ {lines[0]}{more}" if lines else ""))
        self.doubts.setToolTip(plain("\n".join(lines)))
        self.doubts.setVisible(bool(lines))

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

            simulated = are_simulated(found.cells) or "scene" in found.layers.says
            self._say_doubts(misfits(loaded.model, found.cells, simulated=simulated))
        if found is not None and loaded is not None and loaded.model.task == "batch":
            self.turn_into.start_elsewhere(found.said_condition(loaded.model.label))
        self.cells.overview.set_cell(self.session.cell)
        self.changes.set_result(None)
        self.changes.set_cell(self.session.cell)
        if found is None:
            self.keep.set_result(None, None, None)
            if not self.cells.missing:  # which is said already
                self.status.say("")
        self._offer_views(found)

    # ---- views ------------------------------------------------------------------------------------------------------

    def _offer_views(self, found: Found | None) -> None:
        """Let only those be chosen whose needs are there; the first takes the place of one that is no more."""
        loaded = self.session.loaded
        for number, view in enumerate(VIEWS):
            missing = "" if found is None or loaded is None else view.missing(found, loaded)
            item = self.view.model().item(number)
            item.setEnabled(not missing)
            item.setToolTip(missing or view.tip)
            if missing and self.view.value is view:
                self.view.choose(VIEWS[0])
                self._on_view_chosen()

    def _on_view_chosen(self, *_: Any) -> None:
        self._show_controls()
        self.session.set_view(self.view.value)
        self._tell_result()

    def _show_controls(self) -> None:
        for kind, form in self.view_controls.items():
            form.set_visible(self.view.value.controls is kind)

    def _on_controls(self, form: TypedForm) -> None:
        controls = form.value
        if isinstance(controls, GalleryControls) and controls.order not in ORDERS and self.changes.changes is None:
            self.what_changed.expand()  # which measures the cells
        self.session.steer_view(controls)

    def _offer_orders(self, channels: Sequence[str]) -> None:
        """Let the gallery be ordered by what cells of such channels are measured by."""
        self.view_controls[GalleryControls].offer("order", (*ORDERS, *measurement_names(channels)))

    # ---- requests and results ---------------------------------------------------------------------------------------

    def _ask(self, *_: Any) -> None:
        targets = self.turn_into.targets
        if targets and self.session.loaded is not None:
            values = round(self.strength.value(), 2), round(self.variability.value(), 2), self.seed.value()
            self.session.set_request(Request(targets, *values))

    def _whole_request(self) -> tuple[Loaded, Request, Segmenter | None] | None:
        """What a whole folder is turned into: as the form says."""
        loaded, targets = self.session.loaded, self.turn_into.targets
        if loaded is None or not targets:
            return None
        values = round(self.strength.value(), 2), round(self.variability.value(), 2), self.seed.value()
        return loaded, Request(targets, *values), self.cells.segmenter.segmenter

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
        self.fetch.close_row()
        self.whole.close_form()
        self._listing.cancel()
        self._preparing.cancel()
        self.turn_into.set_model(None)
        self.changes.set_result(None)
        self.keep.set_result(None, None, None)
        self.session.close()
