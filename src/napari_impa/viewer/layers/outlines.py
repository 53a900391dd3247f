"""Outlines of the cells found, a layer over the field: which were taken, which left out, and changing it by a click.

napari's features table takes a label's number for its row, so that the background has the first row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_impa.viewer.layers.found_cells import BY_HAND, LABELS, POINTS, Found
from napari_impa.viewer.layers.sources import MADE_BY

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_impa.analysis.changes import Changes

TAKEN, LEFT_OUT = "#ffd43b", "#ff3b30"
"""Told apart under additive channels too, which brighten what lies below them."""
_WHAT = {LABELS: "Labels", POINTS: "Points"}


class Outlines:
    """A contour around every cell seen; a click brings its crop up, Shift and a click leave it out or take it in again.

    Parameters
    ----------
    viewer
        Where the layer is added.
    found
        Must have marks.
    leave_out
        Called with a row of `found.candidates` and whether it is to be left out.
    bring_up
        Called with a row of `found.cells`.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        found: Found,
        leave_out: Callable[[int, bool], None],
        bring_up: Callable[[int], None],
    ) -> None:
        assert found.marks is not None
        self.viewer, self._found, self._leave_out, self._bring_up = viewer, found, leave_out, bring_up
        self._marking = False
        reasons = found.candidates["reason"].to_numpy()
        numbers = np.arange(1, len(reasons) + 1)
        colours: dict[int | None, str] = {0: "transparent", None: TAKEN}
        colours |= dict.fromkeys(numbers[reasons != ""].tolist(), LEFT_OUT)
        marks, options = found.layers.in_series(found.marks)
        self.layer = Labels(
            marks,
            name=f"cells found ({_WHAT.get(found.method, found.method)})",
            features=self._features(),
            colormap=DirectLabelColormap(color_dict=colours),
            opacity=0.9,
            metadata={MADE_BY: {"segmenter": found.method, "left_out": dict(found.left_out)}},
            **options,
        )
        self.layer.contour = 1
        self.layer.editable = False
        self.layer.help = "Click a cell to bring its crop up, Shift+click to leave it out or take it in again"
        chosen = set(viewer.layers.selection)
        viewer.add_layer(self.layer)
        viewer.layers.selection = chosen
        viewer.mouse_drag_callbacks.append(self._on_click)
        self.layer.events.selected_label.connect(self._on_row)

    def _features(self) -> pd.DataFrame:
        reasons = self._found.candidates["reason"]
        said = ["background", *(reason or "taken" for reason in reasons)]
        return pd.DataFrame({"index": np.arange(len(said)), "cell": said})

    def describe(self, found: Found, changes: Changes | None, condition: str = "") -> None:
        """Put what was measured of cells under a condition into the layer's features; None takes it away.

        `changes` has a row for each of `found.cells`.
        """
        from napari_impa.analysis.changes import features_table

        if changes is None:
            self.layer.features = self._features()
            return
        measured = features_table(changes).drop(columns="index", errors="ignore")
        if len(measured) == len(found.rows):
            measured.insert(0, "predicted", condition)
            self.layer.features = self._features().join(measured.set_index(found.rows + 1))

    def close(self) -> None:
        """Take the layer away and follow clicks no more."""
        self.abandon()
        if self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)

    def abandon(self) -> None:
        """Follow clicks no more; the layer stays where it is."""
        with suppress(ValueError, TypeError):  # it was done before
            self.layer.events.selected_label.disconnect(self._on_row)
        if self._on_click in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._on_click)

    def mark(self, cell: int) -> None:
        """Choose the row of a cell, a row of `found.cells`, in napari's features table."""
        if 0 <= cell < len(self._found.rows):
            self._marking = True
            self.layer.selected_label = int(self._found.rows[cell]) + 1
            self._marking = False

    def put_on_top(self) -> None:
        """Put the layer above all others, which would brighten its colours."""
        layers = self.viewer.layers
        if self.layer in layers and layers[-1] is not self.layer:
            layers.move(layers.index(self.layer), len(layers))

    def candidate_at(self, position: Any) -> int | None:
        """Row of the candidate at a point of the world, or None."""
        at = tuple(round(float(value)) for value in self.layer.world_to_data(position))
        data = self.layer.data
        if any(not 0 <= number < size for number, size in zip(at, data.shape, strict=True)):
            return None
        return int(data[at]) - 1 if data[at] else None

    def _on_row(self, event: Any = None) -> None:
        """Bring up the cell whose row was chosen in napari's features table."""
        row = int(self.layer.selected_label) - 1
        if not self._marking and row in self._found.rows:
            self._bring_up(int(np.flatnonzero(self._found.rows == row)[0]))

    def _on_click(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        if event.button != 1 or self.layer not in viewer.layers or not self.layer.visible:
            return
        pressed, with_shift = event.pos, "Shift" in event.modifiers
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.subtract(event.pos, pressed)).max() > 3:  # it was dragged
            return
        row = self.candidate_at(event.position)
        if row is not None and with_shift:
            self._leave_out(row, self._found.candidates["reason"][row] != BY_HAND)
        elif row is not None and row in self._found.rows:
            self._bring_up(int(np.flatnonzero(self._found.rows == row)[0]))
