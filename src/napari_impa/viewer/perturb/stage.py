"""Which view of a prediction is on show: opened when there is something to see, made anew where it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari.layers import Layer

from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.perturb.prediction import EncodedCells, Request
from napari_impa.viewer.perturb.views.registry import IN_PLACE, RATE, SIDE_BY_SIDE, VIEWS, Flicker, SideBySide, View

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Stage:
    """Holds one view at a time.

    Parameters
    ----------
    viewer
        Where views are opened.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.wanted = SIDE_BY_SIDE
        self.view: View | None = None
        self._rate = RATE

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

    def set_rate(self, rate: float) -> None:
        """Let control and predicted cells take turns so many times a second; 0 stops."""
        self._rate = rate
        if isinstance(self.view, Flicker):
            self.view.set_rate(rate)

    def show_cell(self, row: int) -> None:
        """Bring a crop up, where crops are on show."""
        if self.view is not None and self.view.shows_cells:
            self.viewer.dims.set_point(self.view.panes.cell_axis, row)

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
        kind = VIEWS[self._possible(found)]
        if view is not None and view.name == kind.name and view.whole and view.fits(request, real):
            if isinstance(view, SideBySide):
                view.show_real(request, real)
            return view
        with self.viewer.layers.batched_update():  # one scene to be drawn, not one a layer
            self.close()
            # In the grid everything else that is visible would make panes of its own.
            in_grid = kind.shows_cells or len(request.targets) > 1
            hide = list(self.viewer.layers) if in_grid else list(sources)
            self.view = kind(self.viewer, found, request, hide, real)
        self.set_rate(self._rate)
        self.show_cell(row)
        return self.view

    def close(self) -> None:
        """Put the viewer back as it was."""
        if self.view is not None:
            view, self.view = self.view, None
            view.close()

    def abandon(self) -> None:
        """Let go of a viewer that is being closed."""
        if self.view is not None:
            self.view.abandon()
            self.view = None

    def _possible(self, found: Found) -> str:
        return SIDE_BY_SIDE if self.wanted == IN_PLACE and found.field is None else self.wanted
