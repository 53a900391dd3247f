"""The catalog: what is in the package, in the cache and on servers; cards; models from colleagues."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from local_server import Server, sparse_archive
from safetensors.torch import save_file

from napari_impa.cache import CACHE
from napari_impa.cli import main
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.model.tensor_file import HEADER, read_tensors
from napari_impa.engine.published.checkpoint_folder import NETWORKS
from napari_impa.errors import FetchError, ModelError
from napari_impa.fetching import archive, image_sets
from napari_impa.fetching.members import sha256_of
from napari_impa.watch import UNWATCHED
from napari_impa.work import catalog
from napari_impa.work.fetched import fetched_models

CARD = """---
title: NFκB under TNFα
author: A. Colleague
license: CC-BY-4.0
tags: [cells]
---

# Another heading

Trained on two wells.
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def small(name: str = "small", **how: Any) -> IMPA:
    shape = Shape(size=16, channels=2, width=2, embedding_dims=(4,), conditions=(2,))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(len(name)))
    limits = np.array([[0.0, 255.0]] * 2)
    return IMPA(networks, channels="ab", conditions=("x", "y"), limits=limits, control="c", name=name, **how)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    served = tmp_path / "served"
    small("colleague", card=CARD).save(served / "their-model.impa")
    (served / "page.impa").write_bytes(b"<html>not found</html>")
    with Server(served) as server:
        yield server


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command of the command line; what it prints."""

    def run(*arguments: object) -> str:
        with contextlib.suppress(SystemExit):
            main.main([str(one) for one in arguments])
        said = capsys.readouterr()
        return said.out + said.err

    return run


def test_everything_is_listed_with_a_name_of_its_own() -> None:
    entries = catalog.catalog()
    assert len({entry.name for entry in entries}) == len(entries)
    assert {entry.kind for entry in entries} == {"bundled", "published", "images"}
    for entry in entries:
        assert entry.is_here == (entry.kind == "bundled")
        assert entry.bytes > 0
        assert entry.title
        assert entry.channels
        if entry.kind != "bundled":
            assert entry.card.licence
            assert entry.card.citation
            assert "to fetch" in entry.description
    assert entries[0].name == catalog.DEFAULT_MODEL


def test_a_bundled_model_is_any_file_with_a_card_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small().save(tmp_path / "nfkb-tnfa.impa")
    small().save(tmp_path / "plain-one.impa")
    (tmp_path / "nfkb-tnfa.md").write_text(CARD, encoding="utf-8")
    monkeypatch.setattr(catalog, "BUNDLED", tmp_path)
    catalog.bundled_models.cache_clear()
    try:
        one, other = catalog.bundled_models()
        assert (one.title, one.card.licence, one.task) == ("NFκB under TNFα", "CC-BY-4.0", "perturbation")
        assert other.title == "Plain one"
        assert Card.parse(catalog.load_model("nfkb-tnfa").card) == one.card
    finally:
        catalog.bundled_models.cache_clear()


def test_a_model_of_a_colleague_by_its_address(server: Server, own_cache: Path, run: Callable[..., str]) -> None:
    url = server.url("their-model.impa")
    right = sha256_of(server.folder / "their-model.impa")
    assert "SHA-256 differs" in run("models", "fetch", url, "--sha256", "0" * 64)
    assert list((own_cache / "models").iterdir()) == []
    assert "Saved" in run("models", "fetch", url, "--sha256", right)
    assert catalog.load_model("their-model").conditions == ("x", "y")
    said = run("models", "info", "their-model")
    assert "Author: A. Colleague" in said
    assert "Trained on two wells." in said
    listed = next(line for line in run("models", "list").splitlines() if line.startswith("their-model "))
    assert listed.split()[-1] == "here"
    assert "Saved" in run("models", "fetch", url)  # the same again
    small("another").save(server.folder / "their-model.impa")
    assert "models remove their-model" in run("models", "fetch", url)
    assert "MB freed" in run("models", "remove", "their-model")
    assert catalog.find_entry("their-model") is None


@pytest.mark.parametrize("name", ["page.impa", "none.impa", "table.csv", ".impa"])
def test_what_is_no_model_is_refused(server: Server, own_cache: Path, name: str) -> None:
    with pytest.raises((FetchError, ModelError), match=r"no model of napari-impa|HTTP 404|not the address of a model"):
        fetched_models.fetch_model(server.url(name))
    assert not own_cache.exists() or not [path for path in own_cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["simulated-screen", "Impa-cpg0000", "bbbc014"])
def test_a_name_of_our_own_is_refused(server: Server, own_cache: Path, run: Callable[..., str], name: str) -> None:
    small().save(server.folder / f"{name}.impa")
    assert f"cannot be kept as {name}" in run("models", "fetch", server.url(f"{name}.impa"))
    assert not server.requests
    stray = small().save(own_cache / "models" / f"{name}.impa")  # as an older version kept it
    entries = [entry.name for entry in catalog.catalog()]
    assert len(set(map(str.casefold, entries))) == len(entries)
    if name == catalog.DEFAULT_MODEL:
        assert "MB freed" in run("models", "remove", name)
        assert not stray.exists()
        assert "comes with napari-impa" in run("models", "remove", name)


def broken(path: Path, text: str | None = None, **values: Any) -> Path:
    """A model file whose header says something else, or is another text."""
    tensors, header = read_tensors(small().save(path))
    save_file(tensors, path, metadata={HEADER: json.dumps({**header, **values}) if text is None else text})
    return path


BROKEN: dict[str, dict[str, Any]] = {
    "no JSON": {"text": "{"},
    "no table": {"text": "[]"},
    "deep": {"text": "[" * 100_000},
    "size": {"shape": {"size": "wide"}},
    "endless": {"shape": {"size": float("inf")}},
    "shape": {"shape": [16]},
    "channels": {"channels": None},
    "counts": {"counts": "many"},
    "weights": {"shape": {"size": 16, "channels": 2, "width": 3, "embedding_dims": [4], "conditions": [2]}},
    "newer": {"format": 99},
}


@pytest.mark.parametrize("how", BROKEN)
def test_only_a_whole_model_is_kept(server: Server, own_cache: Path, how: str) -> None:
    broken(server.folder / "bad.impa", **BROKEN[how])
    with pytest.raises(ModelError, match=r"no model of napari-impa \(bad.impa "):
        fetched_models.fetch_model(server.url("bad.impa"))
    assert list((own_cache / "models").iterdir()) == []
    with pytest.raises(ModelError, match=r"^bad.impa "):
        catalog.load_model(server.folder / "bad.impa")


@pytest.mark.parametrize("how", ["cut", *BROKEN])
def test_a_damaged_file_breaks_nothing_else(server: Server, own_cache: Path, run: Callable[..., str], how: str) -> None:
    path = own_cache / "models" / "their-model.impa"
    small().save(path.with_name("other.impa"))
    if how == "cut":
        small().save(path)
        path.write_bytes(path.read_bytes()[:-100])
    else:
        broken(path, **BROKEN[how])
    listed = run("models", "list")
    assert "other " in listed
    assert catalog.load_model("other").conditions == ("x", "y")
    assert "Traceback" not in run("models", "info", "their-model")
    with pytest.raises(ModelError):
        catalog.load_model("their-model")
    if "their-model" in listed:  # its header can be read
        return
    assert "models remove their-model" in run("models", "info", "their-model")
    assert "Saved" in run("models", "fetch", server.url("their-model.impa"))
    assert catalog.load_model("their-model").card == CARD
    path.write_bytes(b"damaged")
    assert "MB freed" in run("models", "remove", "their-model")
    assert not path.exists()


def test_remove_takes_names_not_paths(own_cache: Path, run: Callable[..., str], tmp_path: Path) -> None:
    path = small().save(tmp_path / "mine.impa")
    (own_cache / "models").mkdir(parents=True)
    for name in ("../../mine", tmp_path / "mine"):
        assert "nothing of that name" in run("models", "remove", name)
    assert path.exists()


def test_a_damaged_published_model_is_made_again(own_cache: Path, run: Callable[..., str], tmp_path: Path) -> None:
    shape = Shape(size=96, channels=3, width=2, style_dim=3, embedding_dims=(8,), conditions=(5,))
    networks = Networks(shape)
    networks.table(0).weight.data = torch.arange(40.0).reshape(5, 8)
    parts = {name: networks.get_submodule(name).state_dict() for name in NETWORKS}
    saved = [("nets", parts), ("embeddings", {"embedding_matrix": networks.embedding_matrix.state_dict()})]
    members = {}
    for part, content in saved:
        torch.save(content, tmp_path / part)
        members[f"r/bbbc021_six/000200_{part}.ckpt"] = (tmp_path / part).read_bytes()
    sparse_archive(tmp_path / "a.zip", members, hole=0)
    with Server(tmp_path) as server:
        command = ("models", "fetch", "impa-bbbc021-six", "--archive", server.url("a.zip"))
        assert "Saved" in run(*command)
        asked = len(server.requests)
        assert "is here" in run(*command)
        path = own_cache / "models" / "impa-bbbc021-six.impa"
        path.write_bytes(path.read_bytes()[:-100])
        assert "models fetch impa-bbbc021-six" in run("models", "info", "impa-bbbc021-six")
        assert "Saved" in run(*command)
        assert catalog.load_model("impa-bbbc021-six").conditions[0] == "AZ138"
        assert len(server.requests) == asked  # its members are there
    path.write_bytes(b"damaged")
    assert "MB freed" in run("models", "remove", "impa-bbbc021-six")
    assert not path.exists()


def test_commands_say_what_can_be_done(run: Callable[..., str]) -> None:
    assert "impa-bbbc021-six" in run("models", "fetch", "nothing")
    assert "comes with napari-impa" in run("models", "remove", catalog.DEFAULT_MODEL)
    assert "nothing of that name" in run("models", "remove", "nothing")
    assert "models fetch impa-rxrx1-batch" in run("models", "info", "impa-rxrx1-batch")
    assert "Ilya Ravkin" in run("models", "info", "bbbc014")
    assert "models fetch impa-cpg0000" in run("predict", "impa-cpg0000", "x", "--to", "y", "--out", "z")


def test_sample_images_are_fetched_and_removed(
    run: Callable[..., str], tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tif").write_bytes(b"pixels")
    with Server(tmp_path) as server:
        one = image_sets.RemoteImage("a.tif", server.url("a.tif"), sha256_of(tmp_path / "a.tif"), 6)
        few = image_sets.ImageSet("few", "Few", ("a",), (one,), "CC0-1.0", "Nobody 2020.", "https://here")
        monkeypatch.setattr(image_sets, "IMAGE_SETS", (few,))
        for module in (catalog, fetched_models):
            monkeypatch.setattr(module, "IMAGE_SETS", (few,))
        assert "Cite: Nobody 2020." in run("models", "fetch", "few")
    entry = catalog.find_entry("few")
    assert entry is not None
    assert entry.path == own_cache / "images" / "few"
    run("models", "remove", "few")
    assert not few.is_here(own_cache)


def test_without_a_network(run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(tmp_path) as server:
        address = server.url("archive.zip")
    monkeypatch.setattr(archive.RemoteFile.__init__, "__kwdefaults__", {"watch": UNWATCHED, "patience": ()})
    monkeypatch.setattr(
        archive.fetch_archive_model, "__kwdefaults__", archive.fetch_archive_model.__kwdefaults__ | {"patience": ()}
    )
    said = run("models", "fetch", "impa-bbbc021-six", "--archive", address)
    assert "127.0.0.1 cannot be reached" in said
    assert "Traceback" not in said


def test_export_writes_the_card_into_the_file(tmp_path: Path, run: Callable[..., str]) -> None:
    model = small("mine").save(tmp_path / "mine.impa")
    out = tmp_path / "shared.impa"
    said = run("models", "export", model, "--out", out, "--title", "Mine", "--description", "Of one plate.", "--half")
    assert "does not say: author, licence; give it as --author" in said
    assert out.stat().st_size < model.stat().st_size / 2
    loaded = IMPA.load(out)
    assert loaded.name == "shared"
    assert Card.parse(loaded.card) == Card("Mine", text="Of one plate.")
    (tmp_path / "card.md").write_text(CARD, encoding="utf-8")
    assert "exists already" in run("models", "export", model, "--out", out)
    run("models", "export", model, "--out", out, "--card", tmp_path / "card.md", "--doi", "10.1/2", "--overwrite")
    said = run("models", "info", out)
    for line in ("Author: A. Colleague", "Licence: CC-BY-4.0", "DOI: 10.1/2", "Trained on two wells."):
        assert line in said


def test_older_files_have_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_impa.engine.model import model_file

    whole = model_file.header
    monkeypatch.setattr(model_file, "header", lambda model: {k: v for k, v in whole(model).items() if k != "card"})
    assert IMPA.load(small().save(tmp_path / "old.impa")).card == ""


LINES = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30).map(str.strip)


@given(st.builds(Card, *[LINES] * 5), st.lists(LINES, max_size=4))
def test_a_card_comes_back_as_it_was(card: Card, lines: list[str]) -> None:
    plain = {name: " ".join(value.split()).strip("\"' ") for name, value in vars(card).items()}
    text = "\n".join(line for line in lines if not line.startswith(("---", "#"))).strip()
    card = Card(**{**plain, "text": text})
    assert Card.parse(card.markdown()) == card


@given(st.text(max_size=200))
def test_any_text_is_a_card(text: str) -> None:
    assert isinstance(Card.parse(text), Card)


def test_the_first_heading_is_a_title() -> None:
    assert Card.parse("some words\n\n# A title\n\nmore").title == "A title"
