"""Tables of what was done to each image or cell: reading them, naming conditions, guessing labels and control."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets.texts import loosely, tidy
from napari_impa.cells.sheets.typed_table import told_apart_as_text
from napari_impa.cells.words import (
    BATCH_LABEL,
    CONDITION,
    CONTROL_MARK,
    CONTROL_MARKS,
    CONTROLS,
    DOSE,
    IMAGED_TOGETHER,
    LESSER_MARKS,
    MECHANISM,
    MODALITY,
    PLATE_MAP,
    SMILES,
    SOLVENT,
    TREATMENT,
    WHERE_IMAGED,
    Task,
    micromolar_name,
)
from napari_impa.errors import ConditionError

JOINED_BY = "+"
"""Between the names of columns whose values are joined: `plate+well`."""

MOST_SAID = 12
"""Values that are all named where it is said which rows are chosen."""

_APART = " |"  # behind or between names that would be taken for another one
_KNOWN_CONTROLS = frozenset(map(loosely, CONTROLS))
_SURE_CONTROLS = frozenset(CONTROLS) - {"none", "empty", "neg", "negative", "control", "ctrl", "wt"}
_NO_LABELS = (WHERE_IMAGED, IMAGED_TOGETHER, DOSE, CONTROL_MARK, SOLVENT, SMILES, MECHANISM, MODALITY, PLATE_MAP)
_SHARE = re.compile(r"\(?\s*\d+(?:[.,]\d+)?\s*(?:%|percent)\s*\)?", re.IGNORECASE)
_NAME = re.compile(r"[+-]?(?:0\d|\d+[eE]\d|\d{16,}\s*$)", re.ASCII)


def shortest(value: object) -> str:
    """Write a label value as conditions are named: numbers in their shortest form, the rest as text.

    A text with leading zeros, as plates and wells have, is a name and stays as it is, and so do `1E3` and barcodes of
    more than 15 digits; a missing value is empty. Texts that only look different are one (`sheets.texts.tidy`).

    >>> shortest(50.0), shortest("0.10"), shortest("DMSO "), shortest("001"), shortest("0E8"), shortest(None)
    ('50', '0.1', 'DMSO', '001', '0E8', '')
    """
    if isinstance(value, str):
        text = tidy(value)
        if not text.isascii() or "_" in text or _NAME.match(text):
            return text
        try:
            number = float(text)
        except ValueError:
            return text
        if not np.isfinite(number):
            return text
    elif isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    elif isinstance(value, (int, float, np.integer, np.floating)):
        text, number = str(value), float(value)
        if np.isnan(number):
            return ""
        if not np.isfinite(number):
            return text
    else:
        return "" if value is None or value is pd.NA or value is pd.NaT else str(value)
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return repr(number)


def condition_names(table: pd.DataFrame, label: Sequence[str], control: str | None = None) -> NDArray[np.object_]:
    """Name the condition of every row: its label values joined by a space.

    A row in which a label column equals the control's name, in any spelling of it (`is_named`), is a control, whatever
    its other labels say, and is named `control`; beside other columns, a dose is not looked at for it. Where different
    values would give one name within this table, as `IL 1` without a dose and `IL` at dose 1, they are joined by ` | `
    instead.

    Raises
    ------
    ConditionError
        If no label column is given, or one is not in the table.
    """
    known = ", ".join(map(str, table.columns))
    if not label:
        if all(map(WHERE_IMAGED.fits, table.columns)):
            raise ConditionError(no_conditions(table))
        raise ConditionError(f"No label column was chosen; choose one or more of: {known}.")
    missing = [name for name in label if name not in table.columns]
    if missing:
        raise ConditionError(
            f"The table has no column {', '.join(map(repr, missing))}; its columns are: {known or 'none'}."
        )
    columns = [_texts(table[name]) for name in label]
    names = columns[0].copy()
    for column in columns[1:]:
        names = _joined(names, column)
    if control is not None:
        own = shortest(control)
        named = [column for column, name in zip(columns, label, strict=True) if not DOSE.fits(name)]
        as_written = [column for column in named or columns if (column == own).any()]
        is_control = np.logical_or.reduce([is_named(column, own) for column in as_written or named or columns])
        names[~is_control & (names == own)] = f"{own}{_APART}"  # as `IL` at dose 1, where the control is `IL 1`
        names[is_control] = own
    return names


def is_named(texts: NDArray[np.object_], name: str) -> NDArray[np.bool_]:
    """(N,) which texts are a control's name: in any case, and a usual name such as DMSO also with other hyphens."""
    codes, values = pd.factorize(texts)
    same = [_is_spelling(str(value), name) for value in values]
    found: NDArray[np.bool_] = np.array([*same, False], bool)[codes]
    return found


def _is_spelling(text: str, name: str) -> bool:
    if text.casefold() == name.casefold():
        return bool(text) or not name
    return loosely(name) in _KNOWN_CONTROLS and loosely(text) == loosely(name)


def columns_named(table: pd.DataFrame, name: str) -> list[str]:
    """The column of a name, or the columns that it joins by `+`, as `plate+well`: their values are joined by a space.

    >>> columns_named(pd.DataFrame(columns=["plate", "well"]), "plate+well")
    ['plate', 'well']
    """
    parts = name.split(JOINED_BY)
    return parts if name not in table.columns and set(parts) <= set(table.columns) else [name]


def as_in(names: Collection[str], value: object) -> str:
    """What a value that a user gives is among names: as it is written where a name is, else as numbers are written.

    >>> as_in({"1.1", "1.10"}, "1.10"), as_in({"1.5", "2"}, "1.50")
    ('1.10', '1.5')
    """
    return tidy(value) if isinstance(value, str) and tidy(value) in names else shortest(value)


def where_in_words(where: Mapping[str, Any]) -> str:
    """Say which rows columns and values choose: `plate = A or B, well = C`; of many values, some."""
    said = []
    for column, values in where.items():
        names = [shortest(v) for v in ([values] if isinstance(values, (str, int, float)) else values)]
        some = names if len(names) <= MOST_SAID else [*names[:3], f"one of {len(names) - 3:,} more"]
        said.append(f"{column} = {' or '.join(some)}")
    return ", ".join(said)


def no_conditions(table: pd.DataFrame) -> str:
    """Say that a table tells at most where cells were imaged, and what a user can give."""
    columns = ", ".join(map(str, table.columns))
    says = f"the images say only where cells are ({columns})" if columns else "the images do not say it"
    return (
        f"What was done to the cells is not known: {says}; give a plate map (--plate-map FILE on the command line) or "
        "a metadata.csv with a column such as compound."
    )


def _texts(column: pd.Series) -> NDArray[np.object_]:
    codes, values = pd.factorize(column, use_na_sentinel=False)
    written = [value for value in values if isinstance(value, str)]
    named = tidy if told_apart_as_text(column.name, written) else shortest
    names = [named(value) if isinstance(value, str) else shortest(value) for value in values]
    if DOSE.fits(column.name):
        names = list(map(_rounded, names))
    texts = np.array(names, dtype=object)
    return texts[codes] if len(texts) else np.empty(0, object)


def _rounded(text: str) -> str:
    """A number without the last digits that binary fractions add: 0.30000000000000004 is 0.3."""
    try:
        number = float(text)
    except ValueError:
        return text
    return shortest(float(f"{number:.12g}")) if text == shortest(number) else text


def _joined(first: NDArray[np.object_], second: NDArray[np.object_]) -> NDArray[np.object_]:
    (a, firsts), (b, seconds) = pd.factorize(first), pd.factorize(second)
    codes, pairs = pd.factorize(a * len(seconds) + b)
    both = [(firsts[pair // len(seconds)], seconds[pair % len(seconds)]) for pair in pairs]
    names = [" ".join(filter(None, one)) for one in both]
    between = _APART
    while twice := {name for name, count in Counter(names).items() if count > 1}:  # they are told apart
        names = [f"{a}{between} {b}".strip() if b and n in twice else n for n, (a, b) in zip(names, both, strict=True)]
        between += "|"
    return np.array(names, dtype=object)[codes] if names else first


def guess_labels(table: pd.DataFrame, task: Task = "perturbation") -> list[str]:
    """Guess the columns that name conditions; empty where nothing looks like one.

    For the task `perturbation`: `condition`, else a compound, drug, gene or the like, else a column of names among
    which a control such as DMSO is; and a dose column where the treated have more than one dose.  For the task `batch`:
    `batch`, `plate`, `week`, …
    """
    if task == "batch":
        found = BATCH_LABEL.find(table)
        return [found] if found else []
    found = CONDITION.find(table)
    if found:
        return [found]
    treatments = TREATMENT.all(table)
    filled = [name for name in treatments if (_texts(table[name]) != "").any()] or _with_a_control(table)
    if not filled:
        return treatments[:1]  # to be filled in
    treatments = filled
    # a name that is there for every row says more than one that is preferred: JUMP's genes have no compound
    found = next((name for name in treatments if (_texts(table[name]) != "").all()), treatments[0])
    control = guess_control(table, found)
    treated = table[condition_names(table, [found]) != control]
    for column in DOSE.all(table):
        if micromolar_name(column) in table.columns:  # which says the same in one unit
            continue
        if len(set(_texts(treated[column])) - {""}) > 1:
            return [found, column]
    return [found]


def _with_a_control(table: pd.DataFrame) -> list[str]:
    """Columns of names, whatever they are called, in which the usual name of a control stands beside others."""
    found = []
    for name in table.columns:
        if any(word.fits(name) for word in _NO_LABELS) or pd.api.types.is_numeric_dtype(table[name]):
            continue
        texts = {text.casefold() for text in map(shortest, table[name].unique())} - {""}
        if len(texts) > 1 and not texts.isdisjoint(_SURE_CONTROLS):
            found.append(str(name))
    return found


def guess_control(table: pd.DataFrame, label: Sequence[str] | str) -> str | None:
    """Guess the untreated control's name among the values of the label columns, or None.

    A column `control` (1, true, yes), `control_type` (`negcon`) or IMPA's `STATE` (`control`) decides; else a usual
    name such as DMSO, in its commonest spelling. Doses are not looked at.
    """
    columns = [name for name in ([label] if isinstance(label, str) else label) if name in table.columns]
    columns = [name for name in columns if not DOSE.fits(name)]
    if not columns:
        return None
    marked = marked_controls(table, but=columns)
    if marked is not None:
        return _commonest(_texts(table.loc[marked, columns[0]]))[0] or None
    for column in columns:
        present = {text.casefold(): text for text in reversed(_commonest(_texts(table[column])))}
        for name in CONTROLS:
            if name in present:
                return present[name]
    for column in columns:  # DMSO 0.1 %
        for text in _commonest(_texts(table[column])):
            if _SHARE.sub("", text).strip(" ()").casefold() in _SURE_CONTROLS:
                return text
    return None


def marked_controls(table: pd.DataFrame, but: Sequence[str] = ()) -> NDArray[np.bool_] | None:
    """(N,) the rows that a column marks as untreated controls; None where none does.

    The column that marks the fewest decides: `control_type` tells `negcon` from `poscon`, where `pert_type` says
    `control` of both.

    Parameters
    ----------
    but
        Columns that mark nothing, such as the labels.
    """
    columns = [_texts(table[name]) for name in CONTROL_MARK.all(table, but=but)]
    for marks in (CONTROL_MARKS, LESSER_MARKS):
        found = [np.array([text.casefold() in marks for text in texts], bool) for texts in columns]
        found = [rows for rows in found if rows.any()]
        if found:
            return min(found, key=lambda rows: int(rows.sum()))
    return None


def _commonest(texts: NDArray[np.object_]) -> list[str]:
    """The different texts, the commonest first; of those that are as common, by the alphabet."""
    values, counts = np.unique(texts.astype(str), return_counts=True)
    return [str(values[at]) for at in np.argsort(-counts, kind="stable")]
