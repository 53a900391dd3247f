"""Units of doses, read from the names of columns: said beside them, and never converted in silence.

`concentration_um`, `dose (nM)`, `mmoles_per_liter`. Where values carry their units themselves (`10 µM`, or a column
`dose_unit`), a column in µM is added and the original kept, so that 1 nM and 1 µM are not one dose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets.texts import tidy
from napari_impa.cells.tables import shortest
from napari_impa.cells.words import DOSE, micromolar_name, plain_name
from napari_impa.errors import SourceError

MICROMOLAR = "µM"

_FACTORS = {"M": 1e6, "mM": 1e3, MICROMOLAR: 1.0, "nM": 1e-3, "pM": 1e-6, "fM": 1e-9}
_PREFIXES = {"m": "mM", "milli": "mM", "u": MICROMOLAR, "µ": MICROMOLAR, "μ": MICROMOLAR, "micro": MICROMOLAR,
             "n": "nM", "nano": "nM", "p": "pM", "pico": "pM", "f": "fM", "femto": "fM", "": "M"}  # fmt: skip
_PREFIX = "(milli|micro|nano|pico|femto|[munpfµμ]?)"
_MOLAR = re.compile(rf"{_PREFIX}[-_ ]?(?:m|molar)", re.IGNORECASE)
_MOLES = re.compile(
    rf"{_PREFIX}[-_ ]?mol(?:e|es)?(?: ?/ ?l(?:it(?:er|re))?|[-_ ](?:per|p)[-_ ]?l(?:it(?:er|re))?)", re.IGNORECASE
)
_OTHER = re.compile(
    r"(?:[mnpµμu]?g ?(?:/|[-_ ]?per[-_ ]?) ?[mµμu]?l|[mnpµμu]?g[-_][mµμu]l|%|percent|pct|x|moi|units?(?:/ml)?|u/ml)",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r".*[(\[]\s*(?P<unit>[^()\[\]]+?)\s*[)\]]\s*")
_WITH_UNIT = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?)\s*(?P<unit>[^\d\s].*)", re.IGNORECASE
)
_UNIT_COLUMN = re.compile(r"(?:.*_)?units?")
_NO_DOSE = frozenset({"-", "–", "—", "n/a", "na", "none", "nan", "null"})  # what stands there of a control
_DIGITS = re.compile(r"[+-]?[\d.,]*\d")


@dataclass(frozen=True)
class ColumnUnit:
    """The unit of a column of doses.

    Parameters
    ----------
    column
        Its name.
    unit
        As it is usually written: `nM`.
    factor
        To µM; None where the unit is no molar one.
    """

    column: str
    unit: str
    factor: float | None

    def __str__(self) -> str:
        if self.factor is None:
            return f"{self.column} is in {self.unit}"
        if self.factor == 1:
            return f"{self.column} is in {self.unit}"
        return f"{self.column} is in {self.unit} (times {self.factor:g} in {MICROMOLAR})"


def unit_of(column: str) -> ColumnUnit | None:
    """Read the unit from a column's name; None where it names none, or the column is no dose.

    >>> [(u.unit, u.factor) for u in map(unit_of, ["concentration_um", "dose (nM)", "Metadata_mmoles_per_liter"])]
    [('µM', 1.0), ('nM', 0.001), ('mM', 1000.0)]
    """
    if not DOSE.fits(column):
        return None
    found = _IN_BRACKETS.fullmatch(column)
    name = plain_name(column)
    texts = (
        [found["unit"]] if found else [name, *(name.split("_", parts)[-1] for parts in range(1, name.count("_") + 1))]
    )
    for text in texts:
        known = known_unit(text)
        if known is not None and (found or text == name or text.casefold() != "m"):
            return ColumnUnit(column, *known)
    return None


def known_unit(text: str) -> tuple[str, float | None] | None:
    """The unit that a text names, in its usual spelling, and its factor to µM; None where it is none that is known."""
    text = tidy(text)
    found = _MOLES.fullmatch(text) or _MOLAR.fullmatch(text)
    if found is not None:
        unit = _PREFIXES[found[1].lower()]
        return unit, _FACTORS[unit]
    return (text, None) if _OTHER.fullmatch(text) else None


def as_numbers(texts: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Texts as numbers, an empty one as NaN; None where one is none.

    A comma is a decimal sign, unless it could as well part thousands.
    """
    filled = [str(text) for text in texts if text]
    if not filled:
        return None
    if any("," in text for text in filled):
        if any("." in text for text in filled) or all(
            re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", t) for t in filled if "," in t
        ):
            return None
        texts = np.array([str(text).replace(",", ".") for text in texts], object)
    try:
        numbers = np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return None
    given = texts != ""
    return numbers if np.isfinite(numbers[given]).all() else None


@dataclass(frozen=True, eq=False)
class Doses:
    """A table whose columns of doses are numbers, their units, and what is to be said of them."""

    values: pd.DataFrame
    units: tuple[ColumnUnit, ...]
    notes: tuple[str, ...]


def with_doses(values: pd.DataFrame) -> Doses:
    """Make columns of doses numbers, and add one in µM for doses whose units stand beside the numbers.

    Parameters
    ----------
    values
        Texts.

    Raises
    ------
    SourceError
        If the commas of a dose's numbers could part thousands or be decimal signs.
    """
    units, notes = [], []
    made: dict[str, NDArray[Any]] = {}
    columns = [str(name) for name in values.columns]
    doses = set(DOSE.all(columns)) - {name for name in columns if _UNIT_COLUMN.fullmatch(plain_name(name))}
    unit_columns = [name for name in columns if _UNIT_COLUMN.fullmatch(plain_name(name))]
    for name in columns:
        texts = values[name].to_numpy(object)
        if name not in doses:
            made[name] = texts
            continue
        given = np.array(["" if str(text).strip().casefold() in _NO_DOSE else text for text in texts], object)
        numbers, unit = as_numbers(given), unit_of(name)
        if numbers is None:
            _check_commas(name, given)
            texts = given
            converted = _from_texts(texts, unit)
        elif unit is None and unit_columns:
            converted = _from_column(numbers, values[_belonging(name, unit_columns)].to_numpy(object))
        else:
            converted = None
        if converted is not None:
            title = _free(micromolar_name(name), columns)
            made[title] = converted  # before the original, so that it names the conditions
            units.append(ColumnUnit(title, MICROMOLAR, 1.0))
            notes.append(f"{name} has its units beside its numbers; {title} is the same in {MICROMOLAR}, converted.")
        elif unit is not None:
            units.append(unit)
        made[name] = texts if numbers is None else numbers
    table = {name: pd.Series(column, values.index, column.dtype) for name, column in made.items()}
    return Doses(pd.DataFrame(table, index=values.index), tuple(units), tuple(notes))


def with_doses_as_numbers(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Do the same for a table of which columns of numbers are numbers already; and what is to be said of it.

    A column that is in µM already is left as it is, beside the one that it was made of.

    Raises
    ------
    SourceError
        As `with_doses`.
    """
    columns = list(map(str, table.columns))
    units = [name for name in columns if _UNIT_COLUMN.fullmatch(plain_name(name))]
    doses = [name for name in DOSE.all(columns) if name not in units and micromolar_name(name) not in columns]
    doses = [name for name in doses if units or table[name].dtype == object]
    if not doses:
        return table, ()
    texts = pd.DataFrame(
        {
            name: [value if isinstance(value, str) else shortest(value) for value in table[name]]
            for name in (*doses, *units)
        },
        dtype=object,
    )
    made = with_doses(texts)
    values: dict[str, Any] = {}
    for name in columns:
        if name in doses:
            title = micromolar_name(name)
            values |= {title: made.values[title].to_numpy()} if title in made.values else {}
            numbers = pd.api.types.is_numeric_dtype(made.values[name])
            values[name] = made.values[name].to_numpy() if numbers else table[name].to_numpy()
        else:
            values[name] = table[name].to_numpy()
    return pd.DataFrame(values, index=table.index), made.notes


def _check_commas(column: str, texts: NDArray[np.object_]) -> None:
    """Refuse numbers of which it is not clear what their commas are."""
    filled = [str(text) for text in texts if text]
    with_comma = next((text for text in filled if "," in text), None)
    if with_comma is not None and all(map(_DIGITS.fullmatch, filled)):
        raise SourceError(
            f"The column {column!r} has the number {with_comma}, of which the comma may part thousands or be a decimal "
            "sign; write numbers with a decimal point, and nothing between thousands."
        )


def _from_texts(texts: NDArray[np.object_], unit: ColumnUnit | None) -> NDArray[np.float64] | None:
    """`10 µM` and `5 nM` in µM; a number alone where it is 0 or the column has a unit; None where one is no dose."""
    doses = np.full(len(texts), np.nan)
    with_unit = 0
    for row, text in enumerate(map(tidy, map(str, texts))):
        if not text:
            continue
        found = _WITH_UNIT.fullmatch(text)
        known = known_unit(found["unit"]) if found else None
        if found and known and known[1] is not None:
            doses[row] = _scaled(float(found["number"].replace(",", ".")), known[1])
            with_unit += 1
            continue
        plain = as_numbers(np.array([text], object))
        factor = 1.0 if plain is not None and plain[0] == 0 else None if unit is None else unit.factor
        if plain is None or factor is None:
            return None
        doses[row] = _scaled(float(plain[0]), factor)
    return doses if with_unit else None


def _from_column(numbers: NDArray[np.float64], units: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Numbers in µM by the column of their units."""
    known = {unit: known_unit(str(unit)) for unit in set(units)}
    doses = np.full(len(numbers), np.nan)
    for row, (number, unit) in enumerate(zip(numbers, units, strict=True)):
        if np.isnan(number):
            continue
        found = known[unit]
        if number and (found is None or found[1] is None):
            return None
        doses[row] = _scaled(float(number), found[1] if found and found[1] is not None else 1.0)
    return doses


def _scaled(number: float, factor: float) -> float:
    """The product without the last digits that binary fractions add: 0.3 nM is 0.0003 µM."""
    return float(f"{number * factor:.12g}")


def _belonging(name: str, unit_columns: Sequence[str]) -> str:
    """The column of units that goes with a column of doses: the one that is called after it, else the first."""
    return next((unit for unit in unit_columns if plain_name(unit).startswith(plain_name(name))), unit_columns[0])


def _free(title: str, taken: Sequence[str]) -> str:
    while title in taken:
        title += "_"
    return title
