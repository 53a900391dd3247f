"""The list of kinds of description: what each says of itself, how it is asked for, kept in a header and told apart."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_impa.engine.describing import (
    BY_FILE,
    BY_SMILES,
    DESCRIBED,
    DESCRIPTIONS,
    kind_asked,
    kind_named,
    kind_told,
    names_of,
    read_description,
)
from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.fingerprint import BitFingerprint, CountFingerprint, fingerprint
from napari_impa.engine.describing.learned import Learned
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.describing.table import Table
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.tensor_file import read_tensors, write_tensors
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import ConditionError, ModelError

KINDS = [pytest.param(kind, id=kind.kind) for kind in DESCRIPTIONS]


def test_names_never_change() -> None:
    assert names_of(DESCRIPTIONS)[:4] == ("learned", "bit", "count", "table")
    assert not DESCRIPTIONS[0].needs


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_it_is(kind: type[Description]) -> None:
    for text in (kind.label, kind.help, kind.tip, kind.plural, kind.singular):
        assert text
        assert "\n" not in text
    assert kind.tip.endswith(".")
    assert bool(kind.advice) == bool(kind.needs)
    assert bool(kind.endings) == bool(kind.files) == (kind in BY_FILE)
    assert kind_named(kind.kind) is kind
    if kind.package:
        assert find_spec(kind.package) is not None  # in a full environment
    assert (kind in DESCRIBED) == (kind.needs != "")
    assert (kind in BY_SMILES) == (kind.needs == "smiles")


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_is_told_a_kind_by_its_name_or_its_file(kind: type[Description]) -> None:
    texts = [f"some{ending}" for ending in kind.endings] or [kind.kind]
    for text in texts:
        assert kind_asked(text) is kind
        assert TrainingSettings(description=text).kind_of("") is kind
        assert TrainingSettings(description={"a": text}, modality="m").kind_of("a") is kind


@pytest.mark.parametrize(("text", "found"), [("genes.dat", Table), ("table", None), ("bits", None), ("", None)])
def test_other_files_are_tables_and_other_words_nothing(text: str, found: type[Description] | None) -> None:
    assert kind_asked(text) is found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_in_a_header_is_read_back(kind: type[Description]) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    unseen = dict(zip("xy", vectors, strict=True))
    made = kind("m", features=("a",), center=(1.0,), spread=(2.0,), dose=0.5, unseen=unseen)
    text = json.dumps(made.to_json())
    assert text == (
        f'{{"kind": "{kind.kind}", "modality": "m", "dose": 0.5, "features": ["a"], "center": [1.0], '
        '"spread": [2.0], "unseen": ["x", "y"]}'
    )
    again = read_description(json.loads(text), vectors)
    assert type(again) is kind
    assert again.to_json() == made.to_json()
    for name, vector in unseen.items():
        np.testing.assert_array_equal(again.unseen[name], vector)
    with pytest.raises(ValueError):
        read_description(json.loads(text), vectors[:1])


def test_a_header_of_an_unknown_kind_is_refused(model: IMPA, tmp_path: Path) -> None:
    path = model.save(tmp_path / "model")
    tensors, header = read_tensors(path)
    header["descriptions"][0]["kind"] = "protein"
    write_tensors(path, tensors, header)
    with pytest.raises(ModelError, match="described by 'protein', which this version does not know"):
        IMPA.load(path)


def test_numbers_tell_fingerprints_alone() -> None:
    bits = np.array([[0, 1, 1], [1, 0, 0]])
    assert [kind.fits(bits) for kind in DESCRIPTIONS[:4]] == [True] * 4
    assert kind_told(bits) is BitFingerprint
    assert kind_told(2 * bits) is CountFingerprint
    for other in (-bits, bits / 2):
        assert kind_told(other) is Learned
        assert not CountFingerprint.fits(other)
    assert not BitFingerprint.fits(2 * bits)


@pytest.mark.parametrize("kind", BY_SMILES)
def test_compounds_of_a_training(kind: type[Description]) -> None:
    pytest.importorskip("rdkit")
    facts = pd.DataFrame({"key": "", "smiles": ["CCO", ""], "dose": 0.0}, index=["ethanol", "DMSO"])
    described, raw = kind.of_training(facts, "m", "", standardize=True)
    assert type(described) is kind
    assert described.modality == "m"
    np.testing.assert_array_equal(raw, [kind.of_smiles("CCO"), np.zeros_like(raw[0])])
    new = NewCondition("new", "OCC")
    assert described.accepts(new)
    np.testing.assert_array_equal(described.vector(new, raw.shape[1]), raw[0])
    assert kind.similarity(raw[0], np.stack([raw[0], kind.of_smiles("c1ccccc1")])).tolist()[0] == 1


def test_rows_of_a_table_are_standardized_by_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "genes.csv"
    path.write_text("gene,a,b\nx,1,7\ny,3,7\nz,8,7\n", encoding="utf-8")
    facts = pd.DataFrame({"key": ["y", "x"], "smiles": "", "dose": 0.0}, index=["Y", "X"])
    described, raw = Table.of_training(facts, "", str(path), standardize=True)
    assert (described.features, described.center, described.spread[1]) == (("a", "b"), (4.0, 7.0), 1.0)
    assert described.spread[0] == pytest.approx(np.std([1, 3, 8]))
    np.testing.assert_array_equal(raw, [[3, 7], [1, 7]])
    np.testing.assert_allclose(described.complete(raw, None)[:, 0], np.array([-1, -3]) / np.std([1, 3, 8]), rtol=1e-6)
    held_out = facts.assign(trained=[True, False])
    assert Table.of_training(held_out, "", str(path), standardize=True)[0].center == (5.5, 7.0)
    plain, _ = Table.of_training(facts, "", str(path), standardize=False)
    assert (plain.center, plain.spread) == ((), ())
    with pytest.raises(ConditionError, match="has no row for q; add it"):
        Table.of_training(facts.assign(key="q"), "", str(path), standardize=False)


def test_the_largest_dose_weighs_as_much_as_a_description() -> None:
    raw = np.array([[3.0, 4.0], [0.0, 5.0]])
    described = Table().with_doses(raw, 99.0)
    assert described.dose == pytest.approx(5 / 2)
    np.testing.assert_allclose(described.complete(raw, np.array([99, 0])), [[3, 4, 5], [0, 5, 0]])
    assert Table().with_doses(raw, 0.0).dose == 1.0
    assert (Table().length(4), described.length(4)) == (4, 3)


def test_how_a_new_condition_is_given_is_said() -> None:
    given = [NewCondition("x", "C"), NewCondition("x", vector=[1]), NewCondition("x", vector=[1], kind="bit")]
    assert [one.given for one in given] == ["a SMILES", "a vector", "a bit fingerprint"]
    accepted = [[kind().accepts(one) for kind in DESCRIPTIONS[:4]] for one in given]
    assert accepted == [[False, True, True, False], [False, False, False, True], [False, True, False, False]]
    assert fingerprint("C", "bit").flags.writeable is False
