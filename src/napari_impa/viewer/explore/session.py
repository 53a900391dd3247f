"""What the Explore dock does, without its form: a model, cells, a map, and which cells are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_impa.viewer.explore.explored_cells import ExploredCells, lay_out
from napari_impa.viewer.explore.field_points import FieldPoints
from napari_impa.viewer.kit.jobs import Latest
from napari_impa.viewer.layers.chosen_cells import ChosenCells, follow_chosen, tell_chosen
from napari_impa.viewer.library.models import Loaded, load

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_impa.analysis.phenotypes.style_map import CellMap


class ExploreSession(QObject):
    """One model on some cells.

    Signals
    -------
    model_changed, cells_changed
        `Loaded`; `ExploredCells` or None.
    map_changed
        `CellMap`, of the cells there are.
    chosen_changed
        (n,) rows of the cells that are chosen, on the map or in the field.
    failed
        `Failure`.
    busy_changed
        What is being done in words, or an empty text.
    """

    model_changed = Signal(object)
    cells_changed = Signal(object)
    map_changed = Signal(object)
    chosen_changed = Signal(object)
    failed = Signal(object)
    busy_changed = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.loaded: Loaded | None = None
        self.explored: ExploredCells | None = None
        self.map: CellMap | None = None
        self.chosen: NDArray[np.intp] = np.empty(0, np.intp)
        self.points: FieldPoints | None = None
        self.folder: Path | None = None
        self._loading, self._laying = Latest(self), Latest(self)
        self._loading.succeeded.connect(self._on_loaded)
        self._laying.succeeded.connect(self._on_map)
        for latest in (self._loading, self._laying):
            latest.failed.connect(self.failed)
            latest.idle.connect(self._say_busy)
        follow_chosen(self._on_chosen_elsewhere)

    @property
    def busy(self) -> bool:
        """Whether a model is loaded or a map is laid out."""
        return self._loading.busy or self._laying.busy

    def set_model(self, key: str) -> None:
        """Load a model."""
        self._loading.submit(load, key)
        self._say_busy()

    def set_cells(self, explored: ExploredCells | None) -> None:
        """Take other cells; the map is to be asked for."""
        self._forget_cells()
        self.explored = explored
        if explored is not None and explored.found is not None and explored.found.marks is not None:
            self.points = FieldPoints(self.viewer, explored, self.choose)
        self.cells_changed.emit(explored)

    def lay_out(self, of: str, by: str) -> None:
        """Ask for a map of `styles` or `measurements`."""
        if self.explored is not None:
            self._laying.submit(lay_out, self.explored, of, by)
            self._say_busy()

    def choose(self, rows: NDArray[np.intp]) -> None:
        """Choose cells, which then light up on the map, in the field and in the gallery."""
        self._light(rows)
        if self.explored is not None and self.explored.found is not None:
            tell_chosen(ChosenCells.of(self.explored.found, rows), self)

    def _on_chosen_elsewhere(self, chosen: ChosenCells) -> None:
        if self.explored is not None and self.explored.found is not None:
            self._light(chosen.rows_in(self.explored.found))

    def _light(self, rows: NDArray[np.intp]) -> None:
        self.chosen = rows
        if self.points is not None:
            self.points.show(rows)
        self.chosen_changed.emit(rows)

    def close(self) -> None:
        """Stop every job and take the layers away."""
        self._loading.cancel()
        self._laying.cancel()
        self._forget_cells()
        self.loaded = None

    def abandon(self) -> None:
        """Stop every job and let go of a viewer that is being closed."""
        self._loading.cancel()
        self._laying.cancel()
        if self.points is not None:
            self.points.abandon()
        self.points = self.explored = self.map = self.loaded = None

    def _on_loaded(self, loaded: Loaded) -> None:
        if self.explored is not None:
            self.set_cells(None)
        self.loaded = loaded
        self.model_changed.emit(loaded)

    def _on_map(self, found: CellMap) -> None:
        self.map = found
        self.map_changed.emit(found)

    def _forget_cells(self) -> None:
        self._laying.cancel()
        if self.points is not None:
            self.points.close()
        self.points = self.explored = self.map = None
        self.chosen = np.empty(0, np.intp)

    def _say_busy(self) -> None:
        loading = "Loading the model …" if self._loading.busy else ""
        self.busy_changed.emit(loading or ("Laying out the map …" if self._laying.busy else ""))
