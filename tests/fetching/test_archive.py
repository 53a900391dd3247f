"""Published models out of an archive of the true layout, over 4 GB of which nearly all are holes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from local_server import HOLE, Server, sparse_archive

from napari_impa.engine.describing.fingerprint import fingerprint
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.published.checkpoint_folder import NETWORKS
from napari_impa.errors import ConditionError, FetchError, ModelError
from napari_impa.fetching.archive import fetch_archive_model, find_checkpoint
from napari_impa.fetching.archive_models import ARCHIVE_MODELS, ArchiveModel, by_name
from napari_impa.fetching.members import Member
from napari_impa.watch import Reported
from napari_impa.work import catalog
from napari_impa.work.fetched import fetched_models

ROOT = "IMPA_reproducibility/checkpoints"
SIX, ALL, MULTI, _, RXRX1 = ARCHIVE_MODELS
DRUGS = ("CCO", "CCCCCCCC", "c1ccccc1", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "CC(=O)O")
SMALL: dict[str, Any] = {"width": 2, "style_dim": 3}
ROWS = np.random.default_rng(0).random((3, 10))


def checkpoint(shape: Shape, folder: str, number: int, rows: np.ndarray | None = None) -> dict[str, bytes]:
    """Members of a checkpoint folder in the published layout."""
    networks = Networks(shape).initialize(torch.Generator().manual_seed(number))
    if rows is not None:
        networks.table(0).weight.data = torch.from_numpy(rows.astype(np.float32))

    def part(name: str) -> dict[str, torch.Tensor]:
        return {key: value.clone() for key, value in networks.get_submodule(name).state_dict().items()}

    def saved(content: Any) -> bytes:
        file = io.BytesIO()
        torch.save(content, file)
        return file.getvalue()

    return {
        f"{ROOT}/{folder}/{number:06}_nets.ckpt": saved({name: part(name) for name in NETWORKS}),
        f"{ROOT}/{folder}/{number:06}_embeddings.ckpt": saved({"embedding_matrix": part("embedding_matrix")}),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    counts = np.array([fingerprint(smiles, "count", 1024) for smiles in DRUGS])
    bits = np.array([fingerprint(smiles, "bit", 1024) for smiles in DRUGS[:3]])
    table = pd.DataFrame(
        {"CPD_NAME": [*"cba", "DMSO", "held out"], "SMILES": [*reversed(DRUGS[:3]), "CS(C)=O", DRUGS[3]]}
    )
    members = {
        **checkpoint(Shape(96, 3, **SMALL, noise_dim=16, embedding_dims=(1024,), conditions=(5,)), "bbbc021_six", 100),
        **checkpoint(
            Shape(96, 3, **SMALL, noise_dim=16, embedding_dims=(1024,), conditions=(5,)), "bbbc021_six", 200, counts
        ),
        **checkpoint(
            Shape(32, 3, **SMALL, noise_dim=8, embedding_dims=(1024,), conditions=(3,)), "2024_x_bbbc021_all", 200, bits
        ),
        **checkpoint(Shape(32, 6, **SMALL, noise_dim=8, embedding_dims=(10,), conditions=(3,)), "rxrx1_batch", 100),
        **checkpoint(Shape(32, 5, **SMALL, noise_dim=8, embedding_dims=(10,), conditions=(3,)), "a/cpg0000", 90),
        **checkpoint(Shape(32, 5, **SMALL, noise_dim=8, embedding_dims=(10,), conditions=(3,)), "b/cpg0000", 90, ROWS),
        "IMPA_reproducibility/datasets/bbbc021_all/metadata/bbbc021_df_all.csv": table.to_csv(index=False).encode(),
    }
    folder = tmp_path_factory.mktemp("served")
    sparse_archive(folder / "IMPA_reproducibility.zip", members)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        yield server


def fetch(server: Server, model: ArchiveModel, cache: Path, **how: Any) -> tuple[Path, str]:
    return fetch_archive_model(model, cache, url=server.url("IMPA_reproducibility.zip"), patience=(0, 0), **how)


def test_six_drugs(server: Server, folder: Path, tmp_path: Path) -> None:
    archive = folder / "IMPA_reproducibility.zip"
    assert archive.stat().st_size > HOLE
    with pytest.raises(ModelError, match=r"not here yet \(212 MB\).*models fetch impa-bbbc021-six"):
        catalog.load_model(SIX.name, tmp_path)
    told: list[tuple[int, int, str]] = []
    path, remark = fetch(server, SIX, tmp_path, watch=Reported(lambda *one: told.append(one)))
    assert remark == ""
    model = catalog.load_model(SIX.name, tmp_path)
    assert model.conditions == ("AZ138", "AZ258", "cytochalasin B", "taxol", "vincristine")
    assert (model.control, model.channels, model.name) == ("DMSO", ("DNA", "tubulin", "actin"), SIX.name)
    assert [one.kind for one in model.descriptions] == ["count"]
    assert np.array_equal(model.embedding("taxol")[0], fingerprint(DRUGS[3], "count", 1024))  # the fourth row
    needed = sum(
        (tmp_path / "models" / SIX.name / f"000200_{part}.ckpt").stat().st_size for part in ("nets", "embeddings")
    )
    print(f"{server.sent:,} bytes moved of an archive of {archive.stat().st_size:,}; the checkpoint has {needed:,}.")
    assert server.sent < needed + 70_000 < 3_000_000
    assert told[-1][2] == "making the model"
    entry = catalog.find_entry(SIX.name, tmp_path)
    assert entry is not None
    assert entry.path == path
    assert entry.card.citation.startswith("Palma")


def test_names_by_fingerprint_from_the_table_of_its_training(server: Server, tmp_path: Path) -> None:
    path, remark = fetch(server, ALL, tmp_path)
    model = IMPA.load(path)
    assert remark == ""
    assert model.conditions == ("a", "b", "c")  # not the order of the table
    assert model.unseen == ("held out",)
    assert [one.kind for one in model.descriptions] == ["bit"]


def test_numbers_until_a_table_is_given(server: Server, tmp_path: Path) -> None:
    path, remark = fetch(server, RXRX1, tmp_path)
    assert "models fetch impa-rxrx1-batch --names TABLE" in remark
    model = IMPA.load(path)
    assert (model.conditions[0], model.task, model.control) == ("condition 1", "batch", None)
    table = tmp_path / "batches.csv"
    table.write_text("BATCH,x\nHUVEC-02,1\nHUVEC-01,1\nHUVEC-03,1\n")
    asked = len(server.requests)
    path, remark = fetch(server, RXRX1, tmp_path, names=table)
    assert (IMPA.load(path).conditions, remark) == (("HUVEC-01", "HUVEC-02", "HUVEC-03"), "")
    assert len(server.requests) == asked  # what was fetched is enough
    table.write_text("BATCH,x\nHUVEC-02,1\n")
    with pytest.raises(ConditionError, match="knows 3 conditions"):
        fetch(server, RXRX1, tmp_path, names=table)


def test_several_folders_that_fit_are_listed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"2 folders fit.*--member: .*/a/cpg0000, .*/b/cpg0000"):
        fetch(server, MULTI, tmp_path)
    path, _ = fetch(server, MULTI, tmp_path, member=f"{ROOT}/b/cpg0000", channels=list("abcde"))
    assert IMPA.load(path).channels == tuple("abcde")
    with pytest.raises(FetchError, match=r"no folder 'bbbc021_seven' holds"):
        fetch(server, replace(MULTI, folder="bbbc021_seven"), tmp_path)


KINDS = {"CRISPR": ("g1", "g2"), "Compound": ("d1", "d2", "d3"), "ORF": ("g1", "o2")}


@pytest.fixture
def kinds(tmp_path: Path) -> Iterator[Server]:
    """An archive with the model of three kinds of perturbation, once with its table, and a table under other names."""
    shape = Shape(32, 5, **SMALL, noise_dim=8, embedding_dims=(4, 5, 6), conditions=(2, 3, 2))
    rows = [(name, kind) for kind, names in KINDS.items() for name in (*names, "DMSO")]
    frame = pd.DataFrame(rows, columns=["sample", "treatment"]).assign(plate="x", well=range(len(rows)))
    table = frame.to_csv(index=False)
    served = tmp_path / "served"
    served.mkdir()
    members = checkpoint(shape, "cpg0000", 90)
    sparse_archive(served / "bare.zip", members, hole=0)
    members["IMPA_reproducibility/datasets/cpg0000/metadata/metadata_large_gene2vec.csv"] = table.encode()
    sparse_archive(served / "whole.zip", members, hole=0)
    (tmp_path / "own.csv").write_text(table.replace("sample", "what").replace("treatment", "how"))
    with Server(served) as server:
        yield server


NAMED = ("CRISPR g1", "CRISPR g2", "Compound d1", "Compound d2", "Compound d3", "ORF g1", "ORF o2")


def test_kinds_of_perturbation_are_named_and_described_by_tables(kinds: Server, tmp_path: Path) -> None:
    path, remark = fetch_archive_model(MULTI, tmp_path, url=kinds.url("whole.zip"), patience=())
    model = IMPA.load(path)
    assert remark == ""
    assert (model.conditions, model.control) == (NAMED, "DMSO")
    assert [(one.modality, one.kind) for one in model.descriptions] == [(kind, "table") for kind in KINDS]
    new = NewCondition("new", vector=[0.0] * 5, modality="Compound")
    assert model.embedding(new)[1] == 1


def test_kinds_of_perturbation_are_named_by_a_table_of_other_columns(kinds: Server, tmp_path: Path) -> None:
    how: dict[str, Any] = {"url": kinds.url("bare.zip"), "patience": ()}
    path, remark = fetch_archive_model(MULTI, tmp_path, **how)
    assert "not in the archive" in remark
    assert "--names TABLE --column COLUMN --modality COLUMN" in remark
    assert [(one.modality, one.kind) for one in IMPA.load(path).descriptions] == [
        (f"modality {number}", "table") for number in (1, 2, 3)
    ]
    asked = len(kinds.requests)
    own = tmp_path / "own.csv"
    with pytest.raises(ConditionError, match="3 modalities"):
        fetch_archive_model(MULTI, tmp_path, names=own, column="well", **how)
    for known in ({"column": "what", "modality": "how"}, {"column": "what"}, {}):
        path, remark = fetch_archive_model(MULTI, tmp_path, names=own, **known, **how)
        assert (IMPA.load(path).conditions, remark) == (NAMED, "")
    described = {"CRISPR": "learned", "Compound": "table", "ORF": "table"}
    fetch_archive_model(MULTI, tmp_path, names=own, column="what", modality="how", description=described, **how)
    assert {one.modality: one.kind for one in IMPA.load(path).descriptions} == described
    assert len(kinds.requests) == asked


def test_a_table_that_does_not_fit_is_told(kinds: Server, tmp_path: Path) -> None:
    model = replace(MULTI, column="plate")
    path, remark = fetch_archive_model(model, tmp_path, url=kinds.url("whole.zip"), patience=())
    assert "has 3 modalities; say which column of the table names them" in remark
    assert IMPA.load(path).conditions[0] == "condition 1"
    with pytest.raises(ConditionError, match="no column 'nothing'"):
        fetch_archive_model(model, tmp_path, url=kinds.url("whole.zip"), patience=(), column="nothing")


def test_the_checkpoint_of_the_other_folder(server: Server, tmp_path: Path) -> None:
    def taken(member: str) -> str:
        return IMPA.load(fetch(server, MULTI, tmp_path, member=member)[0]).hash

    first, second = taken(f"{ROOT}/a/cpg0000"), taken(f"{ROOT}/b/cpg0000")
    assert first != second
    fetched_models.remove(MULTI.name, tmp_path)
    assert taken(f"{ROOT}/a/cpg0000") == first


def test_the_parts_of_two_checkpoints_are_never_mixed(server: Server, tmp_path: Path) -> None:
    def stop(done: int, of: int, what: str) -> None:
        if what == MULTI.name and done == of:
            raise KeyboardInterrupt

    table = tmp_path / "three.csv"
    table.write_text("CPD_NAME\na\nb\nc\n")
    fetch(server, MULTI, tmp_path, member=f"{ROOT}/a/cpg0000")
    with pytest.raises(KeyboardInterrupt):
        fetch(server, MULTI, tmp_path, member=f"{ROOT}/b/cpg0000", watch=Reported(stop))
    with pytest.raises(FetchError, match="2 folders fit"):
        fetch(server, MULTI, tmp_path, names=table)
    path, _ = fetch(server, MULTI, tmp_path, names=table, member=f"{ROOT}/b/cpg0000")
    whole = fetch(server, MULTI, tmp_path / "other", names=table, member=f"{ROOT}/b/cpg0000")[0]
    assert IMPA.load(path).hash == IMPA.load(whole).hash


def test_a_fingerprint_of_the_other_kind_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not described by bit fingerprints"):
        fetch(server, replace(SIX, description="bit"), tmp_path)
    assert not SIX.path(tmp_path).exists()


def test_fetching_goes_on(server: Server, tmp_path: Path) -> None:
    server.faults.extend([*[None] * 5, ("cut", 100_000), *[("cut", 0)] * 9])
    with pytest.raises(FetchError):
        fetch(server, SIX, tmp_path)
    held = next((tmp_path / "models" / SIX.name).glob("*.partial")).stat().st_size
    server.faults.clear()
    told: list[int] = []
    fetch(server, SIX, tmp_path, watch=Reported(lambda done, of, what: told.append(done)))
    assert held > 30_000
    assert held < told[1] < held + 5000  # beside the embeddings, which came before
    assert not list((tmp_path / "models" / SIX.name).glob("*.partial"))


def test_removed_and_fetched_again_it_is_compared_with_what_it_was(server: Server, tmp_path: Path) -> None:
    fetch(server, SIX, tmp_path)
    freed = fetched_models.remove(SIX.name, tmp_path)
    entry = catalog.find_entry(SIX.name, tmp_path)
    assert freed > 1_000_000
    assert entry is not None
    assert not entry.is_here
    record = tmp_path / "models" / SIX.name / "000200_nets.ckpt.json"
    record.write_text(record.read_text().replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(FetchError, match="SHA-256 differs"):
        fetch(server, SIX, tmp_path)


@given(st.lists(st.sampled_from(["cpg0000", "cpg0000_batch", "x_cpg0000", "cpg0000_batch/checkpoint", "cpg00001"])))
def test_a_folder_fits_by_its_whole_name(folders: list[str]) -> None:
    members = [
        Member(f"r/{folder}/000{epoch}_{part}.ckpt", 0, 1, 1, 0, 0)
        for folder in dict.fromkeys(folders)
        for epoch in (100, 150)
        for part in ("nets", "embeddings")
    ]
    for name, fitting in (("impa-cpg0000", {"cpg0000", "x_cpg0000"}), ("impa-cpg0000-batch", {"cpg0000_batch"})):
        there = {folder for folder in folders if folder.removesuffix("/checkpoint") in fitting}
        if len(there) == 1:
            found = find_checkpoint(members, by_name()[name])
            assert found["nets"].name == f"r/{there.pop()}/000150_nets.ckpt"
        else:
            with pytest.raises(FetchError):
                find_checkpoint(members, by_name()[name])
