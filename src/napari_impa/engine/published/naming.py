"""Names for the conditions of a published checkpoint: from the training's table, or by matching fingerprints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.store import condition_names, shortest
from napari_impa.cells.tables import guess_control, guess_labels
from napari_impa.cells.words import MODALITY, SMILES, Task
from napari_impa.engine.describing import BY_SMILES
from napari_impa.engine.describing.description import Description, Vector
from napari_impa.errors import ConditionError


@dataclass(frozen=True, eq=False)
class Named:
    """Names of the conditions of one modality, in the order of its embedding table.

    `kind` is told where fingerprints were matched; `unseen` are compounds of the table that were not trained on.
    """

    names: tuple[str, ...] = ()
    modality: str = ""
    kind: type[Description] | None = None
    unseen: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(eq=False)
class Naming:
    """Where the names of a checkpoint's conditions are found.

    Parameters
    ----------
    path
        CSV table of the training (one row an image, a cell or a compound).
    column
        Column of the names; guessed where not given.
    control
        The untreated control, which may or may not be one of the conditions; guessed where not given.
    smiles
        Column of SMILES, by which rows of fingerprints are matched; guessed where one is called smiles.
    modality
        Column that names the kind of perturbation, for a model of several; where it is not given either, that pair of
        columns is taken by which every kind has as many names as its embedding table has rows.
    """

    path: str | Path
    column: str | None = None
    control: str | None = None
    smiles: str | None = None
    modality: str | None = None

    def find(self, matrices: Sequence[NDArray[Any]], task: Task = "perturbation") -> list[Named]:
        """Name the rows of every modality's embedding table (K, e); column and control are kept if guessed.

        Raises
        ------
        SourceError
            If the table cannot be read.
        ConditionError
            If a column is missing, or the names do not fit the embedding tables.
        """
        table = read_table(self.path)
        if len(matrices) > 1 and self.modality is None:
            self._guess_pair(table, [len(matrix) for matrix in matrices])
        self.column = self.column or next(iter(guess_labels(table, task)), None)
        if self.column is None:
            raise ConditionError(
                f"No column of {Path(self.path).name} looks like the names of conditions; "
                f"say which one it is: {', '.join(map(str, table.columns))}."
            )
        names = condition_names(table, [self.column])
        if self.control is None and task == "perturbation":
            self.control = guess_control(table, self.column)
        control = None if self.control is None or task == "batch" else shortest(self.control)
        parts = self._by_modality(table, names, control, len(matrices))
        found = []
        for matrix, (modality, rows) in zip(matrices, parts.items(), strict=True):
            named = self._name(matrix, table[rows], names[rows], control)
            found.append(replace(named, modality=modality))
        return _told_apart(found)

    def _guess_pair(self, table: pd.DataFrame, counts: Sequence[int]) -> None:
        """Find the columns of names and of modalities by the number of names that each modality has to have."""
        texts = {str(column): condition_names(table, [str(column)]) for column in table.columns}
        distinct = {column: len(set(found) - {""}) for column, found in texts.items()}
        columns = list(texts) if self.column is None else [name for name in texts if name == self.column]
        for modality in (column for column in texts if len(counts) <= distinct[column] <= len(counts) + 2):
            for column in (one for one in columns if one != modality and distinct[one] >= max(counts)):
                control = self.control or guess_control(table, column)
                is_control = texts[column] == (None if control is None else shortest(control))
                kinds = sorted(set(texts[modality][~is_control]) - {""})
                named = [sorted(set(texts[column][(texts[modality] == kind) & ~is_control]) - {""}) for kind in kinds]
                if [len(names) for names in named] == list(counts):
                    self.column, self.modality = column, modality
                    return

    def _by_modality(
        self, table: pd.DataFrame, names: NDArray[np.object_], control: str | None, count: int
    ) -> dict[str, NDArray[np.bool_]]:
        """Rows of the table that belong to each modality, sorted by its name; the control belongs to all."""
        if count == 1 and self.modality is None:
            return {"": np.ones(len(table), bool)}
        column = self.modality or MODALITY.find(table)
        if column is None:
            raise ConditionError(
                f"The model has {count} modalities; say which column of the table names them (--modality)."
            )
        texts, is_control = condition_names(table, [column]), names == control
        modalities = sorted(set(texts[~is_control]) - {""})
        if len(modalities) != count:
            raise ConditionError(
                f"The model has {count} modalities, but the column {column!r} names {len(modalities)}: "
                f"{', '.join(modalities[:12])}."
            )
        return {modality: (texts == modality) | is_control for modality in modalities}

    def _name(
        self, matrix: NDArray[Any], table: pd.DataFrame, names: NDArray[np.object_], control: str | None
    ) -> Named:
        smiles = self.smiles or SMILES.find(table)
        if smiles is not None and smiles not in table.columns:
            raise ConditionError(
                f"The table has no column {smiles!r}; its columns are: {', '.join(map(str, table.columns))}."
            )
        if smiles is not None and any(kind.fits(matrix) for kind in BY_SMILES):
            known = {
                name: str(text).strip()
                for name, text in zip(names, table[smiles], strict=True)
                if name and not pd.isna(text)
            }
            return match_fingerprints(matrix, known, control)
        assert self.column is not None
        ordered = table[self.column].dropna().drop_duplicates().sort_values().map(shortest)
        return Named(tuple(fit_names(list(dict.fromkeys(name for name in ordered if name)), len(matrix), control)))


def fit_names(names: Sequence[str], count: int, control: str | None = None) -> list[str]:
    """Choose `count` of the sorted unique names of a table, with or without the control.

    Raises
    ------
    ConditionError
        If there are more or fewer, with the control as without.
    """
    others = [name for name in names if name != control]
    if len(others) == count:
        return others
    if len(names) == count:
        return list(names)
    if control is not None and len(others) == len(names) == count - 1:
        return sorted([*names, control])
    raise ConditionError(
        f"The model knows {count} conditions, but the table names {len(others)}"
        f"{'' if control is None else f' beside the control {control!r}'}; "
        "give the table of its training, or choose another column or control."
    )


def match_fingerprints(matrix: NDArray[Any], smiles: Mapping[str, str], control: str | None = None) -> Named:
    """Find the compound of every row (K, e) among named SMILES; every kind of fingerprint is tried.

    Compounds of the same fingerprint (stereoisomers) are told apart by the order of their names alone.

    Parameters
    ----------
    matrix
        The embedding table.
    smiles
        Name → SMILES.
    control
        A name that does not count as unseen where no row is its.

    Raises
    ------
    ConditionError
        If a SMILES cannot be read, a row is of no compound, or of one of several.
    """
    missing: dict[str, int] = {}
    for kind in BY_SMILES:
        vectors = {name: kind.of_smiles(text, matrix.shape[1]) for name, text in smiles.items()}
        names: dict[bytes, list[str]] = {}
        for name in sorted(vectors):
            names.setdefault(vectors[name].tobytes(), []).append(name)
        rows = [row.astype(np.float32).tobytes() for row in matrix]
        missing[kind.kind] = sum(row not in names for row in rows)
        if missing[kind.kind]:
            continue
        for row in dict.fromkeys(rows):
            if len(names[row]) != rows.count(row):
                some = ", ".join(names[row])
                raise ConditionError(
                    f"{rows.count(row)} of the model's conditions have the fingerprint of {some}; "
                    "leave in the table only the compounds that it was trained on."
                )
        order = {row: iter(found) for row, found in names.items()}
        found = [next(order[row]) for row in rows]
        unseen = {name: vector for name, vector in vectors.items() if name not in found and name != control}
        return Named(tuple(found), kind=kind, unseen=unseen)
    least = min(missing.values())
    raise ConditionError(
        f"{least} of the model's {len(matrix)} conditions have the fingerprint of no SMILES in the table "
        f"(tried {' and '.join(missing)}); give the SMILES that it was trained with, where even a tautomer differs."
    )


def _told_apart(found: Sequence[Named]) -> list[Named]:
    """Put the modality before every name where one occurs in two modalities."""
    names = [name for named in found for name in (*named.names, *named.unseen)]
    if len(set(names)) == len(names):
        return list(found)
    return [
        replace(
            named,
            names=tuple(f"{named.modality} {name}" for name in named.names),
            unseen={f"{named.modality} {name}": vector for name, vector in named.unseen.items()},
        )
        for named in found
    ]
