from __future__ import annotations

import numpy as np
import pytest

from napari_impa.cells.simulated.compounds import COMPOUNDS, MECHANISMS, simulated_compound_cells
from napari_impa.cells.simulated.screen import CONDITIONS, true_counterfactual
from napari_impa.errors import CellsError

FORMULAS = {
    "nocodazole": "C14H11N3O3S", "mebendazole": "C16H13N3O3", "flubendazole": "C16H12FN3O3",
    "albendazole": "C12H15N3O2S", "fenbendazole": "C15H13N3O2S", "oxibendazole": "C12H15N3O3",
    "parbendazole": "C13H17N3O2", "ciclobendazole": "C13H13N3O3", "fasudil": "C14H17N3O2S",
    "hydroxyfasudil": "C14H17N3O3S", "ripasudil": "C15H18FN3O2S", "H-1152": "C16H21N3O2S", "H-7": "C14H17N3O2S",
    "H-8": "C12H15N3O2S", "H-9": "C11H13N3O2S", "HA-1004": "C12H15N5O2S", "mechlorethamine": "C5H11Cl2N",
    "chlorambucil": "C14H19Cl2NO2", "melphalan": "C13H18Cl2N2O2", "bendamustine": "C16H21Cl2N3O2",
    "uramustine": "C8H11Cl2N3O2", "cyclophosphamide": "C7H15Cl2N2O2P", "ifosfamide": "C7H15Cl2N2O2P",
    "trofosfamide": "C9H18Cl3N2O2P", "monastrol": "C14H16N2O3S", "oxomonastrol": "C14H16N2O4",
    "enastron": "C14H14N2O2S", "dimethylenastron": "C16H18N2O2S", "piperastrol": "C15H16N2O4S",
    "selinexor": "C17H11F6N7O", "verdinexor": "C18H12F6N6O", "KPT-276": "C16H10F8N4O", "KPT-185": "C16H16F3N3O3",
    "KPT-251": "C14H7F6N5O", "eltanexor": "C17H10F6N6O",
}  # fmt: skip


def test_structures_have_the_formulas_of_their_compounds():
    Chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    assert {one.name: CalcMolFormula(Chem.MolFromSmiles(one.smiles)) for one in COMPOUNDS} == FORMULAS


def test_every_mechanism_has_compounds_to_train_on_and_one_that_is_held_out():
    assert set(MECHANISMS.values()) == set(CONDITIONS) - {"DMSO"}
    for mechanism in MECHANISMS:
        held = [one.held_out for one in COMPOUNDS if one.mechanism == mechanism]
        assert sum(held) >= 1
        assert len(held) - sum(held) >= 4


def test_held_out_compounds_are_most_like_one_of_their_own_mechanism():
    pytest.importorskip("rdkit")
    from napari_impa.engine.describing.fingerprint import fingerprint

    def similarity(a, b):
        one, other = fingerprint(a.smiles, "bit"), fingerprint(b.smiles, "bit")
        return np.minimum(one, other).sum() / np.maximum(one, other).sum()

    seen = [one for one in COMPOUNDS if not one.held_out]
    for new in (one for one in COMPOUNDS if one.held_out):
        nearest = max(seen, key=lambda one: similarity(one, new))
        assert nearest.mechanism == new.mechanism
        assert 0.4 < similarity(nearest, new) < 1


def test_cells_are_those_of_the_compound_s_phenotype_at_its_strength():
    some = (COMPOUNDS[3], COMPOUNDS[-1])
    cells = simulated_compound_cells(1, controls=1, size=32, seed=4, compounds=some)
    assert cells.counts().to_dict() == {"DMSO": 1} | {one.name: 1 for one in some}
    assert cells.table["scene"].nunique() == len(some) + 1
    for one in some:
        own = cells.take((cells.table["compound"] == one.name).to_numpy())
        assert set(own.table["smiles"]) == {one.smiles}
        truth = true_counterfactual(own, one.phenotype, strength=one.strength)
        np.testing.assert_array_equal(truth.pixels, own.pixels)
        assert np.any(true_counterfactual(own, one.phenotype).pixels != own.pixels)
    with pytest.raises(CellsError, match="one or more"):
        simulated_compound_cells(0)
