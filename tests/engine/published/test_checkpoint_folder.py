"""Published checkpoint folders: shapes, names, kinds of description, conversion; on folders made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from published_stand_ins import random_networks, write_published

from napari_impa.cells.store import Cells
from napari_impa.engine.describing.fingerprint import fingerprint
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.published.checkpoint_folder import model_of, read_published
from napari_impa.engine.published.naming import Naming, fit_names, match_fingerprints
from napari_impa.errors import ConditionError, ModelError
from napari_impa.work.catalog import load_model

SMILES = {"DMSO": "CS(C)=O", "b": "CCO", "c": "CCCCCCCC", "d": "c1ccccc1", "e": "Cn1c(=O)c2c(ncn2C)n(C)c1=O"}
SMALL: dict[str, Any] = {"width": 2, "style_dim": 3, "noise_dim": 4}

PUBLISHED = {  # the settings of ENGINE.md's table, narrow
    "bbbc021_six": Shape(96, 3, **{**SMALL, "noise_dim": 16}, embedding_dims=(1024,), conditions=(5,)),
    "bbbc021_all": Shape(128, 3, **{**SMALL, "noise_dim": 8}, embedding_dims=(1024,), conditions=(89,)),
    "cpg0000": Shape(
        96, 5, **{**SMALL, "noise_dim": 20}, embedding_dims=(328, 1224, 456), conditions=(296, 297, 170), modality_dim=7
    ),
    "rxrx1_batch": Shape(96, 6, **{**SMALL, "noise_dim": 10}, embedding_dims=(100,), conditions=(3,)),
    "deep": Shape(48, 5, **SMALL, embedding_dims=(6,), conditions=(2,), mapping_layers=3),
}
"""By name."""


def of_fingerprints(names: list[str], kind: str) -> Networks:
    """Networks whose conditions are described by the fingerprints of `SMILES`."""
    shape = Shape(24, 2, **SMALL, embedding_dims=(1024,), conditions=(len(names),))
    networks = random_networks(shape)
    networks.describe(torch.from_numpy(np.stack([fingerprint(SMILES[name], kind) for name in names])))
    return networks


def table_of(path: Path, names: list[str], column: str = "CPD_NAME") -> Path:
    frame = pd.DataFrame({column: names * 2, "SMILES": [SMILES.get(name, "") for name in names] * 2})
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_setting_is_read_off_the_shapes(tmp_path: Path, name: str, prefix: str) -> None:
    networks = random_networks(PUBLISHED[name])
    again = read_published(write_published(tmp_path / "p", networks, prefix=prefix))
    assert again.shape == networks.shape
    for key, value in networks.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key


def test_the_latest_of_several_is_read(tmp_path: Path) -> None:
    shape = PUBLISHED["deep"]
    for number in (90, 200, 100):
        folder = write_published(tmp_path / "p", random_networks(shape, number), number=number)
    assert torch.equal(read_published(folder).table().weight, random_networks(shape, 200).table().weight)


@pytest.mark.parametrize("name", ["cpg0000", "rxrx1_batch"])
def test_a_converted_model_gives_the_same_bits(tmp_path: Path, name: str) -> None:
    folder = write_published(tmp_path / "p", random_networks(PUBLISHED[name]))
    model = load_model(folder)
    again = IMPA.load(model.save(tmp_path / "m"))
    assert again.header() == model.header()
    shape, rng = model.shape, np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, shape.channels, shape.size, shape.size)).astype(np.uint8)
    noise = model.noise(2)
    for condition in (model.conditions[0], model.conditions[-1]):
        one, other = (m.decode(m.encode(pixels), condition, noise) for m in (model, again))
        assert torch.equal(one, other)
    modality = len(shape.conditions) - 1
    y = torch.full((2,), shape.conditions[-1] - 1)
    with torch.no_grad():
        style = model.networks.style(y, noise, modality)
        assert torch.equal(one, model.networks.generator.render(model.encode(pixels).content, style))


@pytest.mark.parametrize("kind", ["bit", "count"])
def test_fingerprints_name_the_conditions_and_tell_the_kind(tmp_path: Path, kind: str) -> None:
    trained = ["e", "b", "d"]  # in an order of their own
    folder = write_published(tmp_path / "p", of_fingerprints(trained, kind))
    model = model_of(folder, naming=Naming(table_of(tmp_path / "t.csv", list(SMILES))), channels=["DNA", "actin"])
    assert model.conditions == ("e", "b", "d")
    assert model.unseen == ("c",)
    assert model.control == "DMSO"
    assert (model.label, model.channels) == (("CPD_NAME",), ("DNA", "actin"))
    assert model.descriptions[0].kind == kind
    again = IMPA.load(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(again.embedding("c")[0], fingerprint(SMILES["c"], kind))
    np.testing.assert_array_equal(again.embedding(NewCondition("x", "CCO"))[0], again.embedding("b")[0])
    wrong = "count" if kind == "bit" else "bit"
    with pytest.raises(ConditionError, match=f"by {kind} fingerprints"):
        again.embedding(NewCondition("x", vector=fingerprint("CCO", wrong), kind=wrong))
    assert load_model(folder).descriptions[0].kind == kind
    assert load_model(folder).conditions == ("condition 1", "condition 2", "condition 3")


def test_smiles_that_do_not_match_are_said(tmp_path: Path) -> None:
    matrix = of_fingerprints(["b", "d"], "bit").table().weight.numpy()
    with pytest.raises(ConditionError, match="1 of the model's 2 conditions have the fingerprint of no SMILES"):
        match_fingerprints(matrix, {"b": "CCO", "x": "CCCC"})
    with pytest.raises(ConditionError, match="have the fingerprint of b, b again"):
        match_fingerprints(matrix, {"b": "CCO", "b again": "OCC", "d": "c1ccccc1"})
    both = match_fingerprints(matrix[[0, 1, 0]], {"z": "CCO", "a": "OCC", "d": "c1ccccc1"})
    assert both.names == ("a", "d", "z")


@given(st.sets(st.text(min_size=1, max_size=3), min_size=2, max_size=8), st.data())
def test_sorted_unique_names_with_or_without_the_control(found: set[str], data: Any) -> None:
    names = sorted(found)
    control = data.draw(st.sampled_from(names))
    others = [name for name in names if name != control]
    assert fit_names(names, len(names), None) == names
    assert fit_names(names, len(names), control) == names
    assert fit_names(names, len(others), control) == others
    assert fit_names(others, len(names), control) == names
    for count in (len(names) + 1, len(others) - 1):
        with pytest.raises(ConditionError, match=f"knows {count} conditions, but the table names"):
            fit_names(names, count, control)


def test_names_of_a_training_table(tmp_path: Path) -> None:
    networks = random_networks(Shape(24, 2, **SMALL, embedding_dims=(5,), conditions=(3,)))
    folder = write_published(tmp_path / "p", networks)
    table = table_of(tmp_path / "t.csv", ["z", "DMSO", "m", "a"])
    model = model_of(folder, naming=Naming(table))
    assert (model.conditions, model.descriptions[0].kind) == (("a", "m", "z"), "learned")
    assert model_of(folder, naming=Naming(table), description="table").descriptions[0].kind == "table"
    with pytest.raises(ModelError, match="not described by bit fingerprints"):
        model_of(folder, description="bit")
    with pytest.raises(ModelError, match="is one of learned, bit, count, table, not 'word'"):
        model_of(folder, description="word")
    with pytest.raises(ConditionError, match="knows 3 conditions, but the table names 4"):
        model_of(folder, naming=Naming(table, control="water"))
    with pytest.raises(ConditionError, match="no column 'drug'"):
        model_of(folder, naming=Naming(table, column="drug"))
    with pytest.raises(ConditionError, match="looks like the names"):
        model_of(folder, naming=Naming(table_of(tmp_path / "u.csv", ["a"], "what")))
    with pytest.raises(ModelError, match="take 2 channels, not 1"):
        model_of(folder, channels=["DNA"])


def test_batches_are_named_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    networks = random_networks(Shape(24, 2, **SMALL, embedding_dims=(5,), conditions=(3,)))
    networks.describe(torch.eye(3, 5))
    folder = write_published(tmp_path / "p", networks)
    pd.DataFrame({"batch": [10, 9, 2, 9], "compound": list("wxyz")}).to_csv(tmp_path / "t.csv", index=False)
    model = model_of(folder, naming=Naming(tmp_path / "t.csv"), task="batch")
    assert (model.conditions, model.task, model.control) == (("2", "9", "10"), "batch", None)
    assert model.descriptions[0].kind == "learned"


def test_names_by_modality(tmp_path: Path) -> None:
    shape = Shape(24, 2, **SMALL, embedding_dims=(5, 6), conditions=(2, 3))
    folder = write_published(tmp_path / "p", random_networks(shape))
    frame = pd.DataFrame(
        {"gene": ["TP53", "A", "TP53", "B", "C", "DMSO"], "modality": ["ORF", "CRISPR", "CRISPR", "ORF", "ORF", ""]}
    )
    frame.to_csv(path := tmp_path / "t.csv", index=False)
    model = model_of(folder, naming=Naming(path), description={"ORF": "table"})
    assert model.conditions == ("CRISPR A", "CRISPR TP53", "ORF B", "ORF C", "ORF TP53")
    assert [(one.modality, one.kind) for one in model.descriptions] == [("CRISPR", "learned"), ("ORF", "table")]
    assert model.embedding("ORF B")[1] == 1
    assert model.embedding(NewCondition("new", vector=range(6)))[1] == 1
    with pytest.raises(ModelError, match="no modality 'orf'; it has: CRISPR, ORF"):
        model_of(folder, naming=Naming(path), description={"orf": "table"})
    with pytest.raises(ConditionError, match="has 2 modalities, but the column 'gene' names 4"):
        model_of(folder, naming=Naming(path, column="gene", modality="gene"))
    frame.drop(columns="modality").to_csv(path, index=False)
    with pytest.raises(ConditionError, match="2 modalities; say which column"):
        model_of(folder, naming=Naming(path))
    assert model_of(folder).descriptions[1].modality == "modality 2"


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    shape = PUBLISHED["deep"]
    folder = write_published(tmp_path / "p", random_networks(shape))
    with pytest.raises(ModelError, match="no published IMPA checkpoint"):
        read_published(tmp_path)
    embeddings = folder / "000200_embeddings.ckpt"
    torch.save({"embedding_matrix": {"weight": torch.zeros(3, 6)}}, embeddings)
    with pytest.raises(ModelError, match="do not fit") as raised:
        read_published(folder)
    assert "\n" not in str(raised.value)
    torch.save({"a": {}, "b": {}}, embeddings)
    with pytest.raises(ModelError, match="holds 2 parts"):
        read_published(folder)
    torch.save({"embedding_matrix": Path("code")}, embeddings)  # a pickle that would run code
    with pytest.raises(ModelError, match="damaged") as raised:
        read_published(folder)
    assert "\n" not in str(raised.value)
    embeddings.unlink()
    with pytest.raises(ModelError, match=r"needs 000200_embeddings\.ckpt beside it"):
        read_published(folder)


REFERENCES = ["batch_48", "multimodal_64", "compound_96", "compound_128"]


@pytest.mark.parametrize("reference_folder", REFERENCES, indirect=True)
def test_the_reference_is_imported_to_the_bit(reference_folder: Path, tmp_path: Path) -> None:
    folder = reference_folder
    config = json.loads((folder / "config.json").read_text())
    model = model_of(folder, task="batch" if config["batch_correction"] else "perturbation")
    again = IMPA.load(model.save(tmp_path / "m"))
    with np.load(folder / "vectors.npz") as vectors:
        x, y, z, fake = (torch.from_numpy(vectors[key]) for key in ("x_ctrl", "y", "z", "fake"))
    modality = config["modality_index"] or 0
    first = sum(model.shape.conditions[:modality])
    images = []
    for one in (model, again):
        with torch.inference_mode():
            content = one.networks.generator.content(x)
            embeddings = torch.stack([one.embedding(one.conditions[first + k])[0] for k in y])
            images.append(one.networks.generator.render(content, one.networks.style_of(embeddings, z, modality)))
    assert torch.equal(*images)
    torch.testing.assert_close(images[0], fake, atol=5e-5, rtol=0)  # test_reference.py compares closely, in float64


@pytest.mark.parametrize("reference_folder", ["multimodal_64"], indirect=True)
@torch.no_grad()
def test_each_modality_of_the_reference_runs_with_its_own_parts(reference_folder: Path) -> None:
    folder = reference_folder
    networks = read_published(folder).eval()
    assert networks.shape.embedding_dims == (32, 48, 40)
    with np.load(folder / "vectors.npz") as vectors:
        x, z = torch.from_numpy(vectors["x_ctrl"]), torch.from_numpy(vectors["z"])
    for modality, count in enumerate(networks.shape.conditions):
        y = torch.tensor([0, count - 1])
        style = networks.style(y, z, modality)
        fake, logits = networks.generator(x, style), networks.discriminator(x, y, modality)
        assert fake.shape == x.shape
        assert logits.shape == (2,)
        assert fake.isfinite().all()
        assert logits.isfinite().all()
        state = torch.load(folder / "000200_nets.ckpt", weights_only=True)
        table = torch.load(folder / "000200_embeddings.ckpt", weights_only=True)["embedding_matrix"]
        weight, bias = (
            state["mapping_network"][f"mapping_network.{modality}.layers.0.{k}"] for k in ("weight", "bias")
        )
        by_hand = torch.cat([table[f"{modality}.weight"][y], z], 1) @ weight.T + bias
        torch.testing.assert_close(style, by_hand)
        head, offset = (state["discriminator"][f"head.{modality}.{k}"] for k in ("weight", "bias"))
        trunk = networks.discriminator.conv_blocks(x).mean((2, 3))
        torch.testing.assert_close(logits, (trunk @ head[:, :, 0, 0].T + offset)[torch.arange(2), y])


def test_a_published_folder_predicts(tmp_path: Path, cells: Cells) -> None:
    networks = random_networks(Shape(24, 2, **SMALL, embedding_dims=(5,), conditions=(3,)))
    after = load_model(write_published(tmp_path / "p", networks)).predict(cells.controls(), "condition 2")
    assert after.pixels.dtype == cells.pixels.dtype
