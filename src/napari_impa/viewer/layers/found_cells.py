"""Cells from layers: nuclei found here, a Labels or Points layer, or stacks that already are crops."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.crops import paste, without_old_bodies
from napari_impa.cells.store import Cells
from napari_impa.cells.tables import condition_names
from napari_impa.errors import CellsError
from napari_impa.viewer.layers.channels import ChannelLayers

LABELS = "labels"
POINTS = "points"
CROPS = "crops"

CONTROL, INPUT, UNCORRECTED = "control", "input", "uncorrected"
"""What cells are called as they are."""

BORDER = "nearer to the border than half a crop"
OUTSIDE = "outside the region"
BEYOND = "outside the image"
SMALL = "smaller than the minimum area"
PARTLY = "not shown by all channels"
BY_HAND = "left out by hand"


@dataclass(frozen=True, eq=False)
class Found:
    """Cells and where they came from.

    Parameters
    ----------
    cells
        What is turned, crops of the model's side: controls only where the layers name a control. `table` has `y` and
        `x` in pixels of `field`, `label`, and `step` where all steps are taken.
    layers
        The layers they were cut from; `layers.place` is where `field` lies.
    field
        (C, H, W), or (T, C, H, W) of all steps, the pixels they were cut from; None where the layers were crops.
    labels
        (H, W) or (T, H, W) nuclei; None where there are none: crops, and points.
    left_out
        Cells left out, by reason.
    method
        A segmenter's name, `labels`, `points` or `crops`.
    candidates
        One row for every cell seen: `step`, `y`, `x`, `label` and `reason`, which is empty for those taken.
    rows
        (N,) the candidate that each cell is.
    marks
        As `labels`, but with the number of the candidate, counted from 1; disks for points.
    thumbnails
        A small colour picture (h, w, 3) of the field at each step.
    task
        Of the model that they are cut for.
    """

    cells: Cells
    layers: ChannelLayers
    field: NDArray[Any] | None
    labels: NDArray[Any] | None
    left_out: Mapping[str, int]
    method: str
    candidates: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    rows: NDArray[np.intp] = dataclasses.field(default_factory=lambda: np.empty(0, np.intp))
    marks: NDArray[np.int32] | None = None
    thumbnails: tuple[NDArray[np.uint8], ...] = ()
    task: str = "perturbation"

    @property
    def as_it_is(self) -> str:
        """What the cells are called as they are: control only where the layers say so, or else nobody knows."""
        if self.task == "batch":
            return UNCORRECTED
        return CONTROL if self.layers.control is not None or self.layers.of_controls else INPUT

    @property
    def simulated(self) -> bool:
        """Whether the layers say of themselves that they were simulated."""
        return "scene" in self.layers.says

    def said_condition(self, label: Sequence[str]) -> str | None:
        """What most of the cells are, by the columns of a label; None where neither table nor metadata says."""
        table = self.cells.table
        if not set(label) <= set(table):
            table = pd.DataFrame([self.layers.says])
        if not label or not set(label) <= set(table):
            return None
        return str(pd.Series(condition_names(table, label)).mode()[0])

    def describe(self) -> str:
        """Say in a few words how many cells there are, and how many were left out."""
        count, without = len(self.cells), sum(self.left_out.values())
        text = f"{count:,} cell{'s' * (count != 1)}"
        if self.layers.control is not None:
            text = f"{count:,} control cell{'s' * (count != 1)}"
        text += " · planes taken for crops (guessed)" if self.layers.guessed else ""
        return text + (f" · {without:,} left out" if without else "")

    def details(self) -> str:
        """Say the same in full: why cells were left out, and what was done to the layers to make them fit."""
        lines = [self.describe().split(" · ")[0]]
        lines += [f"{count:,} {reason}" for reason, count in self.left_out.items()]
        return "\n".join([*lines, *self.layers.remarks])

    def treated(self, condition: str) -> NDArray[Any] | None:
        """Read (n, C, S, S) real cells of a condition; None where the layers have none."""
        rows = self._treated_rows(condition)
        return self.layers.read_cells(rows, self.cells.size) if len(rows) else None

    def treated_table(self, condition: str) -> pd.DataFrame:
        """What the source's table says of the cells that `treated` reads."""
        table = pd.DataFrame() if self.layers.table is None else self.layers.table
        return table.iloc[self._treated_rows(condition)].reset_index(drop=True)

    def _treated_rows(self, condition: str) -> NDArray[np.intp]:
        if self.layers.table is None or not self.layers.label:
            return np.empty(0, np.intp)
        names = condition_names(self.layers.table, self.layers.label, self.layers.control)
        return np.flatnonzero(names == condition)

    def paste(self, pixels: NDArray[Any]) -> NDArray[Any] | None:
        """Return the field with (N, C, S, S) pixels where the cells were cut; None where the cells have no field.

        Where it is known which cell is where, what of a cell's old body reaches beyond its crop fades with it.
        """
        if self.field is None:
            return None
        centres = self.cells.table[["y", "x"]].to_numpy()
        if self.field.ndim == 3:
            return self._pasted(self.field, pixels, centres, self.marks, self.rows + 1)
        at, fields = self.cells.table["step"].to_numpy(), []
        for step, one in enumerate(self.field):
            here, marks = at == step, None if self.marks is None else self.marks[step]
            fields.append(self._pasted(one, pixels[here], centres[here], marks, (self.rows + 1)[here]))
        return np.stack(fields)

    @staticmethod
    def _pasted(
        field: NDArray[Any], pixels: NDArray[Any], centres: NDArray[Any], marks: NDArray[Any] | None, numbers: Any
    ) -> NDArray[Any]:
        ground = field if marks is None else without_old_bodies(field, pixels, centres, marks, numbers)
        return paste(ground, pixels, centres)

    def taking(self, keep: NDArray[np.bool_]) -> Found:
        """Return the same with fewer cells: those of (N,) `keep`; the others count as left out by hand.

        Raises
        ------
        CellsError
            If none is kept.
        """
        if not np.any(keep):
            raise CellsError("All cells would be left out; keep one at least.")
        candidates = self.candidates
        if len(candidates):
            candidates = candidates.copy()
            candidates.loc[self.rows[~keep], "reason"] = BY_HAND
        left_out = dict(self.left_out)
        if not np.all(keep):
            left_out[BY_HAND] = left_out.get(BY_HAND, 0) + int((~keep).sum())
        rows = self.rows[keep] if len(self.rows) else self.rows
        return replace(self, cells=self.cells.take(keep), left_out=left_out, candidates=candidates, rows=rows)
