"""A survey before a training: what a folder holds, what its table suggests, what is doubtful."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from napari_impa.analysis.pictures.composite import channel_colours, composite, display_limits
from napari_impa.cells.checks import Concern, damaged_concerns, few_cells, plate_column, ranked, table_concerns
from napari_impa.cells.examples import EXAMPLES, MOST_IMAGES, Example, joined, read_examples, rows_to_read
from napari_impa.cells.pixel_checks import pixel_concerns, size_concerns
from napari_impa.cells.source import Kind, Source, open_source
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.tables import condition_names, guess_control, guess_labels, shortest
from napari_impa.cells.words import IMAGED_TOGETHER
from napari_impa.errors import SourceError
from napari_impa.watch import UNWATCHED, Watch

MOST_VALUES = 200
"""A column with more different values is no label."""

LARGEST = 260
"""Pixels of the largest example crop that is kept to be shown."""

REPORT_EVERY = 0.5
"""Seconds between pictures that are shown while more are read."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What a folder or open layers hold, and what is guessed from the table.

    Parameters
    ----------
    source
        Its table, kind, channels and sizes; nothing of its pixels.
    columns
        Of the table that can name conditions.
    labels, control
        Guessed columns and control.
    cells
        Of open layers, which have no files.
    examples
        Crops (n, C, S, S) of each condition; `look_closer` fills them in.
    pictures
        The same in colour, (n, S, S, 3), no larger than they are ever shown.
    limits
        (C, 2) intensities shown as black and as full colour, for all conditions alike.
    checks
        What is doubtful, the gravest first.
    """

    source: Source
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    control: str | None
    cells: Cells | None = None
    examples: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    limits: NDArray[np.float64] | None = None
    checks: tuple[Concern, ...] = ()


def look(path: str | Path, task: str, kind: Kind | None = None, *, watch: Watch = UNWATCHED) -> Looked:
    """Open a folder without reading its pixels; `kind` says what its images are where that is guessed wrong.

    Raises
    ------
    SourceError, CellsError
        If it cannot be used as it is.
    """
    source = open_source(path, kind=kind)
    stored = open_cells(source.path) if source.kind == "cells" else None
    watch.check()
    return replace(looked_at(source, task, stored), cells=None)  # they are read from their files


def looked_at(source: Source, task: str, cells: Cells | None = None) -> Looked:
    """Guess labels and control of a source; those of cells that were stored with them are taken over."""
    labels, control = guess(source.table, task)
    if task == "perturbation" and cells is not None and cells.label:
        labels, control = cells.label, cells.control or control
    return Looked(source, label_columns(source.table, labels), labels, control, cells)


def look_closer(
    looked: Looked,
    label: Sequence[str],
    control: str | None,
    hold_out: Mapping[str, Sequence[str]],
    segment: str | None = None,
    nuclei_channel: str | None = None,
    *,
    watch: Watch = UNWATCHED,
) -> Generator[Looked, None, Looked]:
    """Read some crops of every condition and check what the training would be given.

    Yields what is known so far: first what the table alone says, then pictures as they come; returns the whole.

    Parameters
    ----------
    looked
        Of `look`.
    label, control, hold_out
        As they are chosen.
    segment, nuclei_channel
        How nuclei are found in whole fields.

    Raises
    ------
    ImpaError
        If a label column is missing, or cells cannot be read.
    """
    source, table = looked.source, looked.source.table
    looked = replace(looked, labels=tuple(label), control=control)
    names, held = condition_names(table, label, control), held_rows(table, hold_out)
    fields = source.kind == "fields"
    size = source.shape[0] if source.kind == "cells" else None
    checks = table_concerns(table, label, control, held, size=size, fields=fields)
    yield replace(looked, checks=checks)
    plate = plate_column(table, label)
    plates = None if plate is None else condition_names(table, [plate])
    own = None if control is None else shortest(control)
    closer = _Closer(names, own, source.channels)
    rows = rows_to_read(names, plates, own, fields=fields)
    damaged: list[SourceError] = []
    reported = time.monotonic()
    for example in read_examples(
        source, rows, cells=looked.cells, segment=segment, nuclei_channel=nuclei_channel, damaged=damaged
    ):
        watch.check()
        closer.add(example)
        if time.monotonic() - reported > REPORT_EVERY:
            yield closer.seen(looked, checks)
            reported = time.monotonic()
    yield closer.seen(looked, checks)
    checks += damaged_concerns(damaged, len(rows)) + closer.concerns(source, plates, plate or "plate", held)
    return closer.seen(looked, ranked(checks))


def finished(parts: Generator[Any, None, Looked]) -> Looked:
    """Wait for the end of `look_closer`, whatever it knows before; for those who show nothing meanwhile."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            found: Looked = end.value
            return found


class _Closer:
    """Crops read so far: those shown of each condition, and those that the channels are compared by."""

    def __init__(self, names: NDArray[np.object_], control: str | None, channels: Sequence[str]) -> None:
        self._names, self._control, self._channels = names, control, channels
        self._shown: dict[str, list[NDArray[np.generic]]] = {}
        self._counted: dict[str, list[int]] = {}
        self._pool: list[tuple[int, NDArray[np.generic]]] = []
        self._sides: list[tuple[int, int]] = []

    def add(self, example: Example) -> None:
        name = str(self._names[example.row])
        shown = self._shown.setdefault(name, [])
        wanted = EXAMPLES - sum(map(len, shown))
        if wanted > 0 and len(example.pixels):
            shown.append(example.pixels[:wanted])
        self._counted.setdefault(name, []).append(example.cells)
        self._sides.append(example.shape)
        if len(self._pool) < MOST_IMAGES:
            self._pool += [(example.row, crop[None]) for crop in example.pixels]

    def seen(self, looked: Looked, checks: tuple[Concern, ...]) -> Looked:
        examples = {name: joined(parts) for name, parts in self._shown.items() if parts}
        if not examples:
            return replace(looked, checks=checks)
        each = max(1, 60 // len(examples))
        some = joined([pixels[:each] for pixels in list(examples.values())[:60]])
        limits, colours = display_limits(some), channel_colours(self._channels)
        pictures = {name: shrunk(composite(pixels, limits, colours), LARGEST) for name, pixels in examples.items()}
        return replace(looked, examples=examples, pictures=pictures, limits=limits, checks=checks)

    def concerns(
        self, source: Source, plates: NDArray[np.object_] | None, plate: str, held: NDArray[np.bool_]
    ) -> tuple[Concern, ...]:
        found: tuple[Concern, ...] = size_concerns(self._sides) if source.kind == "crops" else ()
        if source.kind == "fields":
            fields = pd.Series(self._names[~held]).value_counts()
            about = {name: round(np.mean(counts) * fields.get(name, 0)) for name, counts in self._counted.items()}
            found += tuple(few_cells(pd.Series(about), about=True))
        if self._pool:
            rows = np.array([row for row, _ in self._pool])
            pixels = joined([crop for _, crop in self._pool])
            of_plate = None if plates is None else plates[rows]
            found += pixel_concerns(
                pixels, source.channels, of_plate, self._names[rows], control=self._control, plate=plate
            )
        return found


def shrunk(crops: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """Crops (n, S, S, 3) at most so many pixels high."""
    step = -(-crops.shape[1] // most)
    return crops if step == 1 else np.stack([np.asarray(Image.fromarray(crop).reduce(step)) for crop in crops])


def held_rows(table: pd.DataFrame, hold_out: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """(N,) whether each row has one of the values held out, in any of the columns."""
    held = np.zeros(len(table), bool)
    for column, values in hold_out.items():
        held |= np.isin(condition_names(table, [column]).astype(str), [shortest(value) for value in values])
    return held


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


def conditions_table(
    table: pd.DataFrame,
    label: tuple[str, ...],
    control: str | None,
    hold_out: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Count rows and plates of each condition; the control first, then by name, numbers in it by size.

    Returns
    -------
    Columns condition, count, plates (0 where no plate is known), control, held (rows held out) and training.
    """
    column = plate_column(table, label)
    table, counts = distinct(table, [*label, *(hold_out or {}), *([] if column is None else [column])])
    names = pd.Series(condition_names(table, label, control), name="condition")
    rows = pd.DataFrame({"count": counts, "held": np.where(held_rows(table, hold_out or {}), counts, 0)})
    found = rows.groupby(names).sum()
    found["plates"] = 0
    if column is not None:
        found["plates"] = pd.Series(condition_names(table, [column])).groupby(names).nunique()
    found = found.rename_axis("condition").reset_index()
    found["control"] = found["condition"] == (None if control is None else shortest(control))
    found["training"] = found["count"] - found["held"]
    columns = ["condition", "count", "plates", "control", "held", "training"]
    order = sorted(range(len(found)), key=lambda row: (not found["control"][row], _natural(found["condition"][row])))
    return found.loc[order, columns].reset_index(drop=True)


def distinct(table: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Rows that differ in some columns, in order, and how often each occurs: a million cells are few conditions.

    Raises
    ------
    ConditionError
        If a column is missing.
    """
    wanted = list(dict.fromkeys(columns))
    if wanted:
        condition_names(table.iloc[:0], wanted)  # refuses columns that are not there
    codes = np.zeros(len(table), np.intp)
    for name in wanted:
        own, values = pd.factorize(table[name], use_na_sentinel=False)
        codes = pd.factorize(codes * len(values) + own)[0]
    first = np.empty(codes.max(initial=-1) + 1, np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return table[wanted].iloc[first].reset_index(drop=True), np.bincount(codes, minlength=len(first))


def _natural(name: str) -> list[tuple[float, str]]:
    """A key by which `taxol 5` comes before `taxol 15`."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [(float(part), "") if number % 2 else (-1.0, part) for number, part in enumerate(parts)]


def default_hold_out(table: pd.DataFrame, label: tuple[str, ...], control: str | None) -> tuple[str, tuple[str, ...]]:
    """Hold out the last of three or more plates, if every condition occurs on the others too; else nothing.

    Returns
    -------
    Column and values; empty where nothing is held out.
    """
    for column in IMAGED_TOGETHER.all(table, but=label):
        few, _ = distinct(table, [column, *label])
        texts = pd.Series(condition_names(few, [column]))
        values = sorted(set(texts))
        if len(values) < 3:
            continue
        names = pd.Series(condition_names(few, label, control))
        if set(names[texts != values[-1]]) == set(names):
            return column, (values[-1],)
    return "", ()


def values_of(table: pd.DataFrame, column: str) -> list[str]:
    """The different values of a column, as `hold_out` takes them."""
    return sorted(set(map(str, condition_names(distinct(table, [column])[0], [column]))))


def free_folder(source: Path) -> Path:
    """A run folder beside the source (or, where that cannot be written, at home) that does not exist yet."""
    import os

    parent = source.resolve().parent
    if not os.access(parent, os.W_OK):
        parent = Path.home() / "napari-impa"
    name = f"{source.resolve().stem if source.suffix == '.cells' else source.resolve().name}-run"
    candidates = (parent / (name if number == 1 else f"{name}-{number}") for number in range(1, 10_000))
    return next(path for path in candidates if not path.exists())
