"""Looking at a folder before a training: what the engine offers, what the folder holds, and what its table suggests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from napari_impa.cells.source import Kind, Source, open_source
from napari_impa.cells.store import open_cells
from napari_impa.cells.tables import condition_names, guess_control, guess_labels, shortest
from napari_impa.viewer.jobs import Token

if TYPE_CHECKING:
    from napari_impa.engine.settings import TrainingSettings

MOST_VALUES = 200
"""A column with more different values is no label."""

PLATES = ("plate", "batch", "week", "experiment", "run", "replicate", "well")
"""Columns, by preference, to hold cells out by."""


@dataclass(frozen=True, eq=False)
class Engine:
    """What the form needs to know of the engine, whose import takes seconds."""

    defaults: TrainingSettings
    help: Mapping[str, str]
    widths: Mapping[str, int]
    recipes: tuple[str, ...]
    devices: tuple[tuple[str, str], ...]
    sizes: tuple[int, ...]
    segmenters: tuple[tuple[str, str], ...]


def ask_engine(token: Token) -> Engine:
    """Import torch and gather what can be chosen."""
    from dataclasses import fields

    from napari_impa.cells.segmentation import SEGMENTERS, available_segmenters
    from napari_impa.engine.device import choose_device
    from napari_impa.engine.networks import valid_sizes
    from napari_impa.engine.settings import RECIPES, WIDTHS, TrainingSettings

    best = choose_device("auto")
    devices = [("auto", best.reason)]
    if best.is_gpu:
        devices += [(best.device.type, best.reason), ("cpu", "CPU")]
    return Engine(
        TrainingSettings(),
        {entry.name: entry.metadata.get("help", "") for entry in fields(TrainingSettings)},
        WIDTHS,
        tuple(sorted(RECIPES)),
        tuple(devices),
        tuple(valid_sizes(512)),
        tuple((name, SEGMENTERS[name].title) for name in available_segmenters()),
    )


@dataclass(frozen=True, eq=False)
class Looked:
    """What a folder holds, and what is guessed from its table."""

    source: Source
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    control: str | None


def look(token: Token, path: Path, task: str, kind: Kind | None = None) -> Looked:
    """Open a folder without reading its pixels; `kind` says what its images are where that is guessed wrong.

    Raises
    ------
    SourceError, CellsError
        If it cannot be used as it is.
    """
    source = open_source(path, kind=kind)
    stored = open_cells(source.path) if source.kind == "cells" else None
    token.check()
    labels, control = guess(source.table, task)
    if task == "perturbation" and stored is not None and stored.label:
        labels, control = stored.label, stored.control or control
    return Looked(source, label_columns(source.table, labels), labels, control)


def guess(table: pd.DataFrame, task: str) -> tuple[tuple[str, ...], str | None]:
    """Guess label columns and, for perturbations, the control."""
    labels = tuple(guess_labels(table, "batch" if task == "batch" else "perturbation"))
    return labels, None if task == "batch" else guess_control(table, labels)


def label_columns(table: pd.DataFrame, guessed: Sequence[str] = ()) -> tuple[str, ...]:
    """Columns that can name conditions: those guessed, and those whose values repeat, but are not all the same."""
    limit = min(MOST_VALUES, max(2, len(table) // 2))
    place = ("y", "x", "label", "crop")
    return tuple(
        str(name)
        for name in table.columns
        if name in guessed or (name not in place and 1 < table[name].nunique(dropna=False) <= limit)
    )


def conditions_table(table: pd.DataFrame, label: tuple[str, ...], control: str | None) -> pd.DataFrame:
    """Count rows and plates of each condition; the control first, then by name.

    Returns
    -------
    Columns condition, count, plates (0 where no plate is known) and control.
    """
    names = pd.Series(condition_names(table, label, control), name="condition")
    plate = next((table[name] for name in PLATES[:-1] if name in table.columns and name not in label), None)
    plates = pd.Series(0, index=range(len(table))) if plate is None else plate.reset_index(drop=True)
    grouped = plates.groupby(names)
    found = pd.DataFrame({"count": grouped.size(), "plates": 0 if plate is None else grouped.nunique()}).reset_index()
    found["control"] = found["condition"] == (None if control is None else shortest(control))
    return found.sort_values(["control", "condition"], ascending=[False, True], ignore_index=True)


def default_hold_out(table: pd.DataFrame, label: tuple[str, ...], control: str | None) -> tuple[str, tuple[str, ...]]:
    """Hold out the last of three or more plates, if every condition occurs on the others too; else nothing.

    Returns
    -------
    Column and values; empty where nothing is held out.
    """
    for column in PLATES[:-1]:
        if column not in table.columns or column in label:
            continue
        texts = pd.Series(condition_names(table, [column]))
        values = sorted(set(texts))
        if len(values) < 3:
            continue
        names = pd.Series(condition_names(table, label, control))
        if set(names[texts != values[-1]]) == set(names):
            return column, (values[-1],)
    return "", ()


def values_of(table: pd.DataFrame, column: str) -> list[str]:
    """The different values of a column, as `hold_out` takes them."""
    return sorted(set(map(str, condition_names(table, [column]))))


def free_folder(source: Path) -> Path:
    """A run folder beside the source (or, where that cannot be written, at home) that does not exist yet."""
    import os

    parent = source.resolve().parent
    if not os.access(parent, os.W_OK):
        parent = Path.home() / "napari-impa"
    name = f"{source.resolve().stem if source.suffix == '.cells' else source.resolve().name}-run"
    candidates = (parent / (name if number == 1 else f"{name}-{number}") for number in range(1, 10_000))
    return next(path for path in candidates if not path.exists())
