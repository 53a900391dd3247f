"""The file of a plate map, its tables read when they are first asked for, and what a form of plate map makes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets import Sheet, read_sheets


@dataclass(frozen=True, eq=False)
class MapFile:
    """A file that may be a plate map.

    Parameters
    ----------
    path
        Where it is.
    plates
        What the imaged plates are called, where that is known: a map of thousands of plates is read for these alone.
    """

    path: Path
    plates: tuple[str, ...] = ()

    @cached_property
    def sheets(self) -> list[Sheet]:
        """Its tables; errors as `read_sheets`."""
        return read_sheets(self.path)

    @property
    def is_workbook(self) -> bool:
        """Whether its sheets have names that somebody gave them."""
        return len(self.sheets) > 1 or self.path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


@dataclass(frozen=True, eq=False)
class MapRows:
    """What a plate map says, one row a well, as texts.

    Parameters
    ----------
    wells
        (N,) in their one spelling, `A01`.
    plates
        (N,) the plate of each; None where the map names none, and an empty text where a row is of all plates.
    values
        N rows of texts; the column of plate and well are not among them.
    form
        What the map is, in words.
    notes
        What was guessed or passed over, in sentences.
    """

    wells: NDArray[np.object_]
    plates: NDArray[np.object_] | None
    values: pd.DataFrame
    form: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlateMapForm:
    """One way in which people write down what is in the wells.

    Parameters
    ----------
    name
        What it is called.
    fits
        Whether a file is written so.
    read
        What it then says; raises `SourceError` where it is faulty.
    """

    name: str
    fits: Callable[[MapFile], bool]
    read: Callable[[MapFile], MapRows]


def some(names: Sequence[object], most: int = 3) -> str:
    """Name a few, and count the rest."""
    shown = ", ".join(map(str, names[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def count(number: int, one: str) -> str:
    """`1 well`, `2 wells`."""
    return f"{number:,} {one}{'s' * (number != 1)}"
