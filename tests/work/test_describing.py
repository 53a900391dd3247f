"""Describing a finished model: what it takes afterwards, what stays, and what is refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from napari_impa.analysis.compounds import nearest_compounds
from napari_impa.cells.simulated.compounds import COMPOUNDS
from napari_impa.cells.store import Cells
from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.fingerprint import BitFingerprint, fingerprint
from napari_impa.engine.describing.learned import Learned
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.errors import ConditionError, ImpaError, ModelError, TrainingError
from napari_impa.work.catalog import load_model
from napari_impa.work.describing import MOST_NEW, describe_beside, describe_model, save_described

TRAINED = [one for one in COMPOUNDS if not one.held_out]
HELD = [one for one in COMPOUNDS if one.held_out]
NAMES = tuple(sorted(one.name for one in TRAINED))
SMILES = {one.name: one.smiles for one in COMPOUNDS}


def model_of(
    names: Sequence[str] = NAMES, *, label: Sequence[str] = ("compound",), seed: int = 0, **shape: Any
) -> IMPA:
    """Random networks of the smallest size that learned conditions by name."""
    chosen = {"relative_style": 1, "conditions": (len(names),), "embedding_dims": (6,), **shape}
    networks = Networks(Shape(24, 1, width=4, style_dim=8, noise_dim=3, **chosen))
    networks.initialize(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for parameter in networks.parameters():
            if parameter.ndim == 1 or len(parameter) == 1:  # biases, and what styles are relative to
                parameter.normal_(generator=torch.Generator().manual_seed(seed))
    return IMPA(
        networks, channels=["DNA"], conditions=names, limits=np.array([[0.0, 1000.0]]), control="DMSO", label=label,
        settings={"hold_out": {"plate": ["D"]}}, history={"steps": 7},
    )  # fmt: skip


def with_styles_of_mechanisms(model: IMPA) -> IMPA:
    """Give conditions the styles of their mechanism, and some of their own, as cells of a screen would."""
    rng, mechanism = np.random.default_rng(0), {one.name: one.mechanism for one in COMPOUNDS}
    means = {name: rng.normal(size=8) for name in sorted(set(mechanism.values()))}
    wanted = np.stack([means[mechanism[name]] + 0.1 * rng.normal(size=8) for name in model.conditions])
    networks, layer = model.networks, model.networks.mapping_network.mapping_network.layers[0]
    with torch.no_grad():
        layer.weight[:, :6] = torch.randn(8, 6, generator=torch.Generator().manual_seed(1))
        left = torch.tensor(wanted, dtype=torch.float32) - layer.bias
        networks.table().weight.copy_((torch.linalg.pinv(layer.weight[:, :6]) @ left.T).T)
    return model


def styles(model: IMPA, conditions: Sequence[Any], noise: float = 0.0) -> Any:
    networks = model.networks
    rows = torch.stack([model.embedding(one)[0] for one in conditions])
    return networks.style_of(rows, torch.full((len(rows), 3), noise)).numpy()


def table_of(folder: Path, rows: dict[str, Any], column: str = "smiles", name: str = "smiles.csv") -> Path:
    path = folder / name
    pd.DataFrame({"compound": list(rows), column: list(rows.values())}).to_csv(path, index=False)
    return path


@pytest.fixture
def smiles_csv(tmp_path: Path) -> Path:
    return table_of(tmp_path, {name: SMILES[name] for name in NAMES})


def test_a_described_model_takes_new_compounds_and_keeps_the_rest(smiles_csv: Path, tmp_path: Path) -> None:
    model = with_styles_of_mechanisms(model_of())
    before = {name: value.clone() for name, value in model.weights().items()}
    found = describe_model(model, smiles_csv)
    path = save_described(found, tmp_path / "runs" / "described")
    assert path == tmp_path / "runs" / "described" / "model.impa"
    made = load_model(tmp_path / "runs" / "described")
    assert (made.name, made.conditions, made.descriptions[0].kind) == ("described", NAMES, "bit")
    assert made.has_discriminator
    for name, value in before.items():
        assert torch.equal(model.weights()[name], value)  # the old model is as it was
        if not name.startswith(("mapping_network.", "embedding_matrix.")):
            assert torch.equal(made.weights()[name], value)
    spread = np.linalg.norm(styles(model, NAMES) - styles(model, NAMES).mean(0), axis=1).mean()
    assert np.abs(styles(made, NAMES) - styles(model, NAMES)).max() < 0.1 * spread
    for noise in (1.0, -2.0):
        spread_of = [styles(one, NAMES, noise) - styles(one, NAMES) for one in (made, model)]
        np.testing.assert_allclose(*spread_of, atol=1e-5)
    # a new compound is like the known ones of its mechanism
    new = styles(made, [NewCondition(one.name, smiles=one.smiles) for one in HELD])
    mechanisms = np.array([one.mechanism for one in sorted(TRAINED, key=lambda one: one.name)])
    middles = {name: styles(model, np.array(NAMES)[mechanisms == name]).mean(0) for name in set(mechanisms)}
    for one, style in zip(HELD, new, strict=True):
        assert min(middles, key=lambda name: np.linalg.norm(middles[name] - style)) == one.mechanism
    cells = Cells(np.full((2, 1, 24, 24), 500, np.uint16), pd.DataFrame({"compound": ["DMSO"] * 2}), ("DNA",))
    assert len(made.predict(cells, [NewCondition("x", smiles="CCO"), NAMES[0]])) == 4
    assert nearest_compounds(made, SMILES["nocodazole"], 1)["similarity"].item() == 1


def test_how_good_it_is_is_said_and_kept(smiles_csv: Path, tmp_path: Path) -> None:
    found = describe_model(with_styles_of_mechanisms(model_of()), smiles_csv)
    told = found.model.history["described"]
    assert found.model.history["steps"] == 7
    assert found.model.settings["description"] == str(smiles_csv)
    assert (told["kind"], told["by"], told["model"]) == ("bit", "smiles.csv", "model")
    assert told["hash"] == model_hash(with_styles_of_mechanisms(model_of()))
    assert set(told["left_out"]) == set(told["moved"]) == set(NAMES)
    assert told["error"] == pytest.approx(found.fit.error, abs=1e-3)
    assert told["error"] < 0.8
    first, moved = found.lines
    assert "26 conditions by bit fingerprints. Left out in turn" in first
    assert f"an error of {found.fit.error:.2f} " in first
    assert moved.startswith("The known conditions moved by ")
    again = load_model(found.model.save(tmp_path / "again"))
    assert again.history["described"] == told


def model_hash(model: IMPA) -> str:
    return model.hash


def test_descriptions_that_say_nothing_are_called_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shuffled = dict(zip(NAMES, rng.permutation([SMILES[name] for name in NAMES]), strict=True))
    lines = describe_model(with_styles_of_mechanisms(model_of()), table_of(tmp_path, shuffled)).lines
    assert "The descriptions say nothing of how cells look here" in lines[1]


def test_few_conditions_are_called_rough(smiles_csv: Path) -> None:
    model = model_of([one.name for one in TRAINED[:5]])
    for seed in range(20):  # until chance has it that they seem to say something
        model = model_of([one.name for one in TRAINED[:5]], seed=seed)
        found = describe_model(model, smiles_csv)
        if found.fit.error < 1:
            break
    assert found.lines[1] == "With 5 different descriptions that is rough."
    assert set(found.new) == set(NAMES) - set(model.conditions)


def test_numbers_of_a_table(tmp_path: Path) -> None:
    names = ["A", "B", "C", "D", "E"]
    numbers = np.random.default_rng(0).normal(50, 20, (7, 9))
    path = tmp_path / "genes.csv"
    pd.DataFrame(numbers, index=[*names, "NEW", "DMSO"]).to_csv(path)
    model = model_of(names, label=("gene",))
    found = describe_model(model, path)
    assert found.model.descriptions[0].kind == "table"
    assert (found.new, found.model.unseen) == (("NEW",), ("NEW",))  # the control is no condition
    np.testing.assert_allclose(
        styles(found.model, ["NEW"]), styles(found.model, [NewCondition("x", vector=numbers[5])]), rtol=1e-4, atol=1e-5
    )
    assert found.fit.moved.max() < 0.1


def test_few_numbers_are_said_to_move_known_conditions(tmp_path: Path) -> None:
    path = table_of(tmp_path, dict(zip(NAMES, np.random.default_rng(0).normal(size=26), strict=True)), "logP")
    found = describe_model(model_of(), path)
    (line,) = [line for line in found.lines if "more than 10%" in line]
    assert line.endswith("… For these take the old model.") or line.endswith(". For these take the old model.")


def test_a_published_model_whose_styles_are_not_relative(smiles_csv: Path) -> None:
    model = model_of(relative_style=0)
    found = describe_model(model, smiles_csv)
    np.testing.assert_allclose(styles(found.model, NAMES), styles(model, NAMES), atol=1.0)
    nothing = styles(found.model, [NewCondition("x", vector=np.zeros(1024), kind="bit")])
    assert np.linalg.norm(nothing - styles(model, NAMES).mean(0)) < 4


def test_nothing_in_common_leaves_cells_as_they_are(smiles_csv: Path) -> None:
    found = describe_model(model_of(), smiles_csv)
    nothing = NewCondition("x", vector=np.zeros(1024), kind="bit")
    np.testing.assert_allclose(styles(found.model, [nothing])[0], found.model.networks.start_style[0], atol=1e-5)


def test_a_modality_of_its_own_counts_for_nothing_more(smiles_csv: Path) -> None:
    model = model_of(modality_dim=2)
    found = describe_model(model, smiles_csv)
    assert np.abs(styles(found.model, NAMES) - styles(model, NAMES)).mean() < 0.1
    nothing = NewCondition("x", vector=np.zeros(1024), kind="bit")
    np.testing.assert_allclose(styles(found.model, [nothing])[0], found.model.networks.start_style[0], atol=1e-5)


def test_counts_where_asked_for(smiles_csv: Path) -> None:
    found = describe_model(model_of(), smiles_csv, kind="count")
    np.testing.assert_array_equal(found.model.embedding(NAMES[0])[0], fingerprint(SMILES[NAMES[0]], "count"))


def test_smiles_of_the_plate(tmp_path: Path) -> None:
    """The table of a `.cells` folder suffices; a compound that was held out is known by name afterwards."""
    rows = [("DMSO", "")] + [(one.name, one.smiles) for one in COMPOUNDS]
    table = pd.DataFrame(rows, columns=["compound", "smiles"])
    cells = Cells(np.zeros((len(rows), 1, 24, 24), np.uint16), table, ("DNA",), None, ("compound",), "DMSO")
    path = cells.save(tmp_path / "plate.cells")
    found = describe_model(model_of(), "bit", source=path)
    assert set(found.model.unseen) == {one.name for one in HELD}
    assert found.model.settings["description"] == "bit"
    assert found.model.history["described"]["by"] == "plate.cells"


def test_a_compound_stands_for_its_only_dose(smiles_csv: Path) -> None:
    label = ("compound", "dose_um")
    found = describe_model(model_of([f"{name} 50" for name in NAMES], label=label), smiles_csv)
    np.testing.assert_array_equal(found.model.embedding(f"{NAMES[0]} 50")[0], fingerprint(SMILES[NAMES[0]], "bit"))
    with pytest.raises(ConditionError, match=rf"{NAMES[0]} 5 and {NAMES[0]} 50 are doses .* --dose dose_um instead"):
        describe_model(model_of([f"{name} {dose}" for name in NAMES for dose in (5, 50)], label=label), smiles_csv)
    first = ("dose_um", "compound")
    assert describe_model(model_of([f"50 {name}" for name in NAMES], label=first), smiles_csv).fit.error > 0


def test_too_many_new_rows_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_NEW == 1000
    monkeypatch.setattr("napari_impa.work.describing.MOST_NEW", 2)
    path = table_of(tmp_path, {**{name: SMILES[name] for name in NAMES}, "a": "CCO", "b": "CCC", "c": "CCN"})
    found = describe_model(model_of(), path)
    assert (found.new, found.left_out) == ((), 3)
    assert found.lines[-1] == "3 rows that name no condition of the model are left out."


def test_two_of_one_structure_are_named(tmp_path: Path) -> None:
    rows = {**SMILES, "mebendazole": SMILES["nocodazole"]}
    found = describe_model(model_of(), table_of(tmp_path, {name: rows[name] for name in NAMES}))
    assert "mebendazole and nocodazole have one description and cannot be told apart." in found.lines
    assert found.model.history["described"]["alike"] == [["mebendazole", "nocodazole"]]


def changed(**rows: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda known: {name: value for name, value in (known | rows).items() if value is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(fasudil=None), "smiles.csv has no row for fasudil of the model 'model'; add it"),
        (lambda known: {"x": "C"}, r"no row for H-1152, H-7, .* and 21 more .*\(none of its rows names one\)"),
        (changed(fasudil="C1CC"), "'C1CC' cannot be read as a SMILES"),
        (changed(another="C1CC"), "'C1CC' cannot be read as a SMILES"),
        (changed(fasudil=""), "fasudil has no SMILES; write it down"),
    ],
)
def test_rows_that_do_not_fit_are_named(change: Any, message: str, tmp_path: Path) -> None:
    path = table_of(tmp_path, change({name: SMILES[name] for name in NAMES}))
    with pytest.raises(ConditionError, match=message) as raised:
        describe_model(model_of(), path)
    assert "\n" not in str(raised.value)


def test_two_smiles_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "smiles.csv"
    path.write_text("name,smiles\nfasudil,C\nfasudil,CC\nfasudil,\n")
    with pytest.raises(ConditionError, match="more than one SMILES for 'fasudil'"):
        describe_model(model_of(), path)


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        ({}, {"told": "bit"}, TrainingError, "bit needs the plate whose table holds SMILES"),
        ({}, {"told": "none.csv"}, ConditionError, "none.csv cannot be read as a table"),
        ({}, {"kind": "bits"}, TrainingError, "A description is bit or count, or a table, not 'bits'"),
        ({}, {"smiles": "structure"}, ConditionError, "no column 'structure' after the names; its columns are: smiles"),
        ({"mapping_layers": 2}, {}, ModelError, "trained with doses"),
        ({"conditions": (20, 6), "embedding_dims": (6, 6)}, {}, ModelError, "are of 2 kinds"),
    ],
)
def test_what_cannot_be_described_is_said(
    model: Any, options: Any, error: type[ImpaError], message: str, smiles_csv: Path
) -> None:
    with pytest.raises(error, match=message) as raised:
        describe_model(model_of(**model), **{"told": smiles_csv, **options})
    assert "\n" not in str(raised.value)


def test_batches_cannot_be_described(smiles_csv: Path) -> None:
    model = model_of()
    model.task = "batch"
    with pytest.raises(ModelError, match="as they are batches"):
        describe_model(model, smiles_csv)


def test_fingerprints_need_smiles_in_the_table(tmp_path: Path) -> None:
    path = table_of(tmp_path, dict.fromkeys(NAMES, 1.0), "logP")
    with pytest.raises(ConditionError, match=r"smiles.csv has no column of SMILES, which bit fingerprints need"):
        describe_model(model_of(), path, kind="bit")


def test_a_plate_without_smiles(tmp_path: Path) -> None:
    table = pd.DataFrame({"compound": ["DMSO", *NAMES]})
    cells = Cells(np.zeros((27, 1, 24, 24), np.uint16), table, ("DNA",), None, ("compound",), "DMSO")
    with pytest.raises(ConditionError, match=r"table of plate.cells has no column 'smiles'"):
        describe_model(model_of(), "bit", source=cells.save(tmp_path / "plate.cells"))


def test_nothing_is_overwritten(smiles_csv: Path, tmp_path: Path) -> None:
    found = describe_model(model_of(), smiles_csv)
    path = save_described(found, tmp_path / "a.impa")
    assert found.model.name == "a"
    for out in (path, tmp_path):
        with pytest.raises(TrainingError, match="exists already"):
            save_described(found, out)


def test_a_model_is_described_into_a_free_file_beside_it(smiles_csv: Path, tmp_path: Path) -> None:
    path = model_of().save(tmp_path / "mine.impa")
    names = [describe_beside(path, smiles_csv)[0].name for _ in range(2)]
    assert names == ["mine-described.impa", "mine-described-2.impa"]
    assert load_model(tmp_path / names[1]).name == "mine-described-2"


def test_a_described_model_can_be_described_again(smiles_csv: Path) -> None:
    once = describe_model(model_of(), smiles_csv).model
    twice = describe_model(once, smiles_csv, kind="count").model
    kinds: list[type[Description]] = [Learned, BitFingerprint]
    assert twice.descriptions[0].kind == "count" not in [kind.kind for kind in kinds]
    np.testing.assert_allclose(styles(twice, NAMES), styles(once, NAMES), atol=0.5)
