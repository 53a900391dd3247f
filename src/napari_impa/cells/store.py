"""Cells: crops centred on nuclei with one table row each, in memory or memory-mapped from a `.cells` folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from napari_impa.errors import CellsError, ConditionError

FORMAT = 1
"""Version of the `.cells` layout, written into `meta.json`."""

PLACE = ("field", "y", "x", "label")
"""Table columns that say where a cell was cut: field name, centre row and column in pixels, label in the mask."""


def shortest(value: object) -> str:
    """Write a label value as conditions are named: numbers in their shortest form, the rest as text.

    >>> shortest(50.0), shortest("0.10"), shortest("DMSO ")
    ('50', '0.1', 'DMSO')
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            return text
        if text.lower().lstrip("+-") in {"nan", "inf", "infinity"} or "_" in text:
            return text
    elif isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    elif isinstance(value, (int, float, np.integer, np.floating)):
        number = float(value)
        if np.isnan(number):
            return ""
    else:
        return str(value)
    if not np.isfinite(number):
        return str(value).strip()
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def condition_names(table: pd.DataFrame, label: Sequence[str], control: str | None = None) -> NDArray[np.object_]:
    """Name the condition of every row: its label values joined by a space.

    A row in which a label column equals the control's name is a control, whatever its other labels say, and is
    named `control`.

    Raises
    ------
    ConditionError
        If a label column is not in the table.
    """
    if not label:
        raise ConditionError(f"No label column was chosen; choose one or more of: {', '.join(map(str, table.columns))}.")
    missing = [name for name in label if name not in table.columns]
    if missing:
        raise ConditionError(
            f"The table has no column {', '.join(map(repr, missing))}; its columns are: {', '.join(map(str, table.columns))}."
        )
    columns = []
    is_control = np.zeros(len(table), bool)
    for name in label:
        codes, values = pd.factorize(table[name], use_na_sentinel=False)
        texts = np.array([shortest(value) for value in values], dtype=object)
        column = texts[codes] if len(texts) else np.empty(0, object)
        columns.append(column)
        if control is not None:
            is_control |= column == shortest(control)
    names = columns[0].copy()
    for column in columns[1:]:
        names = np.array([f"{a} {b}".strip() for a, b in zip(names, column, strict=True)], dtype=object)
    if control is not None:
        names[is_control] = shortest(control)
    return names


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
        return (
            f"<Cells: {len(self)} of {self.size}×{self.size} px, {self.pixels.dtype}, channels {', '.join(self.channels)}>"
        )

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
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp)
        return replace(self, pixels=self.pixels[index], table=self.table.iloc[index].reset_index(drop=True))

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
            raise ConditionError(f"No cell has the condition {condition!r}; there are: {', '.join(self.counts().index)}.")
        return self.take(mask)

    def mask_where(self, where: Mapping[str, Any]) -> NDArray[np.bool_]:
        """(N,) whether each row has, in every column named, one of the values given (a value or several).

        Raises
        ------
        ConditionError
            If a column is missing or a value occurs in no row.
        """
        mask = np.ones(len(self), bool)
        for column, values in where.items():
            if column not in self.table.columns:
                raise ConditionError(
                    f"The table has no column {column!r}; its columns are: {', '.join(map(str, self.table.columns))}."
                )
            wanted = [values] if isinstance(values, (str, int, float)) else list(values)
            texts = condition_names(self.table, [column])
            present = set(texts)
            for value in wanted:
                if shortest(value) not in present:
                    some = ", ".join(sorted(map(str, present))[:12])
                    raise ConditionError(f"No row has {column} = {shortest(value)}; its values are: {some}.")
            mask &= np.isin(texts, [shortest(value) for value in wanted])
        return mask

    def where(self, **columns: Any) -> Cells:
        """Return the cells whose columns have the given values, e.g. `where(plate=["Week4_27861"])`."""
        return self.take(self.mask_where(columns))

    def counts(self) -> pd.Series:
        """Return the number of cells of each condition, controls first, then by name."""
        counts = pd.Series(self.conditions).value_counts()
        names = sorted(counts.index, key=lambda name: (self.control is None or name != shortest(self.control), name))
        return counts.loc[names]

    def save(self, path: str | Path) -> Path:
        """Write a `.cells` folder, beside and renamed, so that a full disk leaves nothing half-written.

        Raises
        ------
        CellsError
            If the folder exists already or cannot be written.
        """
        with CellsWriter(path, self.channels, self.size, self.pixels.dtype, like=self) as writer:
            step = max(1, (64 << 20) // max(1, self.pixels[:1].nbytes))
            for start in range(0, len(self), step):
                writer.append(self.pixels[start : start + step], self.table.iloc[start : start + step])
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
            raise CellsError(f"Only cells of the same channels, side and type can be joined, not {first!r} and {other!r}.")
    return replace(
        first,
        pixels=np.concatenate([part.pixels for part in parts]),
        table=pd.concat([part.table for part in parts], ignore_index=True),
    )


class CellsWriter:
    """Write a `.cells` folder block by block in bounded memory; a context manager.

    What is being written stands in a hidden folder beside `path` and is renamed to it on success; on any error
    it is removed.

    Parameters
    ----------
    path
        The folder to make; `.cells` is added where missing.
    channels, size, dtype
        What every block must have: channel names, crop side in pixels, pixel type.
    like
        Cells whose pixel size, label, control and history are taken over.
    overwrite
        Replace a `.cells` folder that exists; otherwise that is an error.
    """

    def __init__(
        self,
        path: str | Path,
        channels: Sequence[str],
        size: int,
        dtype: Any,
        *,
        pixel_size: float | None = None,
        label: Sequence[str] = (),
        control: str | None = None,
        history: Mapping[str, Any] | None = None,
        like: Cells | None = None,
        overwrite: bool = False,
    ) -> None:
        path = Path(path)
        self.path = path if path.suffix == ".cells" else path.with_name(path.name + ".cells")
        self.channels, self.size, self.dtype = tuple(channels), int(size), np.dtype(dtype)
        self.overwrite = overwrite
        if like is not None:
            pixel_size, label, control, history = like.pixel_size, like.label, like.control, like.history
        self.meta: dict[str, Any] = {
            "format": FORMAT,
            "channels": list(self.channels),
            "pixel_size": pixel_size,
            "label": list(label),
            "control": control,
            "history": dict(history or {}),
        }
        self.count = 0
        self._columns: list[str] | None = None

    def __enter__(self) -> CellsWriter:
        if self.path.exists() and not self.overwrite:
            raise CellsError(f"{self.path} exists already; choose another name or remove it first.")
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._partial, ignore_errors=True)
            self._partial.mkdir()
            self._pixels = open(self._partial / "pixels.npy", "wb")  # noqa: SIM115
            self._header(0)
        except OSError as error:
            raise CellsError(f"{self.path} cannot be written: {error.strerror or error}.") from error
        return self

    def _header(self, count: int) -> None:
        # npy headers keep room for the first axis to grow, so the same bytes serve for any count.
        self._pixels.seek(0)
        shape = (count, len(self.channels), self.size, self.size)
        npy_format.write_array_header_2_0(
            self._pixels, {"descr": npy_format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        )

    def append(self, pixels: NDArray[Any], table: pd.DataFrame) -> None:
        """Add cells: pixels (n, C, S, S) and their n table rows.

        Raises
        ------
        CellsError
            If the block does not fit what the folder was opened for, or the disk is full.
        """
        expected = (len(table), len(self.channels), self.size, self.size)
        if pixels.shape != expected or pixels.dtype != self.dtype:
            raise CellsError(
                f"A block of cells of shape {pixels.shape} and type {pixels.dtype} does not fit {self.path.name}, "
                f"which holds {expected[1:]} of {self.dtype}; crop these images into a folder of their own."
            )
        if self._columns is None:
            self._columns = list(table.columns)
        elif list(table.columns) != self._columns:
            extra = set(table.columns) ^ set(self._columns)
            raise CellsError(f"A block of cells has other table columns than the first: {', '.join(map(str, extra))}.")
        try:
            self._pixels.write(np.ascontiguousarray(pixels).data if pixels.size else b"")
            table.to_csv(self._partial / "table.csv", mode="a", index=False, header=self.count == 0)
        except OSError as error:
            raise CellsError(
                f"{self.path} cannot be written ({error.strerror or error}); nothing was kept, free some space and try again."
            ) from error
        self.count += len(table)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as failure:
            raise CellsError(
                f"{self.path} cannot be written ({failure.strerror or failure}); nothing was kept, free some space and try again."
            ) from failure
        finally:
            if not self._pixels.closed:
                try:
                    self._pixels.close()
                except OSError:  # a full disk reports again what is already being raised
                    pass
            shutil.rmtree(self._partial, ignore_errors=True)

    def _finish(self) -> None:
        if self._columns is None:
            pd.DataFrame(columns=list(PLACE)).to_csv(self._partial / "table.csv", index=False)
        self._header(self.count)
        self._pixels.close()
        (self._partial / "meta.json").write_text(json.dumps(self.meta, indent=1, default=str), encoding="utf-8")
        old = self.path.with_name(f".{self.path.name}.{os.getpid()}.old")
        if self.path.exists():
            self.path.rename(old)
        self._partial.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)


def open_cells(path: str | Path, *, in_memory: bool = False) -> Cells:
    """Open a `.cells` folder; pixels stay on disk (memory-mapped, read only) unless `in_memory`.

    Raises
    ------
    CellsError
        If the folder is no `.cells` folder or its parts do not fit each other.
    """
    path = Path(path)
    if not (path / "meta.json").is_file():
        raise CellsError(f"{path} is not a .cells folder (it has no meta.json).")
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        pixels = np.load(path / "pixels.npy", mmap_mode=None if in_memory else "r", allow_pickle=False)
        table = pd.read_csv(path / "table.csv", dtype={"field": str}, keep_default_na=True)
    except (OSError, ValueError, EOFError) as error:
        raise CellsError(f"{path} cannot be read as .cells ({error}); crop the images again.") from error
    if meta.get("format", 0) > FORMAT:
        raise CellsError(f"{path} was written by a newer napari-impa (format {meta['format']}); update napari-impa to open it.")
    return Cells(
        pixels, table, tuple(meta["channels"]), meta.get("pixel_size"), tuple(meta.get("label", ())), meta.get("control"),
        meta.get("history", {}),
    )


