"""What the Perturb dock does, without its form: a model, cells from layers, a request, and a view that follows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_impa.errors import ImpaError
from napari_impa.viewer.kit.canvas import tell_of_layers
from napari_impa.viewer.kit.jobs import Failure, Latest
from napari_impa.viewer.layers.cell_choice import CellChoice
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.chosen_cells import ChosenCells, follow_chosen, tell_chosen
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.layers.outlines import Outlines
from napari_impa.viewer.layers.sources import Look, is_source
from napari_impa.viewer.library.models import Loaded, load
from napari_impa.viewer.perturb.prediction import EncodedCells, predict_cells
from napari_impa.viewer.perturb.request import AboutTarget, Predicted, PredictedBlock, Request, made_by
from napari_impa.viewer.perturb.stage import ViewStage
from napari_impa.viewer.perturb.views import View
from napari_impa.viewer.perturb.views.view import FurtherResult, ViewActs, compute_further

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_impa.analysis.changes import Changes


PREDICTING = "Predicting …"


class PerturbSession(QObject):
    """One model on some cells of a viewer; every setting that changes makes the result follow.

    Signals
    -------
    model_changed, cells_changed
        `Loaded` or None; `Found` or None.
    cell_changed
        Row of the cell in sight.
    predicted
        `Predicted`, when all cells are there.
    further_changed
        The view, one of `VIEWS`, that has all that it shows beyond the prediction.
    failed
        `Failure`; what was shown before stays.
    model_failed
        A model could not be loaded; the one before stays.
    busy_changed
        What is being done in words, or an empty text.
    image_came
        An image of the user's, opened while a view has the canvas: it is hidden, as it would be a pane beside crops.
    stepped_aside
        The layers of another dock that are shown in place of the view.
    """

    image_came = Signal(object)
    stepped_aside = Signal(object)
    model_changed = Signal(object)
    cells_changed = Signal(object)
    cell_changed = Signal(int)
    predicted = Signal(object)
    further_changed = Signal(object)
    failed = Signal(object)
    model_failed = Signal()
    busy_changed = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.loaded: Loaded | None = None
        self.found: Found | None = None
        self.request: Request | None = None
        acts = ViewActs(self.show_cell, self.leave_out_cell, self.undo_leaving_out, self.choose_cells)
        self._stage = ViewStage(viewer, acts)
        self.result: Predicted | None = None
        self.further: dict[type[View], Any] = {}
        self.everything: Found | None = None
        self.kept = np.zeros(0, bool)
        self._kept_before: list[NDArray[np.bool_]] = []
        self.cell = 0
        self.chosen = np.empty(0, np.intp)
        self._choice: CellChoice | None = None
        self._encoded: EncodedCells | None = None
        self._all_encoded: EncodedCells | None = None
        self._outlines: Outlines | None = None
        self._aside: list[tuple[Layer, bool]] = []
        self._seen, self._waiting, self._doing = True, False, PREDICTING
        self._loading, self._finding, self._predicting = Latest(self), Latest(self), Latest(self)
        self._loading.succeeded.connect(self._on_loaded)
        self._loading.failed.connect(self.model_failed)
        self._finding.succeeded.connect(self._on_found)
        self._finding.failed.connect(self._on_nothing_found)
        self._predicting.reported.connect(self._on_block)
        self._predicting.succeeded.connect(self._on_result)
        self._predicting.failed.connect(self._on_prediction_failed)
        for latest in (self._loading, self._finding, self._predicting):
            latest.failed.connect(self.failed)
            latest.idle.connect(self._say_busy)
        self._predicting.idle.connect(self._predict_newest)
        viewer.dims.events.current_step.connect(self._on_step)
        viewer.layers.events.inserted.connect(self._on_inserted)
        tell_of_layers(self.make_room)
        follow_chosen(self._on_chosen_elsewhere)

    # ---- what can be set --------------------------------------------------------------------------------------------

    def set_model(self, key: str) -> None:
        """Load a model; what is shown stays until it is there."""
        self._loading.submit(load, key)
        self._say_busy()

    def set_cells(self, choice: CellChoice | None) -> None:
        """Cut cells from layers; None takes the cells away."""
        self._choice = choice
        if choice is None or self.loaded is None:
            self._finding.cancel()
            self._forget_cells()
            return
        model = self.loaded.model
        try:
            plain = choice.plain(tuple(model.channels), model.size, model.task)
        except ImpaError as error:
            self._finding.cancel()
            self._forget_cells()
            self.failed.emit(Failure.of(error))
            return
        self._finding.submit(find_cells, *plain)
        self._say_busy()

    def set_request(self, request: Request | None) -> None:
        """Say what the cells are to be turned into."""
        if request != self.request:
            self.request = request
            self._predict()

    def set_view(self, kind: type[View]) -> None:
        """Choose one of `views.VIEWS`."""
        if kind is not self._stage.wanted:
            self._stage.wanted = kind
            self._show_again()

    def steer_view(self, controls: Any) -> None:
        """Set what can be set of the views that have `controls` of this type."""
        self._stage.steer(controls)

    def show_cell(self, row: int) -> None:
        """Bring the crop of a row of `found` up; where the view shows a field, the next view of crops starts there."""
        if self.found is None or not 0 <= row < len(self.found.cells):
            return
        self._stage.show_cell(row)
        self._on_cell(row)

    def choose_cells(self, rows: NDArray[np.intp]) -> None:
        """Choose rows of `found`, which light up in other docks, too."""
        self.chosen = rows
        if self.found is not None:
            tell_chosen(ChosenCells.of(self.found, rows), self)

    def leave_out(self, candidate: int, out: bool = True) -> None:
        """Leave a cell out, or take it in again, without encoding the others again.

        `candidate` is a row of `found.candidates`; one that was left out for another reason stays out.
        """
        everything = self.everything
        if everything is not None and len(everything.rows):
            this = everything.rows == candidate
            self._keep(self.kept & ~this if out else self.kept | this)

    def leave_out_cell(self, row: int) -> None:
        """Leave out the cell of a row of `found`, as `leave_out`."""
        kept = self.kept.copy()
        kept[np.flatnonzero(kept)[row]] = False
        self._keep(kept)

    def undo_leaving_out(self) -> None:
        """Keep those cells again that were kept before the last was left out or taken in."""
        if self._kept_before:
            before = self._kept_before[:-1]
            self._keep(self._kept_before[-1])
            self._kept_before = before

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Keep (n,) some of all the cells."""
        everything, all_encoded = self.everything, self._all_encoded
        if everything is None or all_encoded is None or np.array_equal(kept, self.kept):
            return
        try:
            found = everything if kept.all() else everything.taking(kept)
        except ImpaError as error:
            self.failed.emit(Failure.of(error))
            return
        history = [*self._kept_before, self.kept]
        numbers, now = np.flatnonzero(self.kept), np.flatnonzero(kept)
        in_sight = int(numbers[min(self.cell, len(numbers) - 1)]) if len(numbers) else 0
        self._forget_cells(tell=False)
        self.everything, self.kept, self._all_encoded, self._kept_before = everything, kept, all_encoded, history
        self.cell = int(np.searchsorted(now, in_sight))  # the same cell, or the next
        self._start_with(found, all_encoded if kept.all() else all_encoded.taking(found, now))

    def describe_cells(self, changes: Changes | None, condition: str = "") -> None:
        """Put what was measured of each cell under a condition into the features of the layer that outlines them."""
        if self._outlines is not None and self.found is not None:
            self._outlines.describe(self.found, changes, condition)
        if self.view is not None:
            self.view.show_measured(changes)

    def looks_now(self) -> tuple[Look, ...] | None:
        """How each channel is shown at present, which the user may have changed; None where no channel is."""
        return None if self.view is None else self.view.looks_now()

    def step_aside(self, layers: Sequence[Layer]) -> None:
        """Take the view off the canvas, so that layers are seen as the field that they are; `come_back` ends that."""
        self._stage.close()
        if any(layer in self.viewer.layers for layer in layers):
            self._aside = [(other, other.visible) for other in self.viewer.layers]
            for other in self.viewer.layers:
                other.visible = other in layers
            self.viewer.reset_view()

    def make_room(self, layers: Sequence[Layer]) -> None:
        """Step aside for layers that another dock shows, where the view has the canvas of the same viewer."""
        view = self.view
        here = any(layer in self.viewer.layers for layer in layers)
        if here and view is not None and view.whole and view.panes.in_grid:
            self.step_aside(layers)
            self.stepped_aside.emit(layers)

    def come_back(self) -> None:
        """Show the result again."""
        self._show()

    def close(self) -> None:
        """Stop every job and put the viewer back as it was; may be called twice."""
        self._cancel()
        self._forget_cells(tell=False)
        self.loaded = self._choice = None
        self.viewer.dims.events.current_step.disconnect(self._on_step)
        self.viewer.layers.events.inserted.disconnect(self._on_inserted)

    def abandon(self) -> None:
        """Stop every job and let go of a viewer that is being closed."""
        self._cancel()
        self._stage.abandon()
        if self._outlines is not None:
            self._outlines.abandon()
        self._outlines = self.found = self.everything = self._encoded = self._all_encoded = None
        self.result = self.loaded = self._choice = None
        self.further, self._aside = {}, []

    def _cancel(self) -> None:
        for latest in (self._loading, self._finding, self._predicting):
            latest.cancel()

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._loading.busy or self._finding.busy or self._predicting.busy

    @property
    def step(self) -> tuple[int, ...]:
        """The viewer's step on the source's axes, whatever cell is in sight."""
        return self._stage.step

    @property
    def view(self) -> View | None:
        """What is on show."""
        return self._stage.view

    @property
    def view_kind(self) -> type[View]:
        """The view that is wanted, one of `views.VIEWS`, or the one in its place where that cannot be."""
        return self._stage.wanted if self._encoded is None else self._stage.kind(self._encoded)

    # ---- what happens then ------------------------------------------------------------------------------------------

    def _on_loaded(self, loaded: Loaded) -> None:
        self._predicting.cancel()
        self._forget_cells()
        self.loaded, self.request = loaded, None
        self.model_changed.emit(loaded)

    def _on_found(self, found: Found) -> None:
        if self.loaded is None:
            return
        self._forget_cells(tell=False)
        self.everything, self.kept, self._kept_before = found, np.ones(len(found.cells), bool), []
        self._all_encoded = EncodedCells(self.loaded, found)
        self._start_with(found, self._all_encoded)

    def _start_with(self, found: Found, encoded: EncodedCells) -> None:
        self.found, self._encoded = found, encoded
        self.cell = encoded.in_sight = min(self.cell, len(found.cells) - 1)
        if found.marks is not None:
            self._outlines = Outlines(self.viewer, found, self.leave_out, self.show_cell)
            self._outlines.mark(self.cell)
        self.cells_changed.emit(found)
        self._predict()

    def _on_nothing_found(self, failure: Failure) -> None:
        self._forget_cells()

    def _predict(self) -> None:
        """Predict the newest request; one under way first shows the cell in sight, so that a slider shows steps."""
        if self._encoded is None or self.request is None:
            return
        if self._predicting.busy and not self._seen:
            self._waiting = True
            return
        self._seen = self._waiting = False
        further = self.view_kind.further
        self._encoded.rows_first = () if self.view is None else self.view.rows_first()
        self._doing = PREDICTING
        self._predicting.submit(predict_cells, self._encoded, self.request, further and further.in_sight)
        self._say_busy()

    def _predict_newest(self) -> None:
        self._seen = True
        if self._waiting:
            self._predict()

    def _on_block(self, block: PredictedBlock) -> None:
        view = self._open_view(block.request)
        if view is not None:
            view.show_block(block, self._about(block.request))
        if block.number == len(block.request.targets) - 1 and isinstance(block, self.view_kind.takes):
            self._predict_newest()

    def _on_result(self, result: Predicted | FurtherResult) -> None:
        if isinstance(result, FurtherResult):
            self.further[result.view] = result.value
            self._show()
            self.further_changed.emit(result.view)
            return
        self.result, self.further = result, {}
        self._show()
        self.predicted.emit(result)
        if not self._waiting:
            self._go_further()

    def _show(self) -> None:
        """Show what there is of the result in the view that is wanted."""
        result = self.result
        view = None if result is None else self._open_view(result.request)
        if result is None or view is None:
            return
        about = self._about(result.request)
        view.show(result, about)
        if type(view) in self.further:
            view.show_further(result, self.further[type(view)], about)
        if self._outlines is not None and not view.panes.in_grid:
            self._outlines.put_on_top()

    def _go_further(self) -> None:
        """Compute what the view shows beyond the prediction, where that is not there yet."""
        kind = self.view_kind
        if kind.further is not None and kind not in self.further and self._encoded is not None:
            self._doing = kind.further.busy
            self._predicting.submit(compute_further, kind, self._encoded, self.result)
            self._say_busy()

    def _on_prediction_failed(self, failure: Failure) -> None:
        """Blocks of the failed request may be on show already: go back to the last whole result."""
        if self.result is not None:
            self._show()
        else:
            self._stage.close()

    def _show_again(self) -> None:
        """Show the result there is in another view; a result that is under way will come by itself."""
        if self.result is None or self.found is None or self._predicting.busy or self.result.request != self.request:
            self._predict()
        elif self.view_kind.further is None or self.view_kind in self.further:
            self._show()
        else:
            self._go_further()

    def _on_inserted(self, event: Any) -> None:
        """Hide an image that was opened beside crops or the gallery, where it would be a black pane, and tell of it."""
        layer, view = event.value, self.view
        if view is not None and view.whole and view.panes.in_grid and is_source(layer):
            view.panes.hide(layer)
            self.image_came.emit(layer)

    def _on_step(self, event: Any = None) -> None:
        if self._stage.cell is not None:
            self._on_cell(self._stage.cell)

    def _on_cell(self, row: int) -> None:
        if self.found is not None and row != self.cell and 0 <= row < len(self.found.cells):
            self.cell = row
            if self._encoded is not None:
                self._encoded.in_sight = row
            if self._outlines is not None:
                self._outlines.mark(row)
            self.cell_changed.emit(row)

    def _on_chosen_elsewhere(self, chosen: ChosenCells) -> None:
        if self.found is not None:
            self.chosen = chosen.rows_in(self.found)
            if self.view is not None:
                self.view.light(self.chosen)

    # ---- layers -----------------------------------------------------------------------------------------------------

    def _open_view(self, request: Request) -> View | None:
        if self._encoded is None:
            return None
        self._show_others_again()
        sources = () if self._choice is None else self._choice.layers
        view, row = self.view, self.cell
        opened = self._stage.open(request, self._encoded, sources, row)
        if opened is not view:
            opened.light(self.chosen)
            self.cell = row  # while layers come and go, napari's slider passes other rows
        return opened

    def _show_others_again(self) -> None:
        """Show what was hidden while the view stood aside."""
        for layer, visible in self._aside:
            layer.visible = visible
        self._aside = []

    def _forget_cells(self, *, tell: bool = True) -> None:
        self._show_others_again()
        self._predicting.cancel()
        self._seen, self._waiting = True, False
        self._stage.close()
        if self._outlines is not None:
            self._outlines.close()
        had = self.found is not None
        self._outlines = self.found = self.everything = self._encoded = self._all_encoded = None
        self.result, self.further, self.chosen = None, {}, np.empty(0, np.intp)
        if had and tell:
            self.cells_changed.emit(None)

    def _about(self, request: Request) -> AboutTarget:
        loaded = self.loaded
        return lambda number: {} if loaded is None else made_by(loaded, request, number)

    def _say_busy(self) -> None:
        texts = (
            (self._loading, "Loading the model …"),
            (self._finding, "Finding cells …"),
            (self._predicting, self._doing),
        )
        self.busy_changed.emit(next((text for latest, text in texts if latest.busy), ""))
