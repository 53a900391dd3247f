"""A prediction as it is kept: control and predicted cells with all that is known of them, and their files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.analysis.pictures.composite import display_limits
from napari_impa.analysis.pictures.montage import Montage, MontageRow, arrange, save_montage
from napari_impa.cells.beside import written_beside
from napari_impa.cells.store import Cells
from napari_impa.cells.tiff import TiffPicture, save_cells_ome_tiff, save_cells_tiff, save_ome_tiff
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

VIEW = "view"
"""Key of a `.cells` folder's history: how its cells lay and looked in the viewer that they were saved from."""

PLACED = ".impa.ome.tif"
"""Ending of OME-TIFF files that open in the viewer where they were."""

CellsKind = Literal["cells", "tiff", "ome-tiff"]
_SUFFIXES: dict[CellsKind, str] = {"cells": ".cells", "tiff": ".tif", "ome-tiff": PLACED}
_FIRST = ("cell", "condition", "field", "y", "x", "label", "step")
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class KeptCells:
    """Cells under one title: the controls, those turned into a condition, or real treated ones.

    Parameters
    ----------
    title
        What names them: `control`, a condition with its strength, or `real` and a condition.
    condition
        `control`, or the condition's name.
    cells
        The cells.
    made_by
        Model, hash, condition, strength, variability and seed of predicted cells.
    features
        A row a cell, where they were measured.
    """

    title: str
    condition: str
    cells: Cells
    made_by: Mapping[str, Any] = field(default_factory=dict)
    features: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class KeptPrediction:
    """A prediction as it is kept.

    Parameters
    ----------
    parts
        The controls first, then what they were turned into, then real treated cells where there are any.
    fields
        By the title of a predicted part the field (C, H, W) with its cells where they were cut; (T, C, H, W) of steps.
    place
        `scale`, `translate` and `units` of rows and columns.
    looks
        Of each channel `colormap`, `contrast_limits` and `gamma`.
    """

    parts: tuple[KeptCells, ...]
    fields: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    place: Mapping[str, Any] = field(default_factory=dict)
    looks: Sequence[Mapping[str, Any]] = ()

    def view(self, part: KeptCells) -> dict[str, Any]:
        """How the cells of a part lie and look, JSON-able: what a viewer needs to show them again."""
        looks = [dict(look) for look in self.looks]
        return {"title": part.title, **self.place, "looks": looks, "made_by": dict(part.made_by)}


def save_parts(kept: KeptPrediction, path: str | Path, kind: CellsKind, *, watch: Watch = UNWATCHED) -> list[Path]:
    """Write each part into a file (or `.cells` folder) of its own: `NAME control`, `NAME mitotic arrest` …

    Nothing is overwritten: where one of the files exists already, all get the next free number.

    Raises
    ------
    CellsError
        If the pixels do not fit the format, or a file cannot be written.
    """
    suffix = _SUFFIXES[kind]
    paths = _free(Path(path), [part.title for part in kept.parts], suffix)
    for number, (part, target) in enumerate(zip(kept.parts, paths, strict=True)):
        cells, view = part.cells, kept.view(part)
        if kind == "cells":
            replace(cells, history={**cells.history, VIEW: {**view, "axis": "cell"}}).save(target)
        elif kind == "tiff":
            save_cells_tiff(cells, target)
        else:
            save_cells_ome_tiff(cells, target, {**view, "axis": "cell"})
        watch.report(number + 1, len(paths), "saving")
    return paths


def save_fields(kept: KeptPrediction, path: str | Path, *, watch: Watch = UNWATCHED) -> list[Path]:
    """Write each field with its predicted cells in place as OME-TIFF; names and errors as `save_parts`."""
    parts = [part for part in kept.parts if part.made_by and part.title in kept.fields]
    if not parts:
        raise CellsError("These cells have no field to be put back into; save the cells instead.")
    paths = _free(Path(path), [f"{part.title} in place" for part in parts], PLACED)
    for number, (part, target) in enumerate(zip(parts, paths, strict=True)):
        cells = part.cells
        picture = TiffPicture(kept.fields[part.title], cells.channels, cells.pixel_size, kept.view(part))
        save_ome_tiff(picture, target)
        watch.report(number + 1, len(paths), "saving")
    return paths


def table_of(kept: KeptPrediction) -> pd.DataFrame:
    """Return a row a cell (counted from 1) and part: where it was cut, what else is known of it, and its features."""
    tables = []
    for part in kept.parts:
        table = part.cells.table.assign(cell=np.arange(1, len(part.cells) + 1), condition=part.title)
        origin = part.cells.history.get("origin") or dict(part.cells.history.get("cells", {})).get("origin")
        if origin is not None and {"y", "x"} <= set(table.columns):  # of a region: places are those in the whole image
            table[["y", "x"]] += list(origin)
        if part.features is not None:
            table = pd.concat([table, part.features.set_axis(table.index)], axis=1)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    first = [column for column in _FIRST if column in table.columns]
    return table[first + [column for column in table.columns if column not in first]]


def save_table(kept: KeptPrediction, path: str | Path) -> Path:
    """Write `table_of` as CSV."""
    path = Path(path)
    path = path if path.suffix.lower() == ".csv" else path.with_name(f"{path.name}.csv")
    with written_beside(path) as partial:
        table_of(kept).to_csv(partial, index=False)
    return path


def figure(kept: KeptPrediction, *, first: int = 0, count: int = _SHOWN) -> Montage:
    """Arrange some control cells, above what they became, above real treated cells, on the contrast of the viewer.

    Parameters
    ----------
    first
        The first cell shown.
    count
        Cells in a row.
    """
    control = kept.parts[0].cells
    first = max(0, min(first, len(control) - count))
    shown = slice(first, first + count)
    rows: list[MontageRow] = []
    for part in kept.parts:
        rows.append((part.title, part.cells.pixels[shown if len(part.cells) == len(control) else slice(count)]))
    limits = (
        np.array([look["contrast_limits"] for look in kept.looks], float)
        if kept.looks
        else display_limits(control.pixels)
    )
    return arrange(rows, control.channels, limits, pixel_size=control.pixel_size)


def save_figure(kept: KeptPrediction, path: str | Path, *, first: int = 0, count: int = _SHOWN) -> Path:
    """Write `figure` as PNG or SVG, by the ending of the name."""
    return save_montage(path, figure(kept, first=first, count=count))


def _free(path: Path, titles: Sequence[str], suffix: str) -> list[Path]:
    """Paths that begin with `path`, one a title, none of which exists."""
    name = path.name.removesuffix(suffix).removesuffix(".ome.tif").removesuffix(".tif").removesuffix(".cells")
    number, plain = 1, _unique([_plain(title) for title in titles])
    while True:
        begin = name if number == 1 else f"{name} {number}"
        paths = [path.with_name(f"{begin} {title}{suffix}") for title in plain]
        if not any(one.exists() for one in paths):
            return paths
        number += 1


def _unique(names: Sequence[str]) -> list[str]:
    """Names of which no two are equal but for case, as file systems may want: the later ones get a number."""
    taken: set[str] = set()
    unique = []
    for name in names:
        number, one = 1, name
        while one.casefold() in taken:
            number += 1
            one = f"{name} {number}"
        taken.add(one.casefold())
        unique.append(one)
    return unique


def _plain(title: str) -> str:
    """A title as part of a file name."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", title).strip(" .")[:80]
