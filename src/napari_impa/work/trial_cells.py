"""Cells to try a trained model on, where no image is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_impa.cells.store import Cells, open_cells
from napari_impa.errors import ImpaError
from napari_impa.watch import UNWATCHED, Watch
from napari_impa.work.tables.conditions_table import held_rows
from napari_impa.work.training_plan import plan_of

MOST = 200
"""Cells opened."""


@dataclass(frozen=True, eq=False)
class ToTry:
    """A model, and cells for it where they were found."""

    model_path: Path
    cells: Cells | None

    @property
    def prefix(self) -> str:
        """What the names of the layers begin with."""
        return "control cells · " if self.cells is not None and self.cells.control else "cells · "


def cells_to_try(cells: Cells, hold_out: Mapping[str, Sequence[str]]) -> Cells:
    """Take control cells, or any where there is no control; those that were held out where there are any."""
    wanted = np.ones(len(cells), bool) if cells.control is None else np.asarray(cells.is_control)
    held = wanted & held_rows(cells.table, hold_out)
    return cells.take(np.flatnonzero(held if held.any() else wanted)[:MOST])


def of_run(folder: Path, *, watch: Watch = UNWATCHED) -> ToTry:
    """Find the model and the cells of a run.

    Raises
    ------
    TrainingError
        If the folder holds no run.
    """
    from napari_impa.engine.training.run_folder.run import Run

    run = Run(folder)
    settings = run.settings
    try:
        plan = plan_of(folder)
        path = next(path for path in (plan.source, plan.cells_path) if (path / "meta.json").is_file())
        cells = open_cells(path).labelled(plan.label, plan.control)
    except (ImpaError, StopIteration):  # the model can be used on what the user opens
        return ToTry(run.model_path, None)
    watch.check()
    return ToTry(run.model_path, cells_to_try(cells, settings.hold_out))
