"""What the Perturb dock does, without its form: a model, cells from layers, a request, and a view that follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from napari_impa.errors import ImpaError
from napari_impa.viewer.choice import CellChoice
from napari_impa.viewer.finding import Found, find_cells
from napari_impa.viewer.jobs import Failure, Latest
from napari_impa.viewer.models import Loaded, load
from napari_impa.viewer.outlines import Outlines
from napari_impa.viewer.prediction import (
    Block,
    EncodedCells,
    Predicted,
    Request,
    made_by,
    paste_cells,
    predict_cells,
)
from napari_impa.viewer.views import IN_PLACE, SIDE_BY_SIDE, VIEWS, View

if TYPE_CHECKING:
    from napari.components import ViewerModel


class PerturbSession(QObject):
    """One model on some cells of a viewer; every setting that changes makes the result follow.

    Signals
    -------
    model_changed, cells_changed
        `Loaded` or None; `Found` or None.
    predicted
        `Predicted`, when all cells are there.
    failed
        `Failure`; what was shown before stays.
    busy_changed
        What is being done in words, or an empty text.
    """

    model_changed = Signal(object)
    cells_changed = Signal(object)
    predicted = Signal(object)
    failed = Signal(object)
    busy_changed = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.loaded: Loaded | None = None
        self.found: Found | None = None
        self.request: Request | None = None
        self.view_name = SIDE_BY_SIDE
        self.view: View | None = None
        self.result: Predicted | None = None
        self._choice: CellChoice | None = None
        self._encoded: EncodedCells | None = None
        self._outlines: Outlines | None = None
        self._all: Found | None = None
        self._by_hand: set[int] = set()
        self._loading, self._finding, self._predicting = Latest(self), Latest(self), Latest(self)
        self._loading.succeeded.connect(self._on_loaded)
        self._finding.succeeded.connect(self._on_found)
        self._finding.failed.connect(self._on_nothing_found)
        self._predicting.reported.connect(self._on_block)
        self._predicting.succeeded.connect(self._on_predicted)
        self._predicting.failed.connect(self._on_prediction_failed)
        for latest in (self._loading, self._finding, self._predicting):
            latest.failed.connect(self.failed)
            latest.idle.connect(self._say_busy)

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

    def leave_out(self, row: int, out: bool) -> None:
        """Leave a cell out by hand, or take it in again; `row` counts `found.candidates`."""
        if self._all is None or row not in self._all.rows:
            return
        by_hand = self._by_hand | {row} if out else self._by_hand - {row}
        every = self._all
        try:
            found = every.taking(~np.isin(every.rows, list(by_hand)))
        except ImpaError as error:
            self.failed.emit(Failure.of(error))
            return
        self._use(found)
        self._all, self._by_hand = every, by_hand

    def set_request(self, request: Request | None) -> None:
        """Say what the cells are to be turned into."""
        if request != self.request:
            self.request = request
            self._predict()

    def set_view(self, name: str) -> None:
        """Choose `side by side`, `in place` or `difference`."""
        if name != self.view_name:
            self.view_name = name
            self._close_view()
            self._show_again()

    def close(self) -> None:
        """Stop every job and put the viewer back as it was; may be called twice."""
        self._cancel()
        self._forget_cells(tell=False)
        self.loaded = self._choice = None

    def abandon(self) -> None:
        """Stop every job and let go of a viewer that is being closed."""
        self._cancel()
        if self.view is not None:
            self.view.abandon()
        if self._outlines is not None:
            self._outlines.abandon()
        self._all = None
        self.view = self._outlines = self.found = self._encoded = self.result = self.loaded = self._choice = None

    def _cancel(self) -> None:
        for latest in (self._loading, self._finding, self._predicting):
            latest.cancel()

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self._loading.busy or self._finding.busy or self._predicting.busy

    # ---- what happens then ------------------------------------------------------------------------------------------

    def _on_loaded(self, loaded: Loaded) -> None:
        self._predicting.cancel()
        self._forget_cells()
        self.loaded, self.request = loaded, None
        self.model_changed.emit(loaded)

    def _on_found(self, found: Found) -> None:
        if self.loaded is not None:
            self._use(found)
            self._all, self._by_hand = found, set()

    def _use(self, found: Found) -> None:
        assert self.loaded is not None
        self._forget_cells(tell=False)
        self.found = found
        self._encoded = EncodedCells(self.loaded, found)
        if found.marks is not None:
            self._outlines = Outlines(self.viewer, found, self.leave_out)
        self.cells_changed.emit(found)
        self._predict()

    def _on_nothing_found(self, failure: Failure) -> None:
        self._forget_cells()

    def _predict(self) -> None:
        if self._encoded is None or self.request is None:
            return
        self._predicting.submit(
            predict_cells, self._encoded, self.request, self._cell_in_sight(), self.view_name == IN_PLACE
        )
        self._say_busy()

    def _on_block(self, block: Block) -> None:
        view = self._open_view()
        if view is not None:
            view.show_block(block, self._about(block.request))

    def _on_predicted(self, predicted: Predicted) -> None:
        self.result = predicted
        view = self._open_view()
        if view is not None:
            view.show(predicted, self._about(predicted.request))
        self.predicted.emit(predicted)

    def _on_prediction_failed(self, failure: Failure) -> None:
        """Blocks of the failed request may be on show already: go back to the last whole result."""
        if self.result is not None:
            view = self._open_view()
            if view is not None:
                view.show(self.result, self._about(self.result.request))

    def _show_again(self) -> None:
        """Show the result there is in another view; a result that is under way will come by itself."""
        if self.result is None or self.found is None or self._predicting.busy:
            self._predict()
        elif self.view_name == IN_PLACE and self.result.field is None and self.found.field is not None:
            self._predicting.submit(paste_cells, self.found, self.result)
            self._say_busy()
        else:
            self._on_predicted(self.result)

    # ---- layers -----------------------------------------------------------------------------------------------------

    def _open_view(self) -> View | None:
        if self.view is not None and not self.view.whole:  # the user deleted one of its layers
            self._close_view()
        if self.view is None and self.found is not None:
            kind = VIEWS[self.view_name if self.found.field is not None else self._view_of_crops()]
            hide: list[Layer] = [] if self._choice is None else list(self._choice.layers)
            if (
                kind.name != IN_PLACE
            ):  # the grid shows crops; everything else that is visible would make panes of its own
                hide = list(self.viewer.layers)
            self.view = kind(self.viewer, self.found, hide)
        return self.view

    def _view_of_crops(self) -> str:
        return SIDE_BY_SIDE if self.view_name == IN_PLACE else self.view_name

    def _close_view(self) -> None:
        if self.view is not None:
            self.view.close()
            self.view = None

    def _forget_cells(self, *, tell: bool = True) -> None:
        self._predicting.cancel()
        self._close_view()
        if self._outlines is not None:
            self._outlines.close()
        had = self.found is not None
        self._outlines = self.found = self._all = self._encoded = self.result = None
        if had and tell:
            self.cells_changed.emit(None)

    def _cell_in_sight(self) -> int:
        step = self.viewer.dims.current_step
        return int(step[0]) if self.view is not None and len(step) > 2 else 0

    def _about(self, request: Request) -> dict[str, Any]:
        return made_by(self.loaded, request) if self.loaded is not None else {}

    def _say_busy(self) -> None:
        texts = (
            (self._loading, "Loading the model …"),
            (self._finding, "Finding cells …"),
            (self._predicting, "Predicting …"),
        )
        self.busy_changed.emit(next((text for latest, text in texts if latest.busy), ""))
