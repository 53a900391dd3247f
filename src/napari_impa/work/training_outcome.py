"""How a training begins and how it ended, in plain values that need no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_impa.cells.store import Cells


@dataclass(frozen=True)
class TrainingStart:
    """A training begins: on which cells, on which device, by what the model is kept, whether it is scored.

    Parameters
    ----------
    cells, channels, pixel_size
        Of all cells, those held out among them.
    device
        What it computes on, and why.
    steps_done
        Of a run that is resumed.
    kept
        A sentence.
    scored
        Whether the gap closed on held-out cells is measured.
    floor
        Gap that other real cells close; NaN where that is not known.
    counts
        Training cells by condition.
    taken_over
        A sentence on the model that it goes on from; empty where there is none.
    """

    cells: int
    channels: tuple[str, ...]
    pixel_size: float | None
    device: str
    steps_done: int
    kept: str
    scored: bool = True
    floor: float = math.nan
    counts: Mapping[str, int] = field(default_factory=dict)
    taken_over: str = ""


@dataclass(frozen=True, eq=False)
class Trained:
    """How the training ended, on which cells, which were held out, and whether it came to the end of its budget."""

    model_path: Path
    message: str
    cells: Cells
    hold_out: Mapping[str, Sequence[str]]
    complete: bool
