"""Cells: crops centred on nuclei with one table row each, in memory or memory-mapped from a `.cells` folder."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from napari_impa.cells.beside import taken_back
from napari_impa.cells.reading import OPENED, read_pixels
from napari_impa.cells.sheets.checksums import check, state_of
from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.tables import as_in, columns_named, condition_names, shortest
from napari_impa.cells.words import PLACE
from napari_impa.cells.writer import FORMAT, CellsWriter
from napari_impa.errors import DAMAGE, CellsError, ConditionError, SourceError, brief

__all__ = ["FORMAT", "PLACE", "Cells", "CellsWriter", "concatenate", "condition_names", "open_cells", "shortest"]


@dataclass(frozen=True, eq=False)
class Cells:
    """Crops centred on nuclei.

    Parameters
    ----------
    pixels
        (N, C, S, S), in the camera's own units and type; an array or a memory map.
    table
        One row a cell, index 0…N-1: where it was cut (`field`, `y`, `x`, `label`) and what was done to it.
    channels
        C channel names.
    pixel_size
        Side of a pixel in µm, or None where the images do not say.
    label
        Table columns whose values, joined, name the condition of a cell; may be empty.
    control
        The label value of the untreated control, or None.
    history
        What made these cells (source, segmenter, or model, condition, strength, seed), JSON-able.

    Raises
    ------
    CellsError
        If pixels, table and channels do not fit each other.
    """

    pixels: NDArray[Any]
    table: pd.DataFrame
    channels: tuple[str, ...]
    pixel_size: float | None = None
    label: tuple[str, ...] = ()
    control: str | None = None
    history: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "label", tuple(self.label))
        if self.control is not None and not isinstance(self.control, str):
            object.__setattr__(self, "control", shortest(self.control))
        if self.pixel_size is not None:  # what is none says nothing
            size = float(self.pixel_size)
            object.__setattr__(self, "pixel_size", size if 0 < size < math.inf else None)
        shape = self.pixels.shape
        if len(shape) != 4 or shape[2] != shape[3]:
            raise CellsError(f"Cells need pixels of shape (cells, channels, side, side), not {shape}.")
        if shape[0] != len(self.table):
            raise CellsError(f"Cells need one table row a cell, not {len(self.table)} rows for {shape[0]} cells.")
        if shape[1] != len(self.channels):
            raise CellsError(f"Cells need one name a channel, not {len(self.channels)} names for {shape[1]} channels.")
        if not isinstance(self.table.index, pd.RangeIndex) or self.table.index.start != 0 or self.table.index.step != 1:
            object.__setattr__(self, "table", self.table.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        channels = ", ".join(self.channels)
        return f"<Cells: {len(self)} of {self.size}×{self.size} px, {self.pixels.dtype}, channels {channels}>"

    @property
    def size(self) -> int:
        """Crop side S in pixels."""
        return int(self.pixels.shape[-1])

    @property
    def conditions(self) -> NDArray[np.object_]:
        """(N,) condition name of every cell; needs `label`."""
        return condition_names(self.table, self.label, self.control)

    @property
    def is_control(self) -> NDArray[np.bool_]:
        """(N,) whether each cell is an untreated control; all False where no control is named."""
        if self.control is None:
            return np.zeros(len(self), bool)
        return np.asarray(self.conditions == shortest(self.control), bool)

    def labelled(self, label: Sequence[str] | str, control: str | None) -> Cells:
        """Return the same cells with other label columns and control.

        Raises
        ------
        ConditionError
            If a column is missing, or the control's name occurs in no row.
        """
        columns = (label,) if isinstance(label, str) else tuple(label)
        names = condition_names(self.table, columns, control)
        if control is not None and not np.any(names == shortest(control)):
            found = ", ".join(sorted(set(map(str, names)))[:12])
            raise ConditionError(f"No cell has the control's name {control!r}; the conditions are: {found}.")
        return replace(self, label=columns, control=control)

    def take(self, rows: NDArray[Any] | Sequence[int]) -> Cells:
        """Return the cells at the given row numbers, or where a boolean mask is true (pixels are copied)."""
        chosen = np.asarray(rows)
        index = np.arange(len(self))[chosen if chosen.dtype == bool else chosen.astype(np.intp)]
        return replace(
            self, pixels=read_pixels(self.pixels, index), table=self.table.iloc[index].reset_index(drop=True)
        )

    def controls(self) -> Cells:
        """Return the untreated control cells.

        Raises
        ------
        ConditionError
            If no control is named.
        """
        if self.control is None:
            raise ConditionError("These cells name no control; say which label value is the control.")
        return self.take(self.is_control)

    def treated(self, condition: str | None = None) -> Cells:
        """Return the treated cells, of one condition or of all."""
        if condition is None:
            return self.take(~self.is_control)
        mask = self.conditions == condition
        if not mask.any():
            raise ConditionError(
                f"No cell has the condition {condition!r}; there are: {', '.join(self.counts().index)}."
            )
        return self.take(mask)

    def mask_where(self, where: Mapping[str, Any]) -> NDArray[np.bool_]:
        """(N,) whether each row has, in every column named, one of the values given (a value or several).

        A name may join columns by `+`, whose values are then joined by a space: `{"plate+well": ["P1 A01"]}`.

        Raises
        ------
        ConditionError
            If a column is missing or a value occurs in no row.
        """
        mask = np.ones(len(self), bool)
        for column, values in where.items():
            columns = columns_named(self.table, column)
            if not set(columns) <= set(self.table.columns):
                raise ConditionError(
                    f"The table has no column {column!r}; its columns are: {', '.join(map(str, self.table.columns))}."
                )
            texts = condition_names(self.table, columns)
            present = set(texts)
            wanted = [as_in(present, value) for value in ([values] if np.isscalar(values) else values)]
            for value in wanted:
                if value not in present:
                    some = ", ".join(sorted(map(str, present))[:12])
                    raise ConditionError(f"No row has {column} = {value}; its values are: {some}.")
            mask &= np.isin(texts, wanted)
        return mask

    def where(self, **columns: Any) -> Cells:
        """Return the cells whose columns have the given values, e.g. `where(plate=["Week4_27861"])`."""
        return self.take(self.mask_where(columns))

    def counts(self) -> pd.Series:
        """Return the number of cells of each condition, controls first, then by name."""
        counts = pd.Series(self.conditions).value_counts()
        names = sorted(counts.index, key=lambda name: (self.control is None or name != shortest(self.control), name))
        return counts.loc[names]

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a `.cells` folder, beside and renamed, so that a full disk leaves nothing half-written.

        Where a `.cells` folder stands there already it is replaced, if `overwrite`.

        Raises
        ------
        CellsError
            If the folder exists already or cannot be written.
        """
        dtype = self.pixels.dtype.newbyteorder("=")
        writer = CellsWriter(
            path, self.channels, self.size, dtype, pixel_size=self.pixel_size, label=self.label, control=self.control,
            history=self.history, overwrite=overwrite,
        )  # fmt: skip
        with writer:
            step = max(1, (64 << 20) // max(1, self.pixels[:1].nbytes))
            for start in range(0, len(self), step):
                rows = np.arange(start, min(start + step, len(self)))
                writer.append(read_pixels(self.pixels, rows), self.table.iloc[rows])
        return writer.path


def concatenate(parts: Sequence[Cells]) -> Cells:
    """Join cells of the same channels, side and type, in order.

    Raises
    ------
    CellsError
        If there are none, or they differ in channels, side or type.
    """
    if not parts:
        raise CellsError("There are no cells to join.")
    first = parts[0]
    for other in parts[1:]:
        if other.channels != first.channels or other.size != first.size or other.pixels.dtype != first.pixels.dtype:
            raise CellsError(
                f"Only cells of the same channels, side and type can be joined, not {first!r} and {other!r}."
            )
    return replace(
        first,
        pixels=np.concatenate([part.pixels for part in parts]),
        table=pd.concat([part.table for part in parts], ignore_index=True),
    )


def open_cells(path: str | Path, *, in_memory: bool = False) -> Cells:
    """Open a `.cells` folder; pixels stay on disk (memory-mapped, read only) unless `in_memory`.

    Pixels on disk are those that were opened: where the folder is replaced afterwards, reading them is an error.

    Raises
    ------
    CellsError
        If the folder is no `.cells` folder, its parts do not fit each other, or they were changed since it was written.
    """
    path = taken_back(Path(path))
    if not (path / "meta.json").is_file():
        raise CellsError(f"{path} is not a .cells folder (it has no meta.json).")
    if not (path / "pixels.npy").is_file():  # a pipe would be waited for
        raise CellsError(f"{path} cannot be read as .cells (it has no pixels.npy); crop the images again.")
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        if meta.get("format", 0) > FORMAT:
            raise CellsError(
                f"{path} was written by a newer napari-impa (format {meta['format']}); update napari-impa to open it."
            )
        _check_meta(meta)
        with open(path / "pixels.npy", "rb") as file:
            empty = 0 in _npy_shape(file)
        opened = state_of((path / "pixels.npy").stat())
        # an array without elements cannot be memory-mapped
        pixels = np.load(path / "pixels.npy", mmap_mode=None if in_memory or empty else "r", allow_pickle=False)
        if isinstance(pixels, np.memmap):
            pixels.__dict__[OPENED] = opened
        table = read_table(path / "table.csv")
        if len(table) != len(pixels):
            check(path, meta.get("checksums"))  # which says why
        cells = Cells(
            pixels,
            table,
            tuple(meta["channels"]),
            meta.get("pixel_size"),
            tuple(meta.get("label", ())),
            meta.get("control"),
            meta.get("history", {}),
        )
        check(path, meta.get("checksums"))
        return cells
    except CellsError:
        raise
    except (OSError, EOFError, SourceError, SyntaxError, TokenError, *DAMAGE) as error:
        raise CellsError(f"{path} cannot be read as .cells ({brief(error)}); crop the images again.") from error


def _check_meta(meta: Mapping[str, Any]) -> None:
    """Check the types of what `meta.json` says."""
    for name in ("channels", "label"):
        if not isinstance(meta.get(name, []), list) or not all(isinstance(one, str) for one in meta.get(name, [])):
            raise ValueError(f"its {name} is no list of names")
    if not isinstance(meta.get("history", {}), dict):
        raise ValueError("its history is none")
    if not isinstance(meta.get("control"), str | int | float | None):
        raise ValueError("its control is no name")
    size = meta.get("pixel_size")
    if size is not None and not isinstance(size, int | float):
        raise ValueError("its pixel_size is no number")


def _npy_shape(file: BinaryIO) -> tuple[int, ...]:
    version = npy_format.read_magic(file)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read(file)
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize + file.tell() > os.fstat(file.fileno()).st_size:
        raise ValueError(f"its pixels are cut short: {shape} is said to be in it")
    return tuple(shape)
