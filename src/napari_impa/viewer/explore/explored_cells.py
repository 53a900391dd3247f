"""The cells that are explored: from layers or a folder, with their styles and what was measured of them."""

from __future__ import annotations

import shutil
import weakref
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.errors import CellsError
from napari_impa.viewer.layers.cell_search import find_cells
from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.library.models import Loaded
from napari_impa.watch import PartOf, Token

if TYPE_CHECKING:
    from napari_impa.analysis.phenotypes.control_scale import ControlScale
    from napari_impa.analysis.phenotypes.style_map import CellMap
    from napari_impa.cells.store import Cells
    from napari_impa.engine.describing.new_condition import Target

MOST = 50_000
"""Cells that are explored at most, evenly spread over the source."""

STYLES, MEASUREMENTS = "styles", "measurements"
"""What a map can be of."""


class FolderOfCells:
    """A folder for cells that are cut, which goes with this object."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="impa-explored-"))
        weakref.finalize(self, shutil.rmtree, self.path, True)


@dataclass(frozen=True, eq=False)
class ExploredCells:
    """Cells with what a map needs.

    Parameters
    ----------
    loaded
        The model.
    cells
        N cells.
    found
        Where in the viewer's layers they lie; None where they came from a folder.
    scale
        What they were measured by.
    measured
        (N, d) in their own units.
    styles
        (N, s) their own.
    targets, condition_styles
        Conditions of the model, and where controls would go under each, (K, s).
    kept_in
        Holds cells that were cut into a folder of their own.
    doubts
        What has to be known of how they were read, and what is doubtful about them.
    """

    loaded: Loaded
    cells: Cells
    found: Found | None
    scale: ControlScale
    measured: NDArray[np.float64]
    styles: NDArray[np.float32]
    targets: tuple[Target, ...]
    condition_styles: NDArray[np.float32]
    kept_in: FolderOfCells | None = None
    doubts: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> pd.DataFrame:
        """By what a map can be coloured: the condition, columns of the table, measurements."""
        parts: dict[str, Any] = {}
        if self.cells.label:
            parts["condition"] = self.cells.conditions
        for name in self.cells.table.columns:
            if self.cells.table[name].nunique() > 1:
                parts.setdefault(str(name), self.cells.table[name].to_numpy())
        parts |= dict(zip(self.scale.names, self.measured.T, strict=True))
        return pd.DataFrame(parts)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Treated conditions of real cells among them."""
        if not self.cells.label:
            return ()
        return tuple(sorted(set(map(str, self.cells.conditions[~self.cells.is_control]))))

    def describe(self) -> str:
        """Say how many cells of how many conditions these are."""
        text = f"{len(self.cells):,} cells"
        if self.cells.control is not None and self.cells.label:
            text += f", {int(self.cells.is_control.sum()):,} of them controls ({self.cells.control})"
        return text


def explore_layers(token: Token, loaded: Loaded, plain: tuple[Any, ...]) -> ExploredCells:
    """Find the cells of layers (`CellChoice.plain`), and measure them."""
    token.report(0, 0, "finding cells")
    found = find_cells(token, *plain)
    return explored(token, loaded, found.cells, found)


def explore_folder(token: Token, loaded: Loaded, path: Path) -> ExploredCells:
    """Cut the cells of a source, as the command line does, and measure at most `MOST`."""
    from napari_impa.analysis.phenotypes.real_effects import evenly
    from napari_impa.cells.source import open_source
    from napari_impa.work.exploring.source_cells import cells_into

    token.report(0, 0, "reading the folder")
    kept = FolderOfCells()
    opened = open_source(path)
    cells = cells_into(kept.path, loaded.model, opened, watch=token)
    if len(cells) > MOST:
        cells = cells.take(evenly(np.arange(len(cells)), MOST))
    return explored(token, loaded, cells, None, kept, opened.notes)


def explored(
    token: Token, loaded: Loaded, cells: Cells, found: Found | None = None, kept: FolderOfCells | None = None,
    notes: tuple[str, ...] = (),
) -> ExploredCells:  # fmt: skip
    """Measure cells and read their styles; `notes` say what has to be known of how they were read.

    Raises
    ------
    CellsError, ModelError
        If the cells do not fit the model, or are too few.
    """
    from napari_impa.analysis.phenotypes.control_scale import ControlScale
    from napari_impa.analysis.phenotypes.real_effects import BLOCK, evenly
    from napari_impa.analysis.phenotypes.style_map import condition_styles, styles_of
    from napari_impa.engine.model.misfits import are_simulated
    from napari_impa.work.doubts import doubts
    from napari_impa.work.exploring.screen import SCALED_BY
    from napari_impa.work.predicting.predict_into import rows_to_turn

    model = loaded.model
    if not len(cells):
        raise CellsError("There are no cells.")
    said = (*notes, *doubts(cells, model, simulated=are_simulated(cells) or (found is not None and found.simulated)))
    rows = rows_to_turn(model, cells)
    scale = ControlScale.of(model, model.fit(cells.take(evenly(rows, SCALED_BY))), watch=token)
    measured = np.empty((len(cells), len(scale.names)))
    for start in range(0, len(cells), BLOCK):
        part = np.arange(start, min(start + BLOCK, len(cells)))
        measured[part] = scale.raw(model.fit(cells.take(part)).pixels, watch=token)
        token.report(int(part[-1]) + 1, 2 * len(cells), "measuring cells")
    styles = styles_of(model, cells, watch=PartOf(token, len(cells), 2 * len(cells)))
    targets = tuple(name for name in (*model.conditions, *model.unseen) if name != model.control)
    placed = condition_styles(model, targets, styles[evenly(rows, SCALED_BY)])
    return ExploredCells(loaded, cells, found, scale, measured, styles, targets, placed, kept, said)


def lay_out(token: Token, explored: ExploredCells, of: str, by: str) -> CellMap:
    """The map of styles or measurements."""
    from napari_impa.analysis.phenotypes.style_map import cell_map

    if of == STYLES:
        return cell_map(explored.styles, explored.condition_styles, by=by)
    return cell_map(explored.scale.scaled(explored.measured), by=by)
