"""Cells that are measured once, to be compared with what is predicted of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.watch import Token

if TYPE_CHECKING:
    from napari_impa.analysis.changes import Changes
    from napari_impa.analysis.measurements import Yardstick
    from napari_impa.cells.store import Cells

MOST_TREATED = 500
"""Real treated cells measured, evenly spread over all there are."""


class MeasuredCells:
    """Control and treated cells, of which each is measured once; one job at a time may use it."""

    def __init__(self, cells: Cells, treated: Callable[[str], NDArray[Any] | None]) -> None:
        self.cells = cells
        self._treated_of = treated
        self._yardstick: Yardstick | None = None
        self._control: NDArray[np.float64] | None = None
        self._done = 0
        self._treated: dict[str, NDArray[np.float64] | None] = {}

    @property
    def yardstick(self) -> Yardstick:
        """What all cells are measured by."""
        from napari_impa.analysis.measurements import Yardstick

        if self._yardstick is None:
            self._yardstick = Yardstick.of(self.cells)
        return self._yardstick

    def one(self, row: int, pixels: NDArray[Any]) -> Changes:
        """Measure one cell."""
        from napari_impa.analysis.changes import Changes

        values = self.yardstick.measure(np.stack([self.cells.pixels[row], pixels[row]]))
        return Changes(self.yardstick.columns, values[:1], values[1:])

    def all(self, token: Token, name: str, pixels: NDArray[Any]) -> Changes:
        """Measure all cells, the controls from where a cancelled job has left off."""
        from napari_impa.analysis.changes import Changes
        from napari_impa.analysis.measurements import BLOCK

        yardstick, control = self.yardstick, self.cells.pixels
        if self._control is None:
            self._control = np.full((len(control), len(yardstick.columns)), np.nan)
        while self._done < len(control):
            token.check()
            rows = slice(self._done, self._done + BLOCK)
            self._control[rows] = yardstick.measure(control[rows])
            self._done += BLOCK
        predicted = yardstick.measure(pixels, watch=token)
        if name not in self._treated:
            real = self._treated_of(name)
            if real is not None and len(real):
                some = np.unique(np.linspace(0, len(real) - 1, min(len(real), MOST_TREATED)).astype(int))
                self._treated[name] = yardstick.measure(np.asarray(real[some]), watch=token)
            else:
                self._treated[name] = None
        table = self.cells.table
        labels = table["label"].to_numpy() if "label" in table else None
        return Changes(yardstick.columns, self._control, predicted, self._treated[name], labels)


def measure(token: Token, measured: MeasuredCells, name: str, pixels: NDArray[Any], row: int) -> Changes:
    """Measure the cell in sight, which is reported, and then all cells."""
    token.send((row, measured.one(row, pixels)))
    return measured.all(token, name, pixels)
