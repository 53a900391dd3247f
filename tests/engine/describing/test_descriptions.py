"""Descriptions of conditions against RDKit's own API, and what is refused."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from napari_impa.cells.tables import shortest
from napari_impa.engine.describing import kind_told
from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.fingerprint import BitFingerprint, CountFingerprint, fingerprint
from napari_impa.engine.describing.learned import Learned
from napari_impa.engine.describing.named_numbers import read_descriptions
from napari_impa.engine.describing.new_condition import NewCondition, read_new_conditions
from napari_impa.engine.describing.table import Table
from napari_impa.errors import ConditionError, MissingDependencyError

TAXOL = (
    "CC1=C2C(C(=O)C3(C(CC4C(C3C(C(C2(C)C)(CC1OC(=O)C(C(C5=CC=CC=C5)NC(=O)C6=CC=CC=C6)O)O)OC(=O)C7=CC=CC=C7)"
    "(CO4)OC(=O)C)O)C)OC(=O)C"
)
DRUGS = ["CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", TAXOL]


@pytest.mark.parametrize("smiles", DRUGS)
@pytest.mark.parametrize("bits", [1024, 64])
def test_fingerprints_are_those_of_rdkit(smiles: str, bits: int) -> None:
    molecule = Chem.MolFromSmiles(smiles)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=bits)
    bit, count = np.zeros(bits), np.zeros(bits)
    DataStructs.ConvertToNumpyArray(generator.GetFingerprint(molecule), bit)
    for place, value in generator.GetCountFingerprint(molecule).GetNonzeroElements().items():
        count[place] = value
    np.testing.assert_array_equal(fingerprint(smiles, "bit", bits), bit)
    np.testing.assert_array_equal(fingerprint(smiles, "count", bits), count)
    assert (fingerprint(smiles, "bit", bits) != fingerprint(smiles, "count", bits)).any()
    assert [kind_told(one).kind for one in (bit, count, count + 0.5)] == ["bit", "count", "learned"]


def test_chirality_does_not_count() -> None:
    np.testing.assert_array_equal(fingerprint("C[C@H](N)C(=O)O", "count"), fingerprint("C[C@@H](N)C(=O)O", "count"))


@pytest.mark.parametrize("smiles", ["C1CC", "aspirin", "", " "])
def test_a_bad_smiles_is_named(smiles: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConditionError, match="cannot be read as a SMILES") as raised:
        fingerprint(smiles, "bit")
    assert repr(smiles) in str(raised.value)
    assert capfd.readouterr().err == ""


def test_without_rdkit_the_line_that_installs_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("rdkit"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r'pip install "napari-impa\[chem\]"'):
        fingerprint("CCCCCCCC", "bit", 33)


BIT, COUNT = BitFingerprint(), CountFingerprint()
TABLE = Table(features=("a", "b"), center=(1.0, 10.0), spread=(2.0, 5.0))


def test_what_the_mapping_network_takes() -> None:
    np.testing.assert_array_equal(BIT.vector(NewCondition("x", "CCO"), 1024), fingerprint("CCO", "bit"))
    ready = fingerprint("CCO", "count")
    np.testing.assert_array_equal(COUNT.vector(NewCondition("x", vector=ready, kind="count"), 1024), ready)
    np.testing.assert_allclose(TABLE.vector(NewCondition("x", vector=[3, 0]), 2), [1, -2])
    dosed = Table(dose=2.0)
    np.testing.assert_allclose(dosed.vector(NewCondition("x", vector=[3, 0], dose=9), 3), [3, 0, 2])


@pytest.mark.parametrize(
    ("description", "new", "size", "message"),
    [
        (BIT, {"vector": fingerprint("CCO", "count"), "kind": "count"}, 1024, "bit fingerprints, but 'x' by a count"),
        (COUNT, {"vector": fingerprint("CCO", "bit"), "kind": "bit"}, 1024, "count fingerprints, but 'x' by a bit"),
        (BIT, {"vector": fingerprint("CCO", "bit")}, 1024, "but 'x' by a vector; give a SMILES"),
        (BIT, {"vector": fingerprint(TAXOL, "count"), "kind": "bit"}, 1024, "no bit fingerprint"),
        (COUNT, {"vector": np.full(8, 0.5), "kind": "count"}, 8, "no count fingerprint"),
        (BIT, {"vector": np.zeros(512), "kind": "bit"}, 1024, "by 1024 numbers, but 'x' has 512"),
        (TABLE, {"vector": [1, 2, 3]}, 2, "by 2 numbers, but 'x' has 3"),
        (TABLE, {"smiles": "CCO"}, 2, "numbers of its table, but 'x' by a SMILES; give its vector"),
        (TABLE, {"vector": [1, 0], "kind": "bit"}, 2, "but 'x' by a bit fingerprint"),
        (Learned(), {"smiles": "CCO"}, 64, "learned its conditions by name"),
        (BIT, {"smiles": "CCO", "dose": 3}, 1024, "without doses; leave out"),
        (BitFingerprint(dose=1.0), {"smiles": "CCO"}, 1025, "with doses; give the dose"),
    ],
)
def test_what_does_not_fit_the_description_is_refused(
    description: Description, new: dict[str, Any], size: int, message: str
) -> None:
    with pytest.raises(ConditionError, match=message) as raised:
        description.vector(NewCondition("x", **new), size)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "new",
    [
        {},
        {"smiles": "C", "vector": [1.0]},
        {"smiles": "C", "kind": "bit"},
        {"vector": [1.0], "kind": "learned"},
        {"smiles": "C", "dose": -1},
        {"smiles": "C", "dose": np.nan},
        {"vector": [np.inf]},
        {"vector": [[1.0]]},
        {"vector": ["a"]},
    ],
)
def test_a_new_condition_is_checked(new: dict[str, Any]) -> None:
    with pytest.raises(ConditionError):
        NewCondition("x", **new)


def test_a_new_condition_may_have_no_dose_at_all_or_none_of_it() -> None:
    dosed = BitFingerprint(dose=2.0)
    np.testing.assert_array_equal(dosed.vector(NewCondition("x", "CCO", dose=0), 1025)[:-1], fingerprint("CCO", "bit"))
    assert dosed.vector(NewCondition("x", "CCO", dose=0), 1025)[-1] == 0


finite = st.floats(-1e6, 1e6, allow_nan=False)
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\x00", exclude_categories=("Cs", "Cc")), min_size=1
)


@given(
    st.lists(texts.map(lambda text: "n" + text.strip()), min_size=1, max_size=6, unique_by=shortest),
    st.integers(1, 4),
    st.sampled_from(",;\t"),
    st.sampled_from(["", "name"]),
    st.data(),
)
def test_a_table_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], width: int, separator: str, title: str, data: Any
) -> None:
    values = data.draw(arrays(float, (len(names), width), elements=finite))
    path = tmp_path_factory.mktemp("t") / "t.csv"
    frame = pd.DataFrame(values, index=pd.Index(names, name=title or None), columns=[f"f{i}" for i in range(width)])
    frame.to_csv(path, sep=separator)
    again = read_descriptions(path)
    assert list(again.index) == list(map(shortest, names))
    np.testing.assert_allclose(again.to_numpy(), values, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,a\nx,1\nx,2\n", "two rows for 'x'"),
        ("name,a\nx,one\n", "'a' of t.csv holds values that are not numbers"),
        ("name,a\nx,\n", "not numbers"),
        ("name,a\n", "describes nothing"),
        ("name\nx\n", "describes nothing"),
        ("", "cannot be read as a table"),
    ],
)
def test_a_table_that_cannot_be_used_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ConditionError, match=message):
        read_descriptions(path)
    with pytest.raises(ConditionError, match="cannot be read"):
        read_descriptions(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("gene;x;y\nA;1,5;10\nB;2,5;30\n", {"x": [1.5, 2.5], "y": [10, 30]}),
        ("sep=;\ngene;x;y\nA;1,5;10\nB;2,5;30\n", {"x": [1.5, 2.5], "y": [10, 30]}),
        ("x,y\nA,1,10\nB,2,30\n", {"x": [1, 2], "y": [10, 30]}),  # as R writes names of rows
        ("gene,x\nA,1e5\nB,2E-300\n", {"x": [1e5, 2e-300]}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_numbers_as_programs_write_them(
    tmp_path: Path, text: str, features: dict[str, list[float]], encoding: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    table = read_descriptions(path)
    assert {name: table[name].tolist() for name in table.columns} == features
    assert table.index.tolist() == ["A", "B"]


def test_decimal_commas_between_commas_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("gene,x,y\nA,1,5,10\nB,2,5,30\n")
    with pytest.raises(ConditionError, match="more cells in a row than titles; write decimal points"):
        read_descriptions(path)


def test_numbers_of_a_new_condition_go_by_the_titles_that_the_model_knows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for titles in ("b,a", "B,A", " b , a", "a,b"):
        path.write_text(f"name,{titles}\nnew,20,1.5\n")
        expected = [20, 1.5] if titles == "a,b" else [1.5, 20]
        assert read_new_conditions(path, [TABLE]) == [NewCondition("new", vector=expected)]
    for titles in ("b,c", "p,q", "0,1"):
        path.write_text(f"name,{titles}\nnew,20,1.5\n")
        with pytest.raises(ConditionError, match=r"has no column 'a'.*which the model was trained with"):
            read_new_conditions(path, [TABLE])


def test_new_conditions_from_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,SMILES,dose_um\nx,CCO,3\nNA,C,\n")
    assert read_new_conditions(path, [BIT]) == [NewCondition("x", "CCO", 3.0), NewCondition("NA", "C")]
    path.write_text("gene,b,other,a,modality\nx,1,9,2,CRISPR\n")
    assert read_new_conditions(path, [TABLE]) == [NewCondition("x", vector=[2, 1], modality="CRISPR")]
    path.write_text("gene,p,q\nx,1,2\n")
    assert read_new_conditions(path, [Table()]) == [NewCondition("x", vector=[1, 2])]
    path.write_text("gene,p\nx,word\n")
    with pytest.raises(ConditionError, match="neither a column called smiles nor numbers"):
        read_new_conditions(path, [BIT])
    path.write_text("name,smiles,dose\nx,C,much\n")
    with pytest.raises(ConditionError, match="dose 'much' of 'x'"):
        read_new_conditions(path, [BIT])
