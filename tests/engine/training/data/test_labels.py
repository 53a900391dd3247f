"""Trainings with described conditions, modalities, doses and controls among the conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.describing.fingerprint import fingerprint
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.data.training_cells import TrainingCells
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import ConditionError, ImpaError, ModelError, TrainingError

Make = Callable[..., Trainer]

BY_MODALITY = {"modality": "modality", "label": ("compound",)}


def trained(trainer: Trainer) -> IMPA:
    list(trainer)
    return IMPA.load(trainer.run.model_path)


def described(model: IMPA, name: str) -> np.ndarray:
    return model.embedding(name)[0].numpy()


@pytest.fixture(scope="session")
def undosed(compounds: Cells) -> Cells:
    return replace(compounds, label=("compound",))


def test_fingerprints_are_kept_as_they_are_and_new_compounds_predicted(make_trainer: Make, undosed: Cells) -> None:
    for kind in ("bit", "count"):
        trainer = make_trainer(kind, of=undosed, description=kind, steps=3)
        weight = trainer._step.networks.embedding_matrix.weight
        assert all(weight is not parameter for parameter in trainer._step.networks.parameters())
        model = trained(trainer)
        np.testing.assert_array_equal(described(model, "ethanol"), fingerprint("CCO", kind))
        assert model.descriptions[0].kind == kind
        one, same, other = (
            model.predict(undosed.controls(), to).pixels
            for to in ("ethanol", NewCondition("new", "OCC"), NewCondition("new", "c1ccccc1"))
        )
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()
        wrong = "count" if kind == "bit" else "bit"
        with pytest.raises(ConditionError, match=f"{kind} fingerprints, but 'x' by a {wrong}"):
            model.predict(undosed, NewCondition("x", vector=fingerprint("CCO", wrong), kind=wrong))


def test_a_prediction_says_what_a_new_condition_was(make_trainer: Make, undosed: Cells) -> None:
    model = make_trainer(of=undosed, description="bit").model
    after = model.predict(undosed.controls(), ["ethanol", NewCondition("new", "CO")])
    assert list(after.table["predicted"].unique()) == ["ethanol", "new"]
    assert after.history["conditions"] == ["ethanol", "new"]
    assert after.history["new_conditions"] == [{"name": "new", "smiles": "CO"}]


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_a_table_describes_conditions(make_trainer: Make, screen: Cells, genes_csv: Path, recipe: str) -> None:
    genes = replace(screen.take(screen.table["modality"] != "compound"), label=("compound",))
    model = trained(make_trainer(of=genes, description=genes_csv, recipe=recipe, steps=2))
    table = pd.read_csv(genes_csv, index_col=0)
    scaled = table if recipe == "paper" else (table - table.mean()) / table.std(ddof=0)
    np.testing.assert_allclose(described(model, "TP53"), scaled.loc["TP53"], rtol=1e-5)
    braf, _ = model.embedding(NewCondition("BRAF", vector=table.loc["BRAF"].to_numpy()))
    np.testing.assert_allclose(braf.numpy(), scaled.loc["BRAF"], rtol=1e-5)
    assert model.descriptions[0].features == ("a", "b", "c")


def test_a_held_out_compound_is_predicted_from_its_description(make_trainer: Make, undosed: Cells) -> None:
    trainer = make_trainer(of=undosed, description="count", hold_out={"compound": ["caffeine"]}, steps=2)
    model = trained(trainer)
    assert model.conditions == ("aspirin", "ethanol")
    assert model.unseen == ("caffeine",)
    assert "caffeine" not in model.counts
    np.testing.assert_array_equal(described(model, "caffeine"), fingerprint("Cn1c(=O)c2c(ncn2C)n(C)c1=O", "count"))
    controls = undosed.controls()
    by_name = model.predict(controls, "caffeine").pixels
    given = NewCondition("caffeine", "Cn1c(=O)c2c(ncn2C)n(C)c1=O")
    np.testing.assert_array_equal(by_name, model.predict(controls, given).pixels)
    assert (by_name != model.predict(controls, "ethanol").pixels).any()
    with pytest.raises(ConditionError, match="can turn cells into: aspirin, ethanol, caffeine"):
        model.predict(controls, "tea")


def test_a_learned_model_does_not_know_what_was_held_out(make_trainer: Make, undosed: Cells) -> None:
    model = make_trainer(of=undosed, hold_out={"compound": ["caffeine"]}).model
    assert model.unseen == ()
    with pytest.raises(ConditionError, match="does not know 'caffeine'"):
        model.predict(undosed, "caffeine")
    with pytest.raises(ConditionError, match="by name"):
        model.predict(undosed, NewCondition("caffeine", "CCO"))


def test_a_dose_without_end_is_none(make_trainer: Make, compounds: Cells) -> None:
    table = compounds.table.assign(dose_um=compounds.table["dose_um"].astype(float).replace(10.0, np.inf))
    with pytest.raises(ConditionError, match="has no dose that is a number from 0 up"):
        make_trainer(of=replace(compounds, table=table), description="bit", dose="dose_um")


def test_doses_as_a_feature(make_trainer: Make, compounds: Cells) -> None:
    trainer = make_trainer(
        of=compounds, description="bit", dose="dose_um", hold_out={"compound": "ethanol", "dose_um": 10}, steps=2
    )
    model = trained(trainer)
    assert model.conditions == ("aspirin 1", "caffeine 1")
    assert model.unseen == ("aspirin 10", "caffeine 10", "ethanol 1", "ethanol 10")
    factor = model.descriptions[0].dose
    assert factor is not None
    vectors = np.stack([described(model, name) for name in (*model.conditions, *model.unseen)])
    assert vectors.shape == (6, 1025)
    np.testing.assert_allclose(vectors[:, -1], factor * np.log10([2, 2, 11, 11, 2, 11]), rtol=1e-6)
    np.testing.assert_array_equal(vectors[0, :-1], vectors[2, :-1])
    sizes = np.linalg.norm(vectors[:, :-1], axis=1)
    assert vectors[0, -1] == pytest.approx(np.sqrt(np.square(sizes[:2]).mean()))  # of what is trained on
    new, _ = model.embedding(NewCondition("aspirin at ten", "CC(=O)Oc1ccccc1C(=O)O", dose=10))
    np.testing.assert_array_equal(new.numpy(), vectors[2])
    assert model.shape.mapping_layers == 2


def test_modalities_have_their_own_tables_networks_and_heads(
    make_trainer: Make, screen: Cells, genes_csv: Path
) -> None:
    cells = replace(screen, label=("compound",))
    settings: dict[str, Any] = {
        "modality": "modality", "modality_dim": 3, "steps": 4,
        "description": {"compound": "bit", "CRISPR": str(genes_csv)},
    }  # fmt: skip
    trainer = make_trainer("m", of=cells, **settings)
    shape = trainer.model.shape
    assert (shape.conditions, shape.embedding_dims, shape.modality_dim) == ((2, 3), (3, 1024), 3)
    batches = [trainer.data.batch(step) for step in range(200)]
    share = np.mean([batch.modality for batch in batches])
    assert share == pytest.approx(3 / 5, abs=0.12)
    assert all((batch.y_target < shape.conditions[batch.modality]).all() for batch in batches)
    model = trained(trainer)
    assert model.conditions == ("KRAS", "TP53", "aspirin", "caffeine", "ethanol")
    controls = cells.controls()
    after = model.predict(
        controls, ["TP53", "ethanol", NewCondition("new", "CCO"), NewCondition("g", vector=[1, 2, 3])]
    )
    blocks = after.pixels.reshape(4, *controls.pixels.shape)
    np.testing.assert_array_equal(blocks[1], blocks[2])
    assert (blocks[0] != blocks[1]).any()
    with pytest.raises(ConditionError, match="no modality 'ORF'; its modalities are: CRISPR, compound"):
        model.predict(controls, NewCondition("g", "CCO", modality="ORF"))
    for event in (halves := make_trainer("h", of=cells, **settings)):
        if event.step == 2:
            halves.stop()
    resumed = make_trainer("h", of=cells, resume=True, **settings)
    assert resumed.step == 2
    assert trained(resumed).hash == model.hash


def test_own_controls_are_used_where_a_modality_has_them(make_trainer: Make, screen: Cells) -> None:
    table = screen.table.copy()
    control = np.flatnonzero(screen.is_control)
    table.loc[control[:3], "modality"] = "CRISPR"
    labels = make_trainer(of=replace(screen, table=table, label=("compound",)), modality="modality").data.labels
    np.testing.assert_array_equal(labels.sources[0], control[:3])
    np.testing.assert_array_equal(labels.sources[1], control)


def test_two_modalities_of_new_vectors_must_be_told_apart(make_trainer: Make, screen: Cells, genes_csv: Path) -> None:
    cells = replace(screen, label=("compound",))
    model = make_trainer(of=cells, description=genes_csv, modality="modality").model
    with pytest.raises(ConditionError, match="which modality the new condition 'g' is of: CRISPR, compound"):
        model.embedding(NewCondition("g", vector=[1, 2, 3]))
    assert model.embedding(NewCondition("g", vector=[1, 2, 3], modality="compound"))[1] == 1


def test_each_modality_has_its_own_control(screen: Cells) -> None:
    how = {"size": 24, "batch_size": 16, "modality": "modality", "controls_to_themselves": True}
    data = TrainingCells(screen, TrainingSettings(**how), recipe_named("default"))
    seen = set()
    for step in range(12):
        batch = data.batch(step)
        control = data.labels.row[data.labels.control[batch.modality]]
        assert batch.at_target is not None
        assert batch.at_target.tolist() == [y == control for y in batch.y_target.tolist()]
        if batch.at_target.any():
            seen.add(batch.modality)
    assert seen == {0, 1}


def test_controls_to_themselves(make_trainer: Make, undosed: Cells) -> None:
    trainer = make_trainer(of=undosed, controls_to_themselves=True, description="bit", batch_size=16, steps=2)
    assert trainer.data.conditions == ["DMSO", "aspirin", "caffeine", "ethanol"]
    trainer.data.recipe = recipe_named("paper")  # without rotations
    batch = trainer.data.batch(0)
    itself = batch.y_target == 0
    assert 0 < itself.sum() < 16
    assert batch.at_target is not None
    assert torch.equal(batch.at_target, itself)
    flips = [(), (-1,), (-2,), (-1, -2)]
    for before, after in zip(batch.control[itself], batch.treated[itself], strict=True):  # but for dither and flips
        assert min((before - after.flip(dims)).abs().max() for dims in flips) < 0.02
    model = trained(trainer)
    assert model.counts["DMSO"] == 12
    np.testing.assert_array_equal(described(model, "DMSO"), fingerprint("CS(C)=O", "bit"))


def test_a_control_without_a_structure_is_no_compound(make_trainer: Make, undosed: Cells) -> None:
    table = undosed.table.assign(smiles=undosed.table["smiles"].where(~undosed.is_control))
    trainer = make_trainer(of=replace(undosed, table=table), controls_to_themselves=True, description="bit")
    assert not described(trainer.model, "DMSO").any()


def test_controls_to_themselves_in_each_modality(make_trainer: Make, screen: Cells) -> None:
    trainer = make_trainer(of=replace(screen, label=("compound",)), modality="modality", controls_to_themselves=True)
    assert trainer.data.conditions[:3] == ["DMSO (CRISPR)", "KRAS", "TP53"]
    assert "DMSO (compound)" in trained(trainer).conditions


def test_a_run_resumes_with_its_own_descriptions_only(
    make_trainer: Make, screen: Cells, genes_csv: Path, tmp_path: Path
) -> None:
    genes = replace(screen.take(screen.table["modality"] != "compound"), label=("compound",))
    path = tmp_path / "genes.csv"
    path.write_bytes(genes_csv.read_bytes())
    list(make_trainer(of=genes, description=path, steps=2))
    path.write_text(path.read_text().replace("TP53,", "TP53,1"))
    with pytest.raises(TrainingError, match="described by other numbers"):
        make_trainer(of=genes, description=path, steps=2, resume=True)
    with pytest.raises(TrainingError, match="other settings \\(description\\)"):
        make_trainer(of=genes, description="learned", steps=2, resume=True)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"description": "morgan"}, TrainingError, "learned, bit, count or the path of a CSV"),
        ({"description": {"compound": "bit"}}, TrainingError, "needs modality"),
        ({"modality_dim": 4}, TrainingError, "needs modality"),
        ({"dose": "dose_um"}, TrainingError, "adds to a description"),
        ({"description": "bit", "task": "batch"}, TrainingError, "for the task perturbation"),
        ({"description": "bit", "smiles": "structure"}, ConditionError, "no column 'structure'"),
        ({"description": "bit", "dose": "uM"}, ConditionError, "no dose column 'uM'"),
        ({"description": "nowhere.csv"}, ConditionError, r"nowhere\.csv cannot be read"),
        ({"modality": "kind"}, ConditionError, "no column 'kind'"),
        ({"modality": "smiles"}, ConditionError, "names no modality for 18 treated cells"),
        ({"modality": "plate"}, ConditionError, "occurs in several modalities"),
        ({"modality": "modality", "description": {"ORF": "bit"}}, ConditionError, "modality 'ORF'; the modalities are"),
        ({"description": "bit"}, ConditionError, "'KRAS' has no SMILES"),
    ],
)
def test_settings_that_do_not_fit(
    make_trainer: Make, screen: Cells, settings: dict[str, Any], error: type[ImpaError], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        make_trainer(of=screen, **settings)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("column", "value", "settings", "message"),
    [
        ("smiles", "C1CC", {}, "'C1CC' cannot be read as a SMILES"),
        ("smiles", "CCCC", {"one": True}, "'aspirin 1' has more than one smiles"),
        ("dose_um", 3, {"one": True, "label": ("compound",), "dose": "dose_um"}, "more than one dose; add the dose"),
        ("dose_um", -1, {"dose": "dose_um"}, "no dose that is a number"),
    ],
)
def test_tables_that_do_not_fit(
    make_trainer: Make, compounds: Cells, column: str, value: Any, settings: dict[str, Any], message: str
) -> None:
    table = compounds.table.copy()
    rows = np.flatnonzero(compounds.conditions == "aspirin 1")
    table.loc[rows[: 1 if settings.pop("one", False) else None], column] = value
    cells = replace(compounds, table=table, label=settings.pop("label", compounds.label))
    with pytest.raises(ConditionError, match=message):
        make_trainer(of=cells, description="bit", **settings)


def test_a_table_without_a_row(make_trainer: Make, screen: Cells, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("gene,a\nTP53,1\n")
    genes = replace(screen.take(screen.table["modality"] != "compound"), label=("compound",))
    with pytest.raises(ConditionError, match="has no row for KRAS"):
        make_trainer(of=genes, description=path)


def test_settings_go_through_json() -> None:
    settings = TrainingSettings(description={"a": "bit"}, modality="m", modality_dim=2, dose="d", steps=1)
    assert TrainingSettings.from_json(settings.to_json()) == settings
    assert settings.kind_of("a").kind == "bit"
    assert settings.kind_of("b").kind == "learned"
    assert TrainingSettings(description="x.csv").kind_of("").kind == "table"


def test_an_incomplete_description_is_refused(make_trainer: Make, undosed: Cells, tmp_path: Path) -> None:
    from napari_impa.engine.model.tensor_file import read_tensors, write_tensors

    model = make_trainer(of=undosed, description="bit", hold_out={"compound": "ethanol"}).model
    tensors, header = read_tensors(model.save(tmp_path / "m"))
    del tensors["unseen.0"]
    write_tensors(tmp_path / "broken.impa", tensors, header)
    with pytest.raises(ModelError, match="not a complete model file"):
        IMPA.load(tmp_path / "broken.impa")
    assert torch.equal(tensors["embedding_matrix.weight"], model.networks.table().weight)


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_substructures_that_no_training_compound_has_say_nothing(
    make_trainer: Make, undosed: Cells, recipe: str
) -> None:
    model = trained(make_trainer(of=undosed, description="bit", recipe=recipe, steps=4))
    known = np.stack([described(model, name) for name in model.conditions])
    one, other = known[0].copy(), known[0].copy()
    other[np.flatnonzero(known.sum(0) == 0)[:30]] = 1
    new = [NewCondition(str(number), vector=vector, kind="bit") for number, vector in enumerate((one, other))]
    styles = [model.networks.style_of(model.embedding(each)[0][None], model.noise(1)) for each in new]
    assert torch.equal(*styles) == (recipe != "paper")


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_what_training_compounds_do_not_span_says_nothing_at_first(
    make_trainer: Make, undosed: Cells, recipe: str
) -> None:
    networks = make_trainer(of=undosed, description="bit", recipe=recipe).model.networks
    known = networks.table().weight
    away = torch.from_numpy(np.random.default_rng(0).standard_normal(known.shape[1], np.float32))
    away -= torch.linalg.pinv(known) @ (known @ away)  # orthogonal to every compound
    styles = networks.style_of(torch.stack([away, torch.zeros_like(away)]), torch.zeros(2, networks.shape.noise_dim))
    assert torch.allclose(*styles, atol=1e-4) == (recipe != "paper")


def test_conditions_of_one_vector_are_named(
    make_trainer: Make, undosed: Cells, compounds: Cells, caplog: pytest.LogCaptureFixture
) -> None:
    make_trainer("one", of=compounds, description="bit")
    assert "The same numbers describe aspirin 1 and aspirin 10; caffeine 1 and caffeine 10" in caplog.text
    caplog.clear()
    assert make_trainer("two", of=compounds, description="bit", dose="dose_um").alike == ""
    assert make_trainer("three", of=undosed, description="bit").alike == ""
    assert caplog.text == ""


def test_nothing_of_what_is_held_out_reaches_a_scale(make_trainer: Make, compounds: Cells, tmp_path: Path) -> None:
    held = {"compound": ["ethanol"]}

    def scales(folder: str, cells: Cells, **settings: Any) -> list[Any]:
        made = make_trainer(folder, of=cells, hold_out=held, dose="dose_um", **settings).model.descriptions[0]
        return [made.dose, made.center, made.spread]

    table = compounds.table.copy()
    table.loc[table["compound"] == "ethanol", "smiles"] = "CCCCCCCCCCCCCCCCN"
    assert scales("a", compounds, description="count") == scales(
        "b", replace(compounds, table=table), description="count"
    )
    path = tmp_path / "t.csv"
    found = []
    for number in (3, 3000):
        path.write_text(f"name,a,b\naspirin,1,5\ncaffeine,2,6\nethanol,{number},{number}\nelsewhere,7,7\n")
        found.append(scales(str(number), compounds, description=path))
    assert found[0] == found[1]
    assert len(found[0][1]) == 2
