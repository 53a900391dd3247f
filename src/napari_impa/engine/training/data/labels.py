"""Who is control, which condition and modality each cell of a training has, and how conditions are described."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.store import Cells, condition_names, shortest
from napari_impa.cells.words import SMILES
from napari_impa.engine.describing.description import Description, Vector
from napari_impa.engine.training.data.feed import Rows
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ConditionError

Names = NDArray[np.object_]


class TrainingLabels:
    """The conditions of a training, one numbering over all kinds of perturbation (modalities).

    Parameters
    ----------
    cells
        Labelled cells.
    settings
        Task, held-out cells, modality column and whether the control is a condition.

    Attributes
    ----------
    modalities
        Names of the kinds of perturbation, sorted; one empty name where there is one only.
    conditions
        K names, those of the first modality first, sorted within each.
    modality, row
        (K,) number of each condition's modality and its row in that modality's embedding table.
    pool, starts, sizes
        Rows of the cells of all conditions, those of the first one first; where each begins (K,), how many it has (K,).
    sources
        For each modality, rows of the cells to transform: its own controls where it has any, else all.
    held
        (N,) whether a cell takes no part: it is held out, has no label, or is not what the training is about.
    control
        (modalities,) number of the condition that is the modality's control, or -1.
    counts
        Cells of each condition, and of the control.
    alike
        Conditions that are described by the same numbers, once they are described, so that a model cannot tell them
        apart.

    Raises
    ------
    ConditionError
        If there are no controls, no treated cells, or only one batch outside what is held out, or a condition is of
        several modalities.
    """

    def __init__(self, cells: Cells, settings: TrainingSettings) -> None:
        self._cells, self._settings = cells, settings
        self.alike: list[list[str]] = []
        self.held = held_out_mask(cells, settings.hold_out) | ~cells.mask_where(settings.where)
        self._names, self._is_control = cells.conditions, cells.is_control
        self.held |= self._names == ""  # an empty label is none
        self._kinds = kinds = self._modality_names()
        rows = np.flatnonzero(~self.held)
        if settings.task == "batch":
            controls = treated = rows
        else:
            controls, treated = self._controls_and_treated(rows)
        self.modalities = tuple(sorted(map(str, pd.unique(kinds[treated]))))
        _check_description(settings, self.modalities)
        found: list[tuple[int, str]] = []
        self.control, self.sources = np.full(len(self.modalities), -1), []
        for number, modality in enumerate(self.modalities):
            own = controls[kinds[controls] == modality]
            self.sources.append(own if len(own) else controls)
            names = set(map(str, pd.unique(self._names[treated[kinds[treated] == modality]])))
            if settings.controls_to_themselves:
                names.add(self._control_name(modality))
            found += [(number, name) for name in sorted(names)]
        self.conditions = [name for _, name in found]
        self.modality = np.array([number for number, _ in found], np.intp)
        self.row = np.concatenate([np.arange(np.sum(self.modality == m)) for m in range(len(self.modalities))])
        self._check_conditions()
        y = pd.Categorical(self._names[treated], categories=self.conditions).codes
        by_condition = treated[np.argsort(y, kind="stable")]
        members = np.split(by_condition, np.cumsum(np.bincount(y, minlength=len(self.conditions)))[:-1])
        if settings.controls_to_themselves:
            for number, modality in enumerate(self.modalities):
                self.control[number] = self.conditions.index(self._control_name(modality))
                members[self.control[number]] = self.sources[number]
        self.pool, self.sizes = np.concatenate(members), np.array([len(rows) for rows in members])
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.counts = dict(zip(self.conditions, self.sizes.tolist(), strict=True))
        if settings.task != "batch":
            self.counts[shortest(cells.control)] = len(controls)

    def digest(self) -> str:
        """Of what every cell is labelled with, in their order, and of which take no part."""
        digest = hashlib.sha256(np.packbits(self.held).tobytes())
        for name, kind in zip(self._names, self._kinds, strict=True):
            digest.update(f"{name}\0{kind}\n".encode())
        return digest.hexdigest()[:32]

    def _controls_and_treated(self, rows: Rows) -> tuple[Rows, Rows]:
        cells = self._cells
        if cells.control is None:
            raise ConditionError("No control was named; say which label value is the untreated control.")
        is_control = self._is_control[rows]
        if not is_control.any():
            raise ConditionError(f"No control cells ({cells.control}) are left to train on outside what is held out.")
        if is_control.all():
            raise ConditionError("All cells left to train on are controls; give cells of at least one other condition.")
        return rows[is_control], rows[~is_control]

    def _modality_names(self) -> Names:
        """(N,) name of the kind of perturbation of every cell; empty where no column says it."""
        column = self._settings.modality
        if column is None:
            return np.full(len(self._cells), "", object)
        names = condition_names(self._cells.table, [column])
        missing = (names == "") & ~self._is_control & (self._names != "")
        if missing.any():
            raise ConditionError(
                f"The column {column!r} names no modality for {missing.sum():,} treated cells "
                f"(of {self._names[missing][0]}); fill it in."
            )
        return names

    def _control_name(self, modality: str) -> str:
        name = shortest(self._cells.control)
        return f"{name} ({modality})" if len(self.modalities) > 1 else name

    def _check_conditions(self) -> None:
        if self._settings.task == "batch" and len(self.conditions) < 2:
            raise ConditionError(
                "Batch correction needs cells of at least two batches; "
                f"there is only {', '.join(self.conditions) or 'none'}."
            )
        names = pd.Series(self.conditions)
        if names.duplicated().any():
            raise ConditionError(
                f"The condition {names[names.duplicated()].iloc[0]!r} occurs in several modalities; add the column "
                f"{self._settings.modality!r} to the label columns, or mend the table."
            )

    def examples(self, conditions: Rows, places: Rows) -> Rows:
        """Rows of cells of the conditions with the given numbers, each at a place (from 0) among its condition's."""
        rows: Rows = self.pool[self.starts[conditions] + places]
        return rows

    def numbers(self, rows: Rows) -> Rows:
        """(n,) numbers of the conditions of the cells at some rows."""
        return np.array([self.conditions.index(name) for name in self._names[rows]], np.intp)

    def of_modality(self, number: int) -> list[str]:
        """Names of the conditions of a modality, in the order of its embedding table."""
        return [name for name, m in zip(self.conditions, self.modality, strict=True) if m == number]

    # ---- descriptions -------------------------------------------------------------------------------------------

    def describe(self, *, standardized: bool) -> list[tuple[Description, Vector | None]]:
        """Describe the conditions of every modality, with vectors (K, e) unless they are learned.

        Conditions that were held out altogether are described too (`Description.unseen`).

        Parameters
        ----------
        standardized
            Bring the columns of tables to mean 0 and standard deviation 1.

        Raises
        ------
        ConditionError
            If a SMILES, a row of the table or a dose is missing or cannot be read.
        MissingDependencyError
            If fingerprints are asked for without RDKit.
        """
        return [self._describe(number, standardized) for number in range(len(self.modalities))]

    def _describe(self, number: int, standardized: bool) -> tuple[Description, Vector | None]:
        modality, settings = self.modalities[number], self._settings
        kind = settings.kind_of(modality)
        if not kind.needs:
            return kind(modality), None
        trained = self.of_modality(number)
        facts = self._facts(number, trained)
        unseen = [name for name in facts.index if name not in trained]
        known = facts.assign(trained=facts.index.isin(trained))
        description, raw = kind.of_training(
            known, modality, settings.description_of(modality), standardize=standardized
        )
        doses = facts["dose"].to_numpy()
        if settings.dose is not None:
            description = description.with_doses(raw[: len(trained)], doses[: len(trained)].max())
        vectors = description.complete(raw, doses)
        self.alike += same_vectors(list(facts.index), vectors)
        rest = dict(zip(unseen, vectors[len(trained) :], strict=True))
        return replace(description, unseen=rest), vectors[: len(trained)]

    def _facts(self, number: int, trained: Sequence[str]) -> pd.DataFrame:
        """SMILES, dose and key in a table of descriptions of every condition: those trained, then those unseen."""
        cells, settings = self._cells, self._settings
        others = [name for name in cells.label if name not in (settings.dose, settings.modality)]
        by_smiles = settings.kind_of(self.modalities[number]).needs == "smiles"
        facts = pd.DataFrame({"name": self._names, "key": "", "smiles": "", "dose": 0.0})
        if not by_smiles:
            facts["key"] = condition_names(cells.table, others, cells.control)
        else:
            facts["smiles"] = _smiles(cells, settings.smiles)
        if settings.dose is not None:
            facts["dose"] = _doses(cells, settings.dose)
        facts.loc[self._is_control, "dose"] = 0.0
        own = (self._kinds == self.modalities[number]) & ~self._is_control & (self._names != "")
        known = facts[own].drop_duplicates()
        self._check_facts(known, by_smiles)
        known = known.set_index("name")
        if self.control[number] >= 0:
            control = facts[self._is_control].drop_duplicates()
            self._check_facts(control, False)
            known.loc[self.conditions[self.control[number]]] = control.iloc[0].drop("name")
        elsewhere = [name for name in known.index if name not in trained and name in self.conditions]
        return known.loc[[*trained, *sorted(set(known.index) - set(trained) - set(elsewhere))]]

    def _check_facts(self, facts: pd.DataFrame, needs_smiles: bool) -> None:
        twice = facts[facts["name"].duplicated(keep=False)]
        if len(twice):
            name = twice["name"].iloc[0]
            what = next(key for key in ("dose", "smiles", "key") if twice[twice["name"] == name][key].nunique() > 1)
            advice = "add the dose column to the label columns" if what == "dose" else "mend the table"
            raise ConditionError(f"The condition {name!r} has more than one {what}; {advice}.")
        without = facts["name"][facts["smiles"] == ""]
        if needs_smiles and len(without):
            raise ConditionError(f"The condition {without.iloc[0]!r} has no SMILES; write it into the table.")
        without = facts["name"][~((facts["dose"] >= 0) & np.isfinite(facts["dose"]))]
        if len(without):
            raise ConditionError(f"The condition {without.iloc[0]!r} has no dose that is a number from 0 up.")


def _smiles(cells: Cells, column: str | None) -> Names:
    table = cells.table
    if column is None:
        column = SMILES.find(table)
    if column is None or column not in table.columns:
        raise ConditionError(
            f"Fingerprints need a column of SMILES, and the table has no column {column or 'smiles'!r}; "
            f"its columns are: {', '.join(map(str, table.columns))}."
        )
    return np.array(["" if pd.isna(value) else str(value).strip() for value in table[column]], dtype=object)


def _doses(cells: Cells, column: str) -> NDArray[np.float64]:
    if column not in cells.table.columns:
        raise ConditionError(
            f"The table has no dose column {column!r}; its columns are: {', '.join(map(str, cells.table.columns))}."
        )
    doses: NDArray[np.float64] = pd.to_numeric(cells.table[column], errors="coerce").to_numpy(float)
    return doses


def _check_description(settings: TrainingSettings, modalities: Sequence[str]) -> None:
    if isinstance(settings.description, Mapping):
        unknown = [name for name in settings.description if name not in modalities]
        if unknown:
            raise ConditionError(
                f"No treated cell is of the modality {unknown[0]!r}; the modalities are: {', '.join(modalities)}."
            )


def same_vectors(names: Sequence[str], vectors: Vector) -> list[list[str]]:
    """Names of conditions that have the same vector (K, e), together."""
    groups: dict[bytes, list[str]] = {}
    for name, vector in zip(names, vectors, strict=True):
        groups.setdefault(np.ascontiguousarray(vector).tobytes(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def alike_in_words(alike: Sequence[Sequence[str]]) -> str:
    """Say which conditions a model cannot tell apart; nothing where it can."""
    if not alike:
        return ""
    some = "; ".join(" and ".join(map(str, group[:4])) + " …" * (len(group) > 4) for group in alike[:4])
    return (
        f"The same numbers describe {some}{' …' if len(alike) > 4 else ''}: a model turns cells into them alike; mend "
        "the description, or give the dose as a feature where that is what differs."
    )


def held_out_mask(cells: Cells, hold_out: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
    """(N,) whether each cell is held out: it has one of the values given in any of the columns."""
    mask = np.zeros(len(cells), bool)
    for column, values in hold_out.items():
        mask |= cells.mask_where({column: list(values)})
    return mask
