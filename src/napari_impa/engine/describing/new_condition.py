"""A condition that a model was not trained on, what a cell can be turned into, and tables of new conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets.texts import tidy
from napari_impa.cells.tables import shortest
from napari_impa.cells.words import DOSE, MODALITY, SMILES
from napari_impa.engine.describing import DESCRIBED, kind_named, names_of
from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.named_numbers import numbers_of, read_named
from napari_impa.errors import ConditionError


@dataclass(frozen=True)
class NewCondition:
    """A condition that a model was not trained on, given by its description.

    Parameters
    ----------
    name
        What predicted cells are labelled with.
    smiles
        Structure of the compound, for a model of fingerprints.
    vector
        Instead of a SMILES: its numbers, in the order of the table's columns, or a ready fingerprint.
    kind
        What `vector` is: `bit` or `count` must be said; otherwise a row of a table.
    dose
        In the unit of the training's dose column, for a model that was trained with doses.
    modality
        The kind of perturbation, where a model knows several.

    Raises
    ------
    ConditionError
        If there is neither a SMILES nor a vector, or both, or a number is not finite.
    """

    name: str
    smiles: str | None = None
    dose: float | None = None
    vector: Sequence[float] | NDArray[Any] | None = None
    kind: str | None = None
    modality: str | None = None

    def __post_init__(self) -> None:
        if (self.smiles is None) == (self.vector is None):
            raise ConditionError(f"The new condition {self.name!r} needs either a SMILES or a vector of numbers.")
        names = names_of(DESCRIBED)
        if self.kind is not None and (self.vector is None or self.kind not in names):
            raise ConditionError(f"The kind of a new condition's vector is {', '.join(names[:-1])} or {names[-1]}.")
        if self.dose is not None and not (np.isfinite(self.dose) and self.dose >= 0):
            raise ConditionError(f"A dose is a number from 0 up, not {self.dose}.")
        if self.vector is not None:
            numbers = np.asarray(self.vector)
            if numbers.ndim != 1 or numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).all():
                raise ConditionError(f"The vector of {self.name!r} must be a list of finite numbers.")
            object.__setattr__(self, "vector", tuple(map(float, numbers)))

    @property
    def given(self) -> str:
        """In words, how it is described."""
        kind = None if self.kind is None else kind_named(self.kind)
        return "a SMILES" if self.smiles is not None else "a vector" if kind is None else kind.singular

    def to_json(self) -> dict[str, Any]:
        """What was given, for the history of predicted cells."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in values.items() if value is not None}


Target = str | NewCondition
"""What a cell can be turned into: a condition by its name, or one described anew."""


def name_of(target: Target) -> str:
    """What cells turned into a condition are labelled with."""
    return target.name if isinstance(target, NewCondition) else target


def as_list(to: Target | Sequence[Target]) -> list[Target]:
    """One condition or several → a list."""
    return [to] if isinstance(to, (str, NewCondition)) else list(to)


def read_new_conditions(path: str | Path, descriptions: Sequence[Description]) -> list[NewCondition]:
    """Read new conditions from a CSV table: name first; SMILES (and dose), or the numbers that describe a condition.

    Parameters
    ----------
    path
        Columns called `smiles`, `dose…` and `modality` are taken for that, the others for numbers in the order of the
        table that the model was trained with where their titles are not known, else by the same titles.
    descriptions
        The model's.

    Raises
    ------
    ConditionError
        If the file cannot be read as a table, lacks a column that the model was trained with, or a value does not fit.
    """
    table, known = _with_known_titles(read_named(path), descriptions)
    others = [column for column in table.columns if column not in known]
    smiles, modality, dose = SMILES.find(others), MODALITY.find(others), DOSE.find(others)
    numbers = table[list(known) or [column for column in others if column not in (smiles, modality, dose)]]
    numbers = numbers.apply(numbers_of) if len(numbers.columns) else numbers
    if smiles is None and not known and descriptions and all(one.features for one in descriptions):
        titles = descriptions[0].features
        missing = [name for name in titles if name not in table.columns]
        raise ConditionError(
            f"{Path(path).name} has no column {_some(missing)}, which the model was trained with; its columns are: "
            f"{_some(list(map(str, numbers.columns))) or 'none'}. Give the columns the titles of that table."
        )
    if smiles is None and not all(kind.kind in "iuf" for kind in numbers.dtypes):
        raise ConditionError(f"{Path(path).name} holds neither a column called smiles nor numbers alone.")
    found = []
    for row, name in enumerate(table.index):
        values = table.iloc[row]
        given: dict[str, Any] = {"modality": shortest(values[modality]) or None} if modality else {}
        if smiles is not None and not pd.isna(values[smiles]):
            given["smiles"] = str(values[smiles])
        else:
            given["vector"] = numbers.iloc[row].to_numpy()
        if dose is not None and not pd.isna(values[dose]):
            given["dose"] = _number(values[dose], name)
        found.append(NewCondition(name, **given))
    return found


def _with_known_titles(
    table: pd.DataFrame, descriptions: Sequence[Description]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table with the titles that a model knows, however they are spelled, and these; none where one is missing."""
    spelled = {tidy(str(column)).casefold(): column for column in reversed(list(table.columns))}
    for one in descriptions:
        own = {name: name if name in table.columns else spelled.get(tidy(name).casefold()) for name in one.features}
        if own and None not in own.values() and len(set(own.values())) == len(own):
            return table.rename(columns={column: name for name, column in own.items()}), one.features
    return table, ()


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + " …" * (len(names) > 5)


def _number(value: object, name: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise ConditionError(f"The dose {value!r} of {name!r} is not a number.") from None
