"""The table of a source by condition: counts, plates, what is held out, and which columns can name conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.checks import plate_column
from napari_impa.cells.tables import columns_named, condition_names, shortest
from napari_impa.cells.words import IMAGED_TOGETHER

MOST_VALUES = 200
"""A column with more different values is no label."""


def held_rows(table: pd.DataFrame, hold_out: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """(N,) whether each row has one of the values held out, in any of the columns, or columns joined by `+`."""
    held = np.zeros(len(table), bool)
    for column, values in hold_out.items():
        names = condition_names(table, columns_named(table, column))
        held |= np.isin(names.astype(str), [shortest(value) for value in values])
    return held


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

    Rows without a label are of none.

    Returns
    -------
    Columns condition, count, plates (0 where no plate is known), control, held (rows held out) and training.
    """
    column = plate_column(table, label)
    held_by = [name for joined in hold_out or {} for name in columns_named(table, joined)]
    table, counts = distinct(table, [*label, *held_by, *([] if column is None else [column])])
    names = pd.Series(condition_names(table, label, control), name="condition")
    rows = pd.DataFrame({"count": counts, "held": np.where(held_rows(table, hold_out or {}), counts, 0)})
    found = rows.groupby(names).sum()
    found["plates"] = 0
    if column is not None:
        found["plates"] = pd.Series(condition_names(table, [column])).groupby(names).nunique()
    found = found.rename_axis("condition").reset_index()
    found = found[found["condition"] != ""].reset_index(drop=True)
    found["control"] = found["condition"] == (None if control is None else shortest(control))
    found["training"] = found["count"] - found["held"]
    columns = ["condition", "count", "plates", "control", "held", "training"]
    order = sorted(
        range(len(found)), key=lambda row: (not found["control"][row], in_natural_order(found["condition"][row]))
    )
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


def in_natural_order(name: str) -> list[tuple[float, str]]:
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
        names = pd.Series(condition_names(few, label, control))
        labelled = names != ""
        texts, names = pd.Series(condition_names(few, [column]))[labelled], names[labelled]
        values = sorted(set(texts))
        if len(values) < 3:
            continue
        if set(names[texts != values[-1]]) == set(names):
            return column, (values[-1],)
    return "", ()


def proposed_values(table: pd.DataFrame, column: str) -> tuple[str, ...]:
    """What to hold out by a column that was chosen: the last of several plates or batches, by other columns nothing."""
    values = values_of(table, column) if IMAGED_TOGETHER.fits(column) and column in table.columns else []
    return (values[-1],) if len(values) > 1 else ()


def values_of(table: pd.DataFrame, column: str) -> list[str]:
    """The different values of a column, or of columns joined by `+`, as `hold_out` takes them."""
    columns = columns_named(table, column)
    return sorted(set(map(str, condition_names(distinct(table, columns)[0], columns))))
