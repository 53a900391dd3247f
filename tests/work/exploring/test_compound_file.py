"""Compounds are read from tables, SMI and SDF files, and what cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_impa.errors import ConditionError
from napari_impa.work.exploring.compound_file import listed_compounds, read_compounds

pytest.importorskip("rdkit")


def test_tables_name_compounds_and_doses(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("name;SMILES;dose_um\nethanol;CCO;0,5\nbad;C(C;1\nethanol;CCO;\n;CC;\n")
    found = read_compounds(tmp_path / "c.csv")
    assert [(one.name, one.smiles, one.dose) for one in found.compounds] == [
        ("ethanol 0.5", "CCO", 0.5), ("ethanol", "CCO", None), ("compound 4", "CC", None),
    ]  # fmt: skip
    assert len(found.unread) == 1
    assert found.unread[0].startswith("bad: ")


def test_smi_and_sdf(tmp_path: Path) -> None:
    from rdkit import Chem

    (tmp_path / "c.smi").write_text("SMILES name\nCCO ethyl alcohol\nCC\n")
    assert [(one.name, one.smiles) for one in read_compounds(tmp_path / "c.smi").compounds] == [
        ("ethyl alcohol", "CCO"), ("compound 2", "CC"),
    ]  # fmt: skip
    with Chem.SDWriter(str(tmp_path / "c.sdf")) as writer:
        for name, smiles in (("ethanol", "CCO"), ("", "CN")):
            molecule = Chem.MolFromSmiles(smiles)
            molecule.SetProp("_Name", name)
            molecule.SetProp("compound_name", f"the {smiles}")
            writer.write(molecule)
    assert [(one.name, one.smiles) for one in read_compounds(tmp_path / "c.sdf").compounds] == [
        ("ethanol", "CCO"), ("the CN", "CN"),
    ]  # fmt: skip


def test_lines() -> None:
    found = listed_compounds("\nCCO  ethyl alcohol\n C(C\nCC\nCN ethyl alcohol\n")
    assert [(one.name, one.smiles) for one in found.compounds] == [
        ("ethyl alcohol", "CCO"), ("compound 3", "CC"), ("ethyl alcohol (2)", "CN"),
    ]  # fmt: skip
    assert [text.partition(":")[0] for text in found.unread] == ["compound 2"]
    assert listed_compounds(" \n").compounds == ()


@pytest.mark.parametrize("text", ["name,structure\na,CCO\n", "name,smiles\na,C(C\n", ""])
def test_files_without_compounds_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(ConditionError):
        read_compounds(tmp_path / "c.csv")
