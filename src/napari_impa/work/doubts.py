"""What is doubtful about the cells that something is done with, in sentences that every command and dock says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.checks.of_cells import cells_concerns
from napari_impa.cells.store import Cells
from napari_impa.engine.model.misfits import misfits
from napari_impa.engine.model.model import IMPA


def doubts(
    cells: Cells, model: IMPA | None = None, rows: NDArray[np.integer] | None = None, *, simulated: bool | None = None
) -> tuple[str, ...]:
    """Say in what cells are unlike those of a model, and what is doubtful about them by themselves.

    Parameters
    ----------
    model
        That they are given to; None where there is none.
    rows
        Of the cells that the model is given; all where None.
    simulated
        As for `misfits`.

    Raises
    ------
    ModelError
        As `model.fit`.
    """
    unlike = () if model is None else misfits(model, cells, rows, simulated=simulated)
    return (*unlike, *(concern.message for concern in cells_concerns(cells)))
