"""Half of the replicate wells, to hold out: which wells they are, by a seed, and how that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.tables import JOINED_BY, columns_named, condition_names, shortest
from napari_impa.cells.wells import is_well, well_name
from napari_impa.cells.words import IMAGED_TOGETHER, PLATE, WELL
from napari_impa.errors import ConditionError
from napari_impa.work.tables.conditions_table import distinct, held_rows, label_columns

WELLS, HALF = "wells", "half"
"""What is asked for as if it were a column and its value: `--hold-out wells=half`, `hold_out={"wells": "half"}`."""

ASKED = {WELLS: (HALF,)}
"""The same, as `hold_out` takes it."""

HALF_OF_WELLS = "wells=half"
"""Stands for it among the columns that a user chooses from."""

_MOST_NAMED = 8


@dataclass(frozen=True)
class HeldWells:
    """Wells that are held out, half of each condition's.

    Parameters
    ----------
    column
        That names them, or plate and well joined by `+`.
    wells
        Its values, in order.
    of
        How many wells have a condition.
    alone
        Conditions with one well, which stays in the training, and that well.
    seed
        By which they were drawn.
    """

    column: str
    wells: tuple[str, ...]
    of: int
    alone: Mapping[str, str]
    seed: int

    def in_words(self) -> str:
        """Say which wells are held out, by which columns, and what could not be halved."""
        columns = " and ".join(map(repr, self.column.split(JOINED_BY)))
        many = "s" * (JOINED_BY in self.column)
        said = (
            f"{len(self.wells):,} of {self.of:,} wells are held out, half of each condition's by the seed {self.seed} "
            f"(wells by the column{many} {columns})."
        )
        if self.alone:
            named = [f"{name} ({well})" for name, well in self.alone.items()]
            more = len(named) - _MOST_NAMED
            some = ", ".join(named[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
            one = "A condition with one well stays" if len(named) == 1 else "Conditions with one well stay"
            said += f" {one} in the training and cannot be scored: {some}."
        return said


def asks_for_half(hold_out: Mapping[str, Sequence[str]], table: pd.DataFrame | None = None) -> bool:
    """Whether half of the replicate wells is to be held out; a column `wells` with a value `half` comes first."""
    if tuple(hold_out.get(WELLS, ())) != ASKED[WELLS]:
        return False
    return table is None or WELLS not in table.columns or HALF not in set(map(shortest, table[WELLS].unique()))


def well_columns(table: pd.DataFrame) -> tuple[str, ...]:
    """What wells are held out by: their column, the same well of all plates, and plate and well joined by `+`."""
    well, plate = WELL.find(table), PLATE.find(table)
    if well is None:
        return ()
    several = plate is not None and table[plate].nunique(dropna=False) > 1
    return (well, JOINED_BY.join([str(plate), well])) if several else (well,)


def can_be_halved(table: pd.DataFrame, label: Sequence[str], control: str | None) -> bool:
    """Whether any condition of a table has two wells or more."""
    return (
        WELL.find(table) is not None
        and bool(label)
        and any(len(wells) > 1 for wells in _wells_of(table, label, control, None)[1].values())
    )


def ways_to_hold_out(table: pd.DataFrame, label: Sequence[str], control: str | None) -> list[tuple[str, str]]:
    """What cells can be held out by, the best first: a title, and a column, columns joined by `+`, or `HALF_OF_WELLS`.

    Plates and the like come first, then wells, half of the replicate wells, other columns, and the labels at last.
    """
    together, wells = IMAGED_TOGETHER.all(table, but=label), well_columns(table)
    others = [name for name in label_columns(table) if name not in (*together, *wells)]
    others.sort(key=lambda name: name in label)
    known = [name for name in together if name in label_columns(table)]
    titled = [(name.replace(JOINED_BY, " and "), name) for name in (*known, *wells)]
    if can_be_halved(table, label, control):
        titled.append(("half of the replicate wells", HALF_OF_WELLS))
    return titled + [(name, name) for name in others]


def half_of_wells(
    table: pd.DataFrame,
    label: Sequence[str],
    control: str | None,
    seed: int,
    among: NDArray[np.bool_] | None = None,
) -> HeldWells:
    """Draw half of the wells of each condition, rounded down; the same whatever the order of rows and columns.

    A well has its place in the order of a draw by the seed and its own name, so that it stays there when conditions or
    plates come in beside it.

    Parameters
    ----------
    table
        One row a cell, crop or field.
    label, control
        Columns that name conditions, and the control's name.
    seed
        Of the training.
    among
        (N,) rows that are drawn from; all where None.

    Raises
    ------
    ConditionError
        If no column names wells, or no condition has two.
    """
    column, wells = _wells_of(table, label, control, among)
    held = [well for of_one in wells.values() for well in _drawn(of_one, seed)]
    if not held:
        raise ConditionError(
            "No condition has two wells, so that half of its wells could be held out; hold out plates, or nothing."
        )
    every = {well for of_one in wells.values() for well in of_one}
    alone = {name: next(iter(of_one.values()))[0] for name, of_one in wells.items() if len(of_one) == 1}
    return HeldWells(column, tuple(sorted(held)), len(every), alone, seed)


def settled(
    hold_out: Mapping[str, Sequence[str]],
    table: pd.DataFrame,
    label: Sequence[str],
    control: str | None,
    *,
    seed: int,
    where: Mapping[str, Sequence[str]] | None = None,
) -> tuple[dict[str, tuple[str, ...]], HeldWells | None]:
    """Put the wells that are drawn in the place of `wells=half`; what else is held out stays, and is not drawn from.

    Parameters
    ----------
    hold_out
        As it was asked for.
    table, label, control, seed
        As `half_of_wells` takes them.
    where
        Columns and values of the rows that the training is about; all where None.

    Returns
    -------
    What is held out, and the wells among it where half was asked for.

    Raises
    ------
    ConditionError
        As `half_of_wells`.
    """
    plain = {column: tuple(values) for column, values in hold_out.items()}
    if not asks_for_half(hold_out, table):
        return plain, None
    del plain[WELLS]
    among = ~held_rows(table, plain)
    for column, values in (where or {}).items():
        among &= held_rows(table, {column: values})
    drawn = half_of_wells(table, label, control, seed, among)
    return {**plain, drawn.column: tuple(sorted({*plain.get(drawn.column, ()), *drawn.wells}))}, drawn


def _wells_of(
    table: pd.DataFrame, label: Sequence[str], control: str | None, among: NDArray[np.bool_] | None
) -> tuple[str, dict[str, dict[tuple[str, str], list[str]]]]:
    """What names the wells, and for each condition its wells (plate, well), each with the names it has in the table."""
    well, plate = WELL.find(table), PLATE.find(table)
    if well is None:
        raise ConditionError(
            "No column names the wells, so that half of them could be held out; hold out by another column "
            f"(there are: {', '.join(map(str, table.columns))}), or nothing."
        )
    column = well_columns(table)[-1]
    several = column != well
    table = table if among is None else table[among]
    few, _ = distinct(table, [*label, *columns_named(table, column)])
    names = condition_names(few, label, control)
    texts = condition_names(few, columns_named(few, column))
    plates = condition_names(few, [plate]) if several and plate is not None else np.full(len(few), "", object)
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for name, text, of_plate, of_well in zip(names, texts, plates, condition_names(few, [well]), strict=True):
        if name and of_well:
            at = (str(of_plate), well_name(of_well) if is_well(of_well) else str(of_well))
            spelled = found.setdefault(str(name), {}).setdefault(at, [])
            if text not in spelled:
                spelled.append(str(text))
    return column, {name: found[name] for name in sorted(found)}


def _drawn(wells: Mapping[tuple[str, str], list[str]], seed: int) -> list[str]:
    """Half of the wells of a condition, by all the names they have."""
    order = sorted(wells, key=lambda at: blake2b(repr((seed, *at)).encode(), digest_size=8).digest())
    return [name for at in order[: len(order) // 2] for name in wells[at]]
