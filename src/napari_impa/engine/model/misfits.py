"""In what cells are unlike those that a model learned from, in sentences: what it makes of such cells may be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.store import Cells

LOOKED_AT = 200
"""Cells whose pixels are looked at."""

ANOTHER_SIZE = 0.05
"""Share by which pixels may be larger or smaller than the model's."""

FEW_STEPS = 500
"""Steps of training below which hardly a model has begun to turn cells."""

BRIGHTER = 4.0
"""So many times as bright, or as dark, a channel's brightest pixels are said to be others than the model's."""

OUTSIDE = 0.5
"""Share of a channel's pixels above the model's limits, or of its cells that nothing rises from the ground in."""


class FittedModel(Protocol):
    """What has to be known of a model for that."""

    history: dict[str, Any]
    channels: tuple[str, ...]
    limits: NDArray[np.float64]
    pixel_size: float | None

    def fit(self, cells: Cells) -> Cells:
        """As `IMPA.fit`."""


def weaknesses(model: FittedModel) -> tuple[str, ...]:
    """Say of a model alone why it may turn no cells at all well: hardly trained, or worse than leaving them alone."""
    said = []
    steps, closed = model.history.get("steps"), model.history.get("gap_closed")
    if isinstance(steps, int) and steps < FEW_STEPS:
        said.append(f"The model was trained for {steps:,} steps only, and has hardly learned yet; train it longer.")
    if isinstance(closed, float) and closed < 0:
        said.append(
            f"On cells held out of its training the model is worse than leaving cells as they are (gap closed "
            f"{closed:.2f}; 0 is the control, 1 real cells)."
        )
    return tuple(said)


def are_simulated(cells: Cells) -> bool:
    """Whether cells say of themselves that they were simulated."""
    return _simulated(cells.history) or "scene" in cells.table


def learned_from_simulated(model: FittedModel) -> bool:
    """Whether a model says that the cells of its training were simulated."""
    source = model.history.get("source")
    cells = source.get("cells") if isinstance(source, Mapping) else None
    return isinstance(cells, Mapping) and _simulated(cells)


def _simulated(history: Mapping[str, Any]) -> bool:
    return any(str(name).startswith("simulated") for name in history)


def misfits(
    model: FittedModel, cells: Cells, rows: NDArray[np.integer] | None = None, *, simulated: bool | None = None
) -> tuple[str, ...]:
    """Say what of channels, pixel size and intensities is other than in the cells that a model learned from.

    What the model is weak at by itself (`weaknesses`) comes first.

    Parameters
    ----------
    rows
        Of the cells that are meant; all where None.
    simulated
        Whether the cells are simulated; as they say themselves (`are_simulated`) where None.

    Raises
    ------
    ModelError
        As `model.fit`.
    """
    return (*weaknesses(model), *differences(model, cells, rows, simulated=simulated))


def differences(
    model: FittedModel, cells: Cells, rows: NDArray[np.integer] | None = None, *, simulated: bool | None = None
) -> tuple[str, ...]:
    """Say of cells what `misfits` says, without what the model is weak at by itself; parameters and errors as there."""
    said, rows = [], np.arange(len(cells)) if rows is None else rows
    if learned_from_simulated(model) and not (are_simulated(cells) if simulated is None else simulated):
        said.append("The model learned from simulated cells: of cells that are real, what it makes means nothing.")
    some = np.unique(np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).astype(int))
    fitted = model.fit(cells.take(rows[some]))
    if sorted(fitted.channels) != sorted(model.channels):
        pairs = ", ".join(
            f"{name} for {other}" for name, other in zip(fitted.channels, model.channels, strict=True) if name != other
        )
        said.append(f"Channels are taken {pairs} (guessed); where that is wrong, name them as the model does.")
    if model.pixel_size and cells.pixel_size and abs(cells.pixel_size / model.pixel_size - 1) > ANOTHER_SIZE:
        factor = model.pixel_size / cells.pixel_size
        much = f"{factor:.3g} times as large" if factor > 1 else f"{1 / factor:.3g} times as small"
        said.append(
            f"Pixels are {cells.pixel_size:g} µm, and those that the model learned from {model.pixel_size:g} µm: to it "
            f"these cells are {much}; resample the images to {model.pixel_size:g} µm a pixel."
        )
    for name, pixels, (low, high) in zip(fitted.channels, np.moveaxis(fitted.pixels, 1, 0), model.limits, strict=True):
        if not len(pixels):
            break
        dark = float((pixels.max(axis=(1, 2)) <= low + 0.02 * (high - low)).mean())
        bright = float((pixels >= high).mean())
        if dark > OUTSIDE or bright > OUTSIDE:
            what = "black" if dark > OUTSIDE else "white"
            said.append(
                f"Channel {name} is {what} to the model, whose cells go from {low:g} to {high:g} where these go from "
                f"{pixels.min():g} to {pixels.max():g}; give images of the same bit depth and exposure."
            )
            continue
        top = float(np.quantile(np.nan_to_num(pixels, posinf=0), 0.999))
        factor = max(top - low, 0) / (high - low) if high > low else 1.0
        if factor >= BRIGHTER or factor <= 1 / BRIGHTER:
            said.append(
                f"Channel {name} goes up to {top:g}, and that of the cells that the model learned from up to {high:g}: "
                "give images of the same bit depth and exposure."
            )
    return tuple(said)
