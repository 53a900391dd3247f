"""Tanimoto similarities against RDKit's own, and what is nearest to a new compound."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from napari_impa.analysis.compounds import (
    NEAR,
    draw_compound,
    nearest_compounds,
    read_compound,
    training_doses,
)
from napari_impa.engine.describing import kind_named
from napari_impa.engine.describing.fingerprint import fingerprint, tanimoto
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.errors import ConditionError

COMPOUNDS = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "ethanol": "CCO",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "salicylic acid": "O=C(O)c1ccccc1O",
}
drugs = st.sampled_from(list(COMPOUNDS.values()))


def compound_model(kind: str, doses: tuple[float, ...] = ()) -> IMPA:
    """A small untrained model of the compounds above, each at each dose."""
    description = kind_named(kind)(dose=2.0 if doses else None)
    size = 1024 + bool(doses)
    conditions = {
        f"{name} {dose:g}" if doses else name: NewCondition(name, smiles, dose=dose if doses else None)
        for name, smiles in COMPOUNDS.items()
        for dose in doses or (0.0,)
    }
    networks = Networks(Shape(24, 1, width=2, embedding_dims=(size,), conditions=(len(conditions),)))
    networks.describe(torch.tensor(np.stack([description.vector(new, size) for new in conditions.values()])))
    limits = np.array([[0.0, 1000.0]])
    return IMPA(networks, channels=["DNA"], conditions=list(conditions), limits=limits, descriptions=[description])


@given(drugs, drugs)
def test_similarities_are_those_of_rdkit(one: str, other: str) -> None:
    molecules = [Chem.MolFromSmiles(smiles) for smiles in (one, other)]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    bits = DataStructs.TanimotoSimilarity(*map(generator.GetFingerprint, molecules))
    counts = DataStructs.TanimotoSimilarity(*map(generator.GetCountFingerprint, molecules))
    assert tanimoto(fingerprint(one, "bit"), fingerprint(other, "bit")) == pytest.approx(bits)
    assert tanimoto(fingerprint(one, "count"), fingerprint(other, "count")) == pytest.approx(counts)


vectors = st.lists(st.integers(0, 5), min_size=8, max_size=8)


@given(vectors, vectors)
def test_similarity_of_any_counts(one: list[int], other: list[int]) -> None:
    sparse = [DataStructs.UIntSparseIntVect(8), DataStructs.UIntSparseIntVect(8)]
    for vector, counts in zip(sparse, (one, other), strict=True):
        for place, value in enumerate(counts):
            vector[place] = value
    value = tanimoto(np.array(one), np.array([other]))[0]
    if any(one) or any(other):
        assert value == pytest.approx(DataStructs.TanimotoSimilarity(*sparse))
    assert 0 <= value <= 1
    assert value == tanimoto(np.array(other), np.array(one))
    assert (value == 1) == (one == other and any(one))


@pytest.mark.parametrize("kind", ["bit", "count"])
def test_nearest_training_compounds(kind: str) -> None:
    model = compound_model(kind)
    found = nearest_compounds(model, COMPOUNDS["salicylic acid"], 3)
    assert list(found["condition"][:2]) == ["salicylic acid", "aspirin"]
    assert found["similarity"][0] == 1
    assert found["similarity"].is_monotonic_decreasing
    assert len(found) == 3
    expected = tanimoto(
        fingerprint(COMPOUNDS["aspirin"], kind), fingerprint(COMPOUNDS["salicylic acid"], kind)
    )  # of the model's own kind of fingerprint
    assert found["similarity"][1] == pytest.approx(expected)
    far = nearest_compounds(model, "C1CC2CCC1CC2")
    assert far["similarity"][0] < NEAR


def test_doses_of_a_compound_are_one_compound() -> None:
    model = compound_model("count", doses=(0.5, 5.0, 50.0))
    found = nearest_compounds(model, "CCO")
    assert found["condition"][0] == "ethanol 0.5"
    assert set(found["conditions"]) == {3}
    assert len(found) == len(COMPOUNDS)
    np.testing.assert_allclose(training_doses(model), [0.5, 5, 50])
    assert len(training_doses(compound_model("count"))) == 0


def test_a_model_without_fingerprints_knows_no_compounds() -> None:
    networks = Networks(Shape(24, 1, width=2, embedding_dims=(4,), conditions=(2,)))
    model = IMPA(networks, channels=["DNA"], conditions=["a", "b"], limits=np.array([[0.0, 1.0]]))
    with pytest.raises(ConditionError, match="not described by fingerprints"):
        nearest_compounds(model, "CCO")


def test_a_smiles_and_the_name_behind_it() -> None:
    compound = read_compound(" OCC  ethanol, pure ")
    assert (compound.smiles, compound.canonical, compound.name) == ("OCC", "CCO", "ethanol, pure")
    assert read_compound("OCC").name == ""
    with pytest.raises(ConditionError, match="cannot be read as a SMILES"):
        read_compound("")


def test_the_drawing_is_svg_and_differs_by_theme() -> None:
    light, dark = (draw_compound("CCO", dark=dark) for dark in (False, True))
    assert ElementTree.fromstring(light).tag.endswith("svg")
    assert light != dark
    assert "#000000" in light
    assert "#000000" not in dark
