"""What did this, asked of the cells of a source: controls and calibration from its own wells, plate by plate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.phenotypes.causes import LikelyCauses
from napari_impa.analysis.phenotypes.control_scale import FEWEST_CONTROLS
from napari_impa.analysis.phenotypes.real_effects import evenly, imaged_together, measured
from napari_impa.analysis.phenotypes.shifts import mean_of_known
from napari_impa.analysis.selection import held_out_rows
from napari_impa.cells.store import Cells
from napari_impa.cells.words import BATCH_LABEL, PLATE, WELL
from napari_impa.engine.describing.new_condition import Target
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, ConditionError
from napari_impa.watch import UNWATCHED, Checked, PartOf, Watch

CONTROLS = 200
"""Control cells that are turned into every condition."""

OF_A_WELL = 100
"""Cells of a well that are measured."""


@dataclass(frozen=True, eq=False)
class SourceCauses:
    """What can be asked of a source: which conditions did something to some of its cells.

    Attributes
    ----------
    causes
        Conditions as they would make the controls.
    offsets
        By plate (or batch), how far its controls lie from all (d,); other plates are taken as they are.
    """

    model: IMPA
    cells: Cells
    causes: LikelyCauses
    offsets: dict[str, NDArray[np.float64]]

    @property
    def calibrated_on(self) -> int:
        """Groups of cells that probabilities were calibrated on; 0 where they are only in order."""
        return self.causes.calibration.groups

    def measured(self, rows: NDArray[np.integer], *, watch: Watch = UNWATCHED) -> NDArray[np.float64]:
        """(n, d) cells at the given rows, as if they were of a plate like all."""
        values = measured(self.model, self.causes.scale, self.cells, rows, watch=watch)
        together = imaged_together(self.cells.table.iloc[rows])
        zero = np.zeros(values.shape[1])
        return values - np.stack([self.offsets.get(one, zero) for one in together]) if len(values) else values

    def rank(self, rows: NDArray[np.integer], *, watch: Watch = UNWATCHED) -> pd.DataFrame:
        """Rank conditions for the cells at the given rows, as `LikelyCauses.rank` does.

        Raises
        ------
        CellsError
            If there is no cell.
        """
        if not len(rows):
            raise CellsError("Choose the treated cells that are asked about.")
        return self.causes.rank(self.measured(rows, watch=watch))


def source_causes(
    model: IMPA, cells: Cells, targets: Sequence[Target] | None = None, *, calibrate: NDArray[np.bool_] | None = None,
    by: str = "fast", seed: int = 0, watch: Watch = UNWATCHED,
) -> SourceCauses:  # fmt: skip
    """Make ready to ask what did something to cells of a source.

    Parameters
    ----------
    model, cells
        That predicts; cells with labels and a control.
    targets
        What may have been done; None for all conditions that the model knows.
    calibrate
        (N,) cells whose wells probabilities are calibrated on, which the model must not have been trained on; None:
        those that its training held out, where the source has such, else half of the wells (`calibration_wells`).

    Raises
    ------
    CellsError, ConditionError, ModelError
        If there are too few controls, or as `IMPA.predict`.
    """
    if cells.control is None or not cells.is_control.any():
        raise ConditionError("What did this is told from control cells; say which label is the control.")
    known = [one for one in (*model.conditions, *model.unseen) if one != model.control]
    asked = list(known if targets is None else targets)
    control = np.flatnonzero(cells.is_control)
    controls = model.fit(cells.take(evenly(control, CONTROLS)))
    part = PartOf(watch, 0, len(asked) + 2, "turning control cells")
    causes = LikelyCauses.of(model, controls, asked, by=by, seed=seed, watch=part)
    together = np.asarray(imaged_together(cells.table))
    everywhere = mean_of_known(measured(model, causes.scale, cells, evenly(control, CONTROLS), watch=Checked(watch)), 0)
    offsets = {}
    for one in sorted(set(together[control])):
        rows = evenly(control[together[control] == one], CONTROLS)
        if len(rows) >= FEWEST_CONTROLS:
            away = mean_of_known(measured(model, causes.scale, cells, rows, watch=Checked(watch)), 0) - everywhere
            offsets[one] = np.nan_to_num(away)
    asking = SourceCauses(model, cells, causes, offsets)
    use = calibration_wells(model, cells) if calibrate is None else calibrate
    groups, names = [], []
    labels, is_control = cells.conditions, cells.is_control
    for rows in wells_of_cells(cells, use):
        watch.check()
        groups.append(asking.measured(evenly(rows, OF_A_WELL), watch=Checked(watch)))
        names.append(causes.names[0] if is_control[rows[0]] else str(labels[rows[0]]))
    watch.report(len(asked) + 1, len(asked) + 2, "calibrating")
    if sum(name in causes.names for name in names) >= 2:
        asking = SourceCauses(model, cells, causes.calibrated(groups, names, seed=seed), offsets)
    return asking


def wells_of_cells(cells: Cells, among: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Rows of each well (where no wells are known, of each field) and condition, among some cells."""
    table = cells.table
    found_columns = (BATCH_LABEL.find(table.columns), PLATE.find(table.columns), WELL.find(table.columns))
    columns = list(dict.fromkeys(one for one in found_columns if one))
    if WELL.find(table.columns) is None and "field" in table:
        columns.append("field")
    keys = table[columns].astype(str).agg(" ".join, axis=1) if columns else pd.Series("", table.index)
    keys = keys + "\0" + pd.Series(np.asarray(cells.conditions, object), table.index).astype(str)
    rows = np.flatnonzero(among)
    found = pd.DataFrame({"key": keys.to_numpy()[rows]}).groupby("key", sort=True).indices
    return [rows[places] for places in found.values()]


def calibration_wells(model: IMPA, cells: Cells) -> NDArray[np.bool_]:
    """(N,) cells that the training held out, where the source has such, else those of every second well."""
    mask = held_out_rows(cells, model.hold_out)
    if mask.any():
        return mask
    names = cells.conditions
    seen: dict[str, int] = {}
    for rows in wells_of_cells(cells, np.ones(len(cells), bool)):
        name = str(names[rows[0]])
        seen[name] = seen.get(name, 0) + 1
        mask[rows] = seen[name] % 2 == 1
    return mask
