"""Which view of a prediction is on show: opened when there is something to see, made anew where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Layer

from napari_impa.viewer.perturb.prediction import EncodedCells
from napari_impa.viewer.perturb.request import Request
from napari_impa.viewer.perturb.views import VIEWS, View
from napari_impa.viewer.perturb.views.view import ViewActs

if TYPE_CHECKING:
    from napari.components import ViewerModel


class ViewStage:
    """Holds one view at a time.

    Parameters
    ----------
    viewer
        Where views are opened.
    acts
        What views may ask for.
    """

    def __init__(self, viewer: ViewerModel, acts: ViewActs | None = None) -> None:
        self.viewer, self.acts = viewer, acts or ViewActs()
        self.wanted = VIEWS[0]
        self.view: View | None = None
        self._controls: dict[type[Any], Any] = {}
        self._remembered: dict[type[View], Any] = {}

    @property
    def cell(self) -> int | None:
        """Row of the cell on show; None where no crops are."""
        shows = self.view is not None and self.view.shows_cells and self.view.whole
        return self.view.panes.cell if self.view is not None and shows else None

    @property
    def step(self) -> tuple[int, ...]:
        """The viewer's step on the source's axes, whatever cell is in sight."""
        crops = self.view is not None and self.view.shows_cells
        return self.view.panes.step_before if self.view is not None and crops else self.viewer.dims.current_step

    def steer(self, controls: Any) -> None:
        """Let the views that have such controls follow them, now and later."""
        self._controls[type(controls)] = controls
        if self.view is not None and self.view.controls is type(controls):
            self.view.steer(controls)

    def kind(self, encoded: EncodedCells) -> type[View]:
        """The view that is wanted, or the first of all where that is not possible with these cells."""
        return VIEWS[0] if self.wanted.missing(encoded.found, encoded.loaded) else self.wanted

    def show_cell(self, row: int) -> None:
        """Bring a crop up."""
        if self.view is not None and self.view.shows_cells:
            self.viewer.dims.set_point(self.view.panes.cell_axis, row)
        elif self.view is not None:
            self.view.bring_up(row)

    def open(self, request: Request, encoded: EncodedCells, sources: Sequence[Layer], row: int) -> View:
        """Return a view that can show a request; made anew where another is wanted or a layer of it was deleted.

        Parameters
        ----------
        request
            What is to be shown.
        encoded
            The cells, with the real ones beside them.
        sources
            The layers that the cells came from.
        row
            The cell on show in a new view.
        """
        found, real, view = encoded.found, encoded.real, self.view
        kind = self.kind(encoded)
        if view is not None and type(view) is kind and view.whole and view.fits(request, real):
            view.show_real(request, real)
            return view
        with self.viewer.layers.batched_update():  # one scene to be drawn, not one a layer
            self._close()
            # In the grid everything else that is visible would make panes of its own.
            in_grid = kind.shows_cells or kind.alone or len(request.targets) > 1
            hide = list(self.viewer.layers) if in_grid else list(sources)
            self.view = kind(self.viewer, found, request, hide, real)
        self.view.acts = self.acts
        if kind.controls in self._controls:
            self.view.steer(self._controls[kind.controls])
        if kind in self._remembered:
            self.view.recall(self._remembered.pop(kind))
        if kind.shows_cells:
            self.show_cell(row)
        return self.view

    def close(self) -> None:
        """Put the viewer back as it was."""
        if self.view is not None:
            with self.viewer.layers.batched_update():  # else napari looks for garbage after every layer
                self._close()

    def _close(self) -> None:
        if self.view is not None:
            view, self.view = self.view, None
            if (remembered := view.remembered()) is not None:
                self._remembered[type(view)] = remembered
            view.close()

    def abandon(self) -> None:
        """Let go of a viewer that is being closed."""
        if self.view is not None:
            self.view.abandon()
            self.view = None
