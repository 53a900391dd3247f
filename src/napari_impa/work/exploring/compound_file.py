"""Files and lists of compounds: SMILES with names in CSV, SMI and SDF, or line by line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.tables import shortest
from napari_impa.cells.words import CONDITION, DOSE, SMILES, TREATMENT, Word
from napari_impa.engine.describing.fingerprint import read_molecule
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.errors import ConditionError, SourceError

_NAME = TREATMENT + CONDITION + Word(("name", "id", "title"))


@dataclass(frozen=True)
class CompoundFile:
    """Compounds of a file.

    Parameters
    ----------
    compounds
        Those that can be read, in their order; of equal names the later ones get a number.
    unread
        For those that cannot, in words what and why.
    """

    compounds: tuple[NewCondition, ...]
    unread: tuple[str, ...]


def read_compounds(path: str | Path) -> CompoundFile:
    """Read compounds: `.sdf` (and `.sdf.gz`) by RDKit, `.smi` with a name behind each SMILES, or a table.

    A table has a column called `smiles`, and may have one of names (`compound`, `name`, …) and one of doses.

    Raises
    ------
    ConditionError
        If the file cannot be read, or holds no compound.
    MissingDependencyError
        If RDKit is not installed.
    """
    path = Path(path)
    try:
        endings = [one.lower() for one in path.suffixes]
        rows = _sdf(path) if ".sdf" in endings else _smi(path) if ".smi" in endings[-1:] else _table(path)
    except (OSError, EOFError, SystemError, UnicodeDecodeError, SourceError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConditionError(f"{path} cannot be read as a file of compounds ({reason}).") from error
    found = _compounds(rows)
    if not found.compounds:
        raise ConditionError(f"{path.name} holds no compound that can be read.")
    return found


def listed_compounds(text: str) -> CompoundFile:
    """Read compounds that are written line by line: a SMILES, and its name behind it where it has one.

    Raises
    ------
    MissingDependencyError
        If RDKit is not installed.
    """
    return _compounds(_lines(text))


def _compounds(rows: list[tuple[str, str, float | None]]) -> CompoundFile:
    """Of rows of name, SMILES and dose those that can be read."""
    compounds, unread, taken = [], [], set()
    for number, (name, smiles, dose) in enumerate(rows, 1):
        name = name or f"compound {number}"
        try:
            read_molecule(smiles)
        except ConditionError as error:
            unread.append(f"{name}: {error}")
            continue
        name = name if dose is None else f"{name} {shortest(dose)}"
        one, count = name, 1
        while one in taken:
            count += 1
            one = f"{name} ({count})"
        taken.add(one)
        compounds.append(NewCondition(one, smiles=smiles, dose=dose))
    return CompoundFile(tuple(compounds), tuple(unread))


def _table(path: Path) -> list[tuple[str, str, float | None]]:
    table = read_table(path)
    smiles = SMILES.find(table.columns)
    if smiles is None:
        raise ConditionError(
            f"{path.name} has no column called smiles; its columns are: {', '.join(map(str, table.columns))}."
        )
    name, dose = _NAME.find(table.columns, but=[smiles]), DOSE.find(table.columns)
    doses = pd.to_numeric(table[dose], errors="coerce") if dose else pd.Series(float("nan"), table.index)
    names = table[name] if name else pd.Series("", table.index)
    return [
        (
            "" if pd.isna(called) else shortest(called),
            "" if pd.isna(one) else str(one),
            None if pd.isna(d) else float(d),
        )
        for called, one, d in zip(names, table[smiles], doses, strict=True)
    ]


def _smi(path: Path) -> list[tuple[str, str, float | None]]:
    return _lines(path.read_text(encoding="utf-8-sig"))


def _lines(text: str) -> list[tuple[str, str, float | None]]:
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    if lines and lines[0][0].lower() in ("smiles", "#smiles", "canonical_smiles"):
        lines = lines[1:]
    return [(line[1].strip() if len(line) > 1 else "", line[0], None) for line in lines]


def _sdf(path: Path) -> list[tuple[str, str, float | None]]:
    read_molecule("C")  # says where RDKit is missing
    import gzip

    from rdkit import Chem, rdBase

    found: list[tuple[str, str, float | None]] = []
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file, rdBase.BlockLogs():
        for molecule in Chem.ForwardSDMolSupplier(file):
            if molecule is None:
                found.append(("", "", None))
                continue
            properties = molecule.GetPropNames()
            column = _NAME.find(properties)
            name = molecule.GetProp("_Name").strip() if molecule.HasProp("_Name") else ""
            found.append((name or (molecule.GetProp(column) if column else ""), Chem.MolToSmiles(molecule), None))
    return found
