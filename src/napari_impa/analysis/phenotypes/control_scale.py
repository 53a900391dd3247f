"""The scale that phenotypes are told on: measurements of cells in standard deviations of the control cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features import FEATURE_SPACES, FeatureSpace
from napari_impa.analysis.features.reduction import FEWEST_KNOWN
from napari_impa.analysis.measurements import Yardstick
from napari_impa.cells.store import Cells
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

FURTHEST = 10.0
"""Standard deviations at which a measurement of a cell is cut."""

FEWEST_CONTROLS = 8
"""Control cells that a scale needs."""

WHAT_CHANGED = "what changed"
"""Name of the measures of *What changed*: few, with plain names, and quick; the others are feature spaces'."""

MEASURED_BY = (WHAT_CHANGED, *(space.name for space in FEATURE_SPACES if space.columns is not None))
"""What cells can be measured by here: whatever has names."""


@dataclass(frozen=True, eq=False)
class ControlScale:
    """Measures cells, and puts the numbers on the scale of the control cells.

    Attributes
    ----------
    names
        What the d measurements are called in tables.
    middle, scale
        (d,) median of the control cells, and their interquartile range over 1.349.
    """

    names: tuple[str, ...]
    middle: NDArray[np.float64]
    scale: NDArray[np.float64]
    _kept: NDArray[np.intp]
    _measure: Callable[..., NDArray[np.float64]]

    @classmethod
    def of(cls, model: IMPA, controls: Cells, by: str = WHAT_CHANGED, *, watch: Watch = UNWATCHED) -> ControlScale:
        """Learn the scale of control cells.

        Parameters
        ----------
        model
            Whose limits and channels count.
        controls
            Cells as the model takes them (`IMPA.fit`).
        by
            One of `MEASURED_BY`.

        Raises
        ------
        CellsError
            If there is no such way to measure, there are too few controls, or no measurement differs between them.
        """
        if len(controls) < FEWEST_CONTROLS:
            raise CellsError(f"A scale needs {FEWEST_CONTROLS} control cells or more, not {len(controls)}.")
        names, measure = _measuring(model, controls, by)
        values = measure(np.asarray(controls.pixels), watch=watch)
        known = np.isfinite(values)
        some = np.flatnonzero(known.mean(0) >= FEWEST_KNOWN)
        low, middle, high = np.nanpercentile(values[:, some], [25, 50, 75], axis=0)
        spread = np.nanstd(values[:, some], axis=0)
        scale = np.where(high > low, (high - low) / 1.349, spread)
        varies = (scale > 1e-9 * np.maximum(np.abs(middle), 1)) & (spread > 0)
        if not varies.any():
            raise CellsError("No measurement differs between the control cells, so that no change can be told.")
        kept = some[varies]
        return cls(tuple(names[n] for n in kept), middle[varies], scale[varies], kept, measure)

    def __call__(self, pixels: NDArray[Any], *, watch: Watch = UNWATCHED) -> NDArray[np.float64]:
        """Measure cells (N, C, S, S) → (N, d) in standard deviations from the middle control; NaN where unknown."""
        return self.scaled(self.raw(pixels, watch=watch))

    def raw(self, pixels: NDArray[Any], *, watch: Watch = UNWATCHED) -> NDArray[np.float64]:
        """(N, d) measurements in their own units."""
        return self._measure(np.asarray(pixels), watch=watch)[:, self._kept]

    def scaled(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, d) raw measurements on the scale."""
        out: NDArray[np.float64] = np.clip((raw - self.middle) / self.scale, -FURTHEST, FURTHEST)
        return out


def _measuring(model: IMPA, controls: Cells, by: str) -> tuple[Sequence[str], Callable[..., NDArray[np.float64]]]:
    """Names of measurements, and the function that takes them."""
    if by == WHAT_CHANGED:
        yardstick = Yardstick.of(controls)
        words = yardstick.columns[["channel", "feature"]].itertuples(index=False)
        return [" ".join(pair) for pair in words], yardstick.measure
    space: FeatureSpace | None = next((one for one in FEATURE_SPACES if one.name == by), None)
    if space is None or space.columns is None:
        raise CellsError(f"Cells cannot be measured by {by!r} here; there are: {', '.join(MEASURED_BY)}.")
    nuclei = guess_nuclei_channel(model.channels) or 0
    names = [one.name for one in space.columns(model.channels)]
    return names, partial(_described, space, model.limits, nuclei)


def _described(
    space: FeatureSpace, limits: NDArray[np.float64], nuclei: int, pixels: NDArray[Any], *, watch: Watch
) -> NDArray[np.float64]:
    return space.describe(pixels, limits, nuclei=nuclei, watch=watch)
