"""How conditions are described to the mapping network: learned by name, by a compound's fingerprint, by a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.store import shortest
from napari_impa.cells.words import DOSE, MODALITY, SMILES
from napari_impa.engine.training.settings import KINDS, Kind
from napari_impa.errors import ConditionError, MissingDependencyError

FINGERPRINTS: tuple[Kind, ...] = ("bit", "count")
"""Whether a substructure occurs, and how often; they look alike and are not interchangeable."""

RADIUS, BITS = 2, 1024
"""Of the Morgan fingerprints that IMPA was published with."""

Vector = NDArray[np.float32]


def read_molecule(smiles: str) -> Any:
    """Read a SMILES into RDKit's molecule.

    Raises
    ------
    ConditionError
        If the SMILES cannot be read.
    MissingDependencyError
        If RDKit is not installed.
    """
    try:
        from rdkit import Chem, rdBase
    except ImportError as error:
        raise MissingDependencyError(
            'Fingerprints need RDKit; install it with: pip install "napari-impa[chem]".'
        ) from error
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles.strip() else None
    if molecule is None:
        raise ConditionError(f"{smiles!r} cannot be read as a SMILES; correct it.")
    return molecule


@lru_cache(maxsize=8192)
def fingerprint(smiles: str, kind: Kind, bits: int = BITS) -> Vector:
    """(bits,) Morgan fingerprint of a compound: radius 2, without chirality (Rogers & Hahn, J Chem Inf Model 2010).

    Raises
    ------
    ConditionError, MissingDependencyError
        As `read_molecule`.
    """
    molecule = read_molecule(smiles)
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=bits, includeChirality=False)
    draw = generator.GetCountFingerprintAsNumPy if kind == "count" else generator.GetFingerprintAsNumPy
    vector = draw(molecule).astype(np.float32)
    vector.flags.writeable = False  # it is cached
    return vector


def read_descriptions(path: str | Path) -> pd.DataFrame:
    """Read a table of descriptions: one row a condition, its name first, then numbers (genes, descriptors).

    Returns
    -------
    pandas.DataFrame
        Names in the shortest form as the index, the numbers as float64 columns.

    Raises
    ------
    ConditionError
        If the file cannot be read, a name occurs twice, or a value is missing or not a number.
    """
    table = _read_named(path)
    name = Path(path).name
    if table.empty:
        raise ConditionError(f"{name} describes nothing; it needs a row a condition: its name, then numbers.")
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise ConditionError(f"{name} has two rows for {twice!r}; keep one of them.")
    for column in table.columns:
        if table[column].dtype.kind not in "iuf" or not np.isfinite(table[column]).all():
            raise ConditionError(f"The column {column!r} of {name} holds values that are not numbers.")
    return table.astype(float)


def _read_named(path: str | Path) -> pd.DataFrame:
    """Read a CSV table whose first column, also one without a title, holds names, which become the index."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            separator = max(",;\t", key=file.readline().count)
        options: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "keep_default_na": False}
        first = pd.read_csv(path, nrows=0, **options).columns[0]
        table = pd.read_csv(path, dtype={first: str}, na_values=[""], index_col=False, **options)
    except (OSError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise ConditionError(f"{path} cannot be read as a table ({reason}); save it again as CSV.") from error
    return table.set_index(pd.Index(table.pop(first).map(shortest).to_numpy()))


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
    kind: Kind | None = None
    modality: str | None = None

    def __post_init__(self) -> None:
        if (self.smiles is None) == (self.vector is None):
            raise ConditionError(f"The new condition {self.name!r} needs either a SMILES or a vector of numbers.")
        if self.kind is not None and (self.vector is None or self.kind not in KINDS[1:]):
            raise ConditionError("The kind of a new condition's vector is bit, count or table.")
        if self.dose is not None and not (np.isfinite(self.dose) and self.dose >= 0):
            raise ConditionError(f"A dose is a number from 0 up, not {self.dose}.")
        if self.vector is not None:
            numbers = np.asarray(self.vector)
            if numbers.ndim != 1 or numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).all():
                raise ConditionError(f"The vector of {self.name!r} must be a list of finite numbers.")
            object.__setattr__(self, "vector", tuple(map(float, numbers)))

    def to_json(self) -> dict[str, Any]:
        """What was given, for the history of predicted cells."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, eq=False)
class Description:
    """How the conditions of one kind of perturbation (modality) are described.

    Parameters
    ----------
    kind
        `learned`: a trained row a condition; `bit` and `count`: Morgan fingerprints; `table`: numbers from a CSV.
    modality
        Name of the kind of perturbation; empty where there is one only.
    features
        Names of a table's columns; empty where they are not known.
    center, spread
        (features,) subtracted from a table's columns, and what they are then divided by; empty for neither.
    dose
        Factor of the last feature, log10(1 + dose); None where doses are no feature.
    unseen
        Vectors (e,), as the mapping network takes them, of conditions that are described but were not trained on.
    """

    kind: Kind = "learned"
    modality: str = ""
    features: tuple[str, ...] = ()
    center: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    dose: float | None = None
    unseen: Mapping[str, Vector] = field(default_factory=dict)

    def accepts(self, new: NewCondition) -> bool:
        """Whether a new condition is given in the way these are described."""
        if new.smiles is not None:
            return self.kind in FINGERPRINTS
        return self.kind == (new.kind or "table")

    def vector(self, new: NewCondition, size: int) -> Vector:
        """(size,) what the mapping network takes for a new condition; `size` is the embedding dimension e.

        Raises
        ------
        ConditionError
            If the conditions are described in another way, or the vector or dose does not fit.
        """
        where = f" of the modality {self.modality}" if self.modality else ""
        if self.kind == "learned":
            raise ConditionError(
                f"The model learned its conditions{where} by name and cannot take the new one {new.name!r}; "
                "train one with a description (bit, count or a table)."
            )
        if not self.accepts(new):
            raise ConditionError(self._refusal(new, where))
        length = size - (self.dose is not None)
        raw = fingerprint(new.smiles, self.kind, length) if new.smiles is not None else np.array(new.vector)
        if len(raw) != length:
            raise ConditionError(
                f"The model's conditions{where} are described by {length} numbers, but {new.name!r} has {len(raw)}."
            )
        if self.kind in FINGERPRINTS and not is_fingerprint(raw, self.kind):
            raise ConditionError(
                f"The vector of {new.name!r} is no {self.kind} fingerprint: "
                f"it holds other numbers than {'0 and 1' if self.kind == 'bit' else 'whole ones from 0 up'}."
            )
        if (new.dose is None) != (self.dose is None):
            raise ConditionError(
                f"The model was trained with{'out' if self.dose is None else ''} doses; "
                f"{'leave out' if self.dose is None else 'give'} the dose of {new.name!r}."
            )
        return self.complete(raw[None], None if new.dose is None else np.array([new.dose]))[0]

    def _refusal(self, new: NewCondition, where: str) -> str:
        given = "a SMILES" if new.smiles is not None else f"a {new.kind} fingerprint" if new.kind else "a vector"
        wanted = "numbers of its table" if self.kind == "table" else f"{self.kind} fingerprints"
        advice = "give its vector" if self.kind == "table" else f"give a SMILES, or a vector of the kind {self.kind}"
        return f"The model's conditions{where} are described by {wanted}, but {new.name!r} by {given}; {advice}."

    def complete(self, raw: NDArray[Any], doses: NDArray[Any] | None) -> Vector:
        """(K, features) fingerprints or table rows, and doses (K,) → (K, e) what the mapping network takes."""
        if self.center:
            raw = (raw - np.array(self.center)) / np.array(self.spread)
        if self.dose is not None and doses is not None:
            raw = np.column_stack([raw, self.dose * np.log10(1 + doses)])
        return np.ascontiguousarray(raw, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Plain values; of the unseen conditions the names only."""
        values = {name: getattr(self, name) for name in ("kind", "modality", "dose")}
        values |= {name: list(getattr(self, name)) for name in ("features", "center", "spread", "unseen")}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any], unseen: NDArray[Any]) -> Description:
        """Read what `to_json` wrote, with the vectors (U, e) of the unseen conditions."""
        lists = {name: tuple(values[name]) for name in ("features", "center", "spread")}
        vectors = dict(zip(values["unseen"], unseen.astype(np.float32), strict=True))
        return cls(values["kind"], values["modality"], dose=values["dose"], unseen=vectors, **lists)


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
        table that the model was trained with, or under the same names.
    descriptions
        The model's.

    Raises
    ------
    ConditionError
        If the file cannot be read as a table, or a value does not fit.
    """
    table = _read_named(path)
    known = next((one.features for one in descriptions if one.features and set(one.features) <= set(table.columns)), ())
    others = [column for column in table.columns if column not in known]
    smiles, modality, dose = SMILES.find(others), MODALITY.find(others), DOSE.find(others)
    numbers = table[list(known) or [column for column in others if column not in (smiles, modality, dose)]]
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


def _number(value: object, name: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise ConditionError(f"The dose {value!r} of {name!r} is not a number.") from None


def is_fingerprint(vectors: NDArray[Any], kind: Kind) -> bool:
    """Whether vectors hold nothing but 0 and 1 (`bit`), or whole numbers from 0 up (`count`)."""
    if kind == "bit":
        return bool(np.isin(vectors, (0, 1)).all())
    return bool((vectors >= 0).all() and (vectors == np.round(vectors)).all())


def kind_of(vectors: NDArray[Any]) -> Kind:
    """Tell the kind of an embedding table (K, e) from its values; other numbers may be learned or from a table."""
    if is_fingerprint(vectors, "bit"):
        return "bit"
    return "count" if is_fingerprint(vectors, "count") else "learned"
