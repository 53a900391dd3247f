"""What the Perturb dock does, without its form: a model, cells from layers, a request, and a view that follows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Layer
from qtpy.QtCore import QObject, Signal

from napari_impa.errors import CellsError, ImpaError
from napari_impa.viewer.channels import MADE_BY, channel_layers, mask_plane
from napari_impa.viewer.finding import CROPS, LABELS, Found, find_cells
from napari_impa.viewer.jobs import Failure, Latest
from napari_impa.viewer.models import Loaded, load
from napari_impa.viewer.prediction import (
    Block,
    EncodedCells,
    Predicted,
    Request,
    Spread,
    SpreadBlock,
    made_by,
    paste_cells,
    predict_cells,
    spread_cells,
)
from napari_impa.viewer.view import About
from napari_impa.viewer.views import (
    IN_PLACE,
    RATE,
    SIDE_BY_SIDE,
    UNCERTAINTY,
    VIEWS,
    Flicker,
    SideBySide,
    Uncertainty,
    View,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

DRAWS = 8
"""Noise draws of an uncertainty map."""


@dataclass(frozen=True, eq=False)
class CellChoice:
    """Where the cells are to come from.

    Parameters
    ----------
    layers
        One layer for each of the model's channels.
    method
        A segmenter's name, `labels` or `crops`.
    nuclei_channel
        Which of the channels shows nuclei.
    mask
        The Labels layer, for the method `labels`.
    """

    layers: tuple[Layer, ...]
    method: str
    nuclei_channel: int = 0
    mask: Labels | None = None


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
    spread_changed
        `Spread`, when the view `uncertainty` has that of all cells.
    failed
        `Failure`; what was shown before stays.
    busy_changed
        What is being done in words, or an empty text.
    """

    model_changed = Signal(object)
    cells_changed = Signal(object)
    cell_changed = Signal(int)
    predicted = Signal(object)
    spread_changed = Signal(object)
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
        self.spread: Spread | None = None
        self.everything: Found | None = None
        self.kept = np.zeros(0, bool)
        self.cell = 0
        self.flicker_rate = RATE
        self._choice: CellChoice | None = None
        self._encoded: EncodedCells | None = None
        self._all_encoded: EncodedCells | None = None
        self._outlines: Labels | None = None
        self._seen, self._waiting = True, False
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
        self._predicting.idle.connect(self._predict_newest)
        viewer.dims.events.current_step.connect(self._on_step)

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
        step, model = self.step, self.loaded.model
        try:
            layers = channel_layers(choice.layers, step=step, stacks=choice.method == CROPS)
            mask = mask_plane(choice.mask, step=step) if choice.method == LABELS and choice.mask is not None else None
        except ImpaError as error:
            self._forget_cells()
            self.failed.emit(Failure.of(error))
            return
        self._finding.submit(find_cells, layers, model.channels, model.size, choice.method, choice.nuclei_channel, mask)
        self._say_busy()

    def set_request(self, request: Request | None) -> None:
        """Say what the cells are to be turned into."""
        if request != self.request:
            self.request = request
            self._predict()

    def set_view(self, name: str) -> None:
        """Choose one of `views.VIEWS`."""
        if name != self.view_name:
            self.view_name = name
            self._show_again()

    def set_flicker_rate(self, rate: float) -> None:
        """Let control and predicted cells take turns so many times a second; 0 stops."""
        self.flicker_rate = rate
        if isinstance(self.view, Flicker):
            self.view.set_rate(rate)

    def show_cell(self, row: int) -> None:
        """Bring the crop of a row of `found` up; where the view shows a field, the next view of crops starts there."""
        if self.found is None or not 0 <= row < len(self.found.cells):
            return
        if self.view is not None and self.view.shows_cells:
            self.viewer.dims.set_current_step(self.view.panes.cell_axis, row)
        self._on_cell(row)

    def leave_out(self, row: int, out: bool = True) -> None:
        """Leave a cell out, or take it in again, without encoding the others again.

        `row` counts all cells that were found (`everything`), of which `kept` says the ones that are in.
        """
        if self.everything is None or self._encoded is None or bool(self.kept[row]) is not out:
            return
        kept = self.kept.copy()
        kept[row] = not out
        if not kept.any():
            self.failed.emit(Failure.of(CellsError("At least one cell must stay; take another one in first.")))
            return
        everything, all_encoded = self.everything, self._all_encoded
        self._forget_cells(tell=False)
        self.everything, self.kept, self._all_encoded = everything, kept, all_encoded
        assert all_encoded is not None
        found = everything if kept.all() else everything.taking(kept)
        encoded = all_encoded if kept.all() else all_encoded.taking(found, np.flatnonzero(kept))
        self._start_with(found, encoded)

    def close(self) -> None:
        """Stop every job and put the viewer back as it was; may be called twice."""
        self._cancel()
        self._forget_cells(tell=False)
        self.loaded = self._choice = None
        self.viewer.dims.events.current_step.disconnect(self._on_step)

    def abandon(self) -> None:
        """Stop every job and let go of a viewer that is being closed."""
        self._cancel()
        if self.view is not None:
            self.view.abandon()
        self.view = self._outlines = self.found = self.everything = self._encoded = self._all_encoded = None
        self.result = self.spread = self.loaded = self._choice = None

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
        crops = self.view is not None and self.view.shows_cells
        return self.view.panes.step_before if self.view is not None and crops else self.viewer.dims.current_step

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
        self.everything, self.kept = found, np.ones(len(found.cells), bool)
        self._all_encoded = EncodedCells(self.loaded, found)
        self._start_with(found, self._all_encoded)

    def _start_with(self, found: Found, encoded: EncodedCells) -> None:
        self.found, self._encoded = found, encoded
        self.cell = encoded.in_sight = min(self.cell, len(found.cells) - 1)
        self._show_outlines(found)
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
        draws = DRAWS if self.view_name == UNCERTAINTY else 0
        self._predicting.submit(predict_cells, self._encoded, self.request, self.view_name == IN_PLACE, draws)
        self._say_busy()

    def _predict_newest(self) -> None:
        self._seen = True
        if self._waiting:
            self._predict()

    def _on_block(self, block: Block) -> None:
        view = self._open_view(block.request)
        if view is not None:
            view.show_block(block, self._about(block.request))
        if block.number == len(block.request.targets) - 1 and (
            isinstance(block, SpreadBlock) or self.view_name != UNCERTAINTY
        ):
            self._predict_newest()

    def _on_predicted(self, result: Predicted | Spread) -> None:
        if isinstance(result, Spread):
            self.spread = result
            self._show_spread(result)
            self.spread_changed.emit(result)
            return
        self.result, self.spread = result, None
        view = self._open_view(result.request)
        if view is not None:
            view.show(result, self._about(result.request))
        self.predicted.emit(result)
        if self.view_name == UNCERTAINTY:
            self._measure_spread()

    def _measure_spread(self) -> None:
        if self._encoded is not None and self.request is not None and not self._waiting:
            self._predicting.submit(spread_cells, self._encoded, self.request, DRAWS)
            self._say_busy()

    def _show_spread(self, spread: Spread) -> None:
        view = self._open_view(spread.request)
        if isinstance(view, Uncertainty):
            view.show_spread(spread, self._about(spread.request))

    def _on_prediction_failed(self, failure: Failure) -> None:
        """Blocks of the failed request may be on show already: go back to the last whole result."""
        if self.spread is not None and self.view_name == UNCERTAINTY:
            self._show_spread(self.spread)
        elif self.result is not None:
            view = self._open_view(self.result.request)
            if view is not None:
                view.show(self.result, self._about(self.result.request))

    def _show_again(self) -> None:
        """Show the result there is in another view; a result that is under way will come by itself."""
        if self.result is None or self.found is None or self._predicting.busy or self.result.request != self.request:
            self._predict()
        elif self.view_name == IN_PLACE and self.result.fields is None and self.found.field is not None:
            self._predicting.submit(paste_cells, self.found, self.result)
            self._say_busy()
        elif self.view_name == UNCERTAINTY and self.spread is not None:
            self._show_spread(self.spread)
        elif self.view_name == UNCERTAINTY:
            self._measure_spread()
        else:
            view = self._open_view(self.result.request)
            if view is not None:
                view.show(self.result, self._about(self.result.request))

    def _on_step(self, event: Any = None) -> None:
        if self.view is not None and self.view.shows_cells and self.view.whole:
            self._on_cell(self.view.panes.cell)

    def _on_cell(self, row: int) -> None:
        if self.found is not None and row != self.cell and row < len(self.found.cells):
            self.cell = row
            if self._encoded is not None:
                self._encoded.in_sight = row
            self.cell_changed.emit(row)

    # ---- layers -----------------------------------------------------------------------------------------------------

    def _open_view(self, request: Request) -> View | None:
        """Return a view that can show a request; made anew where another is wanted or the user deleted a layer of it."""
        if self.found is None or self._encoded is None:
            return None
        kind, real = VIEWS[self._wanted_view(self.found)], self._encoded.real
        if self.view is not None and self.view.name == kind.name and self.view.whole and self.view.fits(request, real):
            if isinstance(self.view, SideBySide):
                self.view.show_real(request, real)
            return self.view
        row = self.cell
        with self.viewer.layers.batched_update():  # one scene to be drawn, not one a layer
            self._close_view()
            # The grid shows crops; everything else that is visible would make panes of its own.
            sources = [] if self._choice is None else list(self._choice.layers)
            hide = list(self.viewer.layers) if kind.shows_cells else sources
            self.view = kind(self.viewer, self.found, request, hide, real)
        if isinstance(self.view, Flicker):
            self.view.set_rate(self.flicker_rate)
        if kind.shows_cells:
            self.viewer.dims.set_current_step(self.view.panes.cell_axis, row)
            self.cell = row
        return self.view

    def _wanted_view(self, found: Found) -> str:
        return SIDE_BY_SIDE if self.view_name == IN_PLACE and found.field is None else self.view_name

    def _close_view(self) -> None:
        if self.view is not None:
            self.view.close()
            self.view = None

    def _forget_cells(self, *, tell: bool = True) -> None:
        self._predicting.cancel()
        self._seen, self._waiting = True, False
        self._close_view()
        if self._outlines is not None and self._outlines in self.viewer.layers:
            self.viewer.layers.remove(self._outlines)
        had = self.found is not None
        self._outlines = self.found = self.everything = self._encoded = self._all_encoded = None
        self.result = self.spread = None
        if had and tell:
            self.cells_changed.emit(None)

    def _show_outlines(self, found: Found) -> None:
        """Nuclei found here become a layer, so that it can be seen what was taken for a cell."""
        if found.labels is None or found.method == LABELS:
            return
        place = found.layers.place
        self._outlines = Labels(
            found.labels,
            name=f"{found.method} found",
            scale=place.scale,
            translate=place.translate,
            units=tuple(str(unit) for unit in place.units),
            opacity=0.6,
            metadata={MADE_BY: {"segmenter": found.method}},
        )
        self._outlines.contour = 1
        chosen = set(self.viewer.layers.selection)
        self.viewer.add_layer(self._outlines)
        self.viewer.layers.selection = chosen

    def _about(self, request: Request) -> About:
        loaded = self.loaded
        return lambda number: {} if loaded is None else made_by(loaded, request, number)

    def _say_busy(self) -> None:
        texts = (
            (self._loading, "Loading the model …"),
            (self._finding, "Finding cells …"),
            (self._predicting, "Predicting …"),
        )
        self.busy_changed.emit(next((text for latest, text in texts if latest.busy), ""))
