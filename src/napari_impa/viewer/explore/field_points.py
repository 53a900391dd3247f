"""The explored cells as points over their field: those chosen on the map light up, and those selected here do there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray

from napari_impa.viewer.explore.map_plot import CHOSEN
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.layers.sources import MADE_BY

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_impa.viewer.explore.explored_cells import ExploredCells


class FieldPoints:
    """Two Points layers: all cells, which can be selected with napari's own tools, and those that are chosen.

    Parameters
    ----------
    explored
        Must have come from layers that show a field.
    choose
        Called with the rows that were selected in the field.
    """

    def __init__(
        self, viewer: ViewerModel, explored: ExploredCells, choose: Callable[[NDArray[np.intp]], object]
    ) -> None:
        found = explored.found
        assert found is not None
        assert found.marks is not None
        self.viewer, self._choose, self._quiet = viewer, choose, False
        self._at, options = _places(found)
        size = max(4, explored.cells.size // 4)
        about = {MADE_BY: {"explored": True}}
        self.all = Points(
            self._at, name="cells explored", size=size, face_color="transparent", border_color="white",
            border_width=0.08, opacity=0.7, features=explored.columns, metadata=about, **options,
        )  # fmt: skip
        self.all.editable = True
        self.chosen = Points(
            self._at[:0], name="cells chosen", ndim=self._at.shape[1], size=size, face_color=CHOSEN,
            border_color=CHOSEN, opacity=0.8, metadata=about, **options,
        )  # fmt: skip
        before = set(viewer.layers.selection)
        viewer.add_layer(self.chosen)
        viewer.add_layer(self.all)
        self.all.mode = "select"
        self.all.help = "Select cells (click, or drag a box) to light them up on the map"
        if not before:
            viewer.layers.selection = {self.all}
        self.all.selected_data.events.items_changed.connect(self._on_selected)

    def show(self, rows: NDArray[np.integer]) -> None:
        """Light cells up."""
        self._quiet = True
        self.chosen.data = self._at[rows]
        self._quiet = False

    def close(self) -> None:
        """Take the layers away."""
        self.abandon()
        for layer in (self.all, self.chosen):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def abandon(self) -> None:
        """Follow selections no more."""
        with suppress(ValueError, TypeError):
            self.all.selected_data.events.items_changed.disconnect(self._on_selected)

    def _on_selected(self, event: Any = None) -> None:
        rows = np.array(sorted(self.all.selected_data), np.intp)
        if not self._quiet and len(self.all.data) == len(self._at):
            self._choose(rows)


def _places(found: Found) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Where each cell lies, in the pixels of the field, and what makes a layer lie there."""
    assert found.marks is not None
    data, options = found.layers.in_series(found.marks)
    at = found.cells.table[["y", "x"]].to_numpy(float)
    if "step" in found.cells.table:
        between = np.zeros((len(at), data.ndim - 3))
        at = np.column_stack([found.cells.table["step"].to_numpy(float), between, at])
    return at, options
