"""Packages of bioimage.io: valid, self-contained, and there only when they are whole."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from napari_impa.cells.store import Cells
from napari_impa.engine.describing.fingerprint import BitFingerprint
from napari_impa.engine.describing.new_condition import NewCondition
from napari_impa.engine.model.card import Card
from napari_impa.engine.model.model import IMPA
from napari_impa.errors import CellsError, ConditionError, MissingDependencyError, ModelError
from napari_impa.work.bioimageio import package
from napari_impa.work.bioimageio.package import export_bioimageio

RUN = """
import json, sys, numpy, torch
made = torch.jit.load("weights.pt")(torch.from_numpy(numpy.load("test-input.npy"))).numpy()
error = float(abs(made - numpy.load("test-output.npy")).max())
print(json.dumps([error, any(name.startswith("napari_impa") for name in sys.modules)]))
"""


@pytest.fixture
def spec() -> object:
    return pytest.importorskip("bioimageio.spec", reason="packages are made by bioimageio.spec (extra bioimageio)")


@pytest.mark.usefixtures("spec")
def test_a_package_is_whole_and_runs_without_us(make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path) -> None:
    model = make_model(relative_style=1)
    made = export_bioimageio(tmp_path / "poisons", model, cells, "µ-poison 5")  # the other mu
    assert made.path == tmp_path / "poisons.zip"
    assert [path.name for path in tmp_path.iterdir()] == ["poisons.zip"]
    assert all("maintainers" in line for line in made.warnings)
    with ZipFile(made.path) as file:
        file.extractall(tmp_path)
    pixels = np.load(tmp_path / "test-input.npy")
    np.testing.assert_array_equal(pixels, model.fit(cells.controls()).pixels)
    wanted = model.predict(cells.controls(), "μ-poison 5", variability=0).pixels
    np.testing.assert_allclose(np.load(tmp_path / "test-output.npy"), wanted, rtol=0, atol=0.1)
    with Image.open(tmp_path / "cover.png") as cover:
        assert cover.size == (640, 320)
    ran = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", RUN], cwd=tmp_path, capture_output=True, text=True
    )
    error, ours = json.loads(ran.stdout)
    assert error < 1e-2
    assert not ours


def test_it_says_what_the_card_and_the_model_say(
    spec: object, make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path
) -> None:
    made = export_bioimageio(tmp_path / "p.zip", make_model(), cells, "μ-poison 5")
    with ZipFile(made.path) as file:
        said = spec.load_description(file)  # type: ignore[attr-defined]
        guide = file.read("README.md").decode()
    assert said.name == "Poisons - mu-poison 5"
    assert [author.name for author in said.authors] == ["A. Name, Lab", "B. Name"]
    assert said.license == "CC-BY-4.0"
    assert [entry.doi for entry in said.cite] == ["10.1038/s41467-024-55707-8", "10.5281/zenodo.0000000"]
    axes = {axis.type if axis.type != "space" else axis.id: axis for axis in said.inputs[0].axes}
    assert list(axes["channel"].channel_names) == ["DNA", "actin", "tubulin"]
    assert (axes["y"].size, axes["x"].scale, axes["x"].unit) == (24, 0.65, "micrometer")
    for words in ("Trained on two wells.", "Cite: Name et al.", "1,200 cells of μ-poison 5.", "| actin | 0 | 999 |"):
        assert words in guide


def test_of_batches_it_says_that_they_are_told_from_the_cell(
    spec: object, make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path
) -> None:
    model = make_model(task="batch", relative_style=2, card="")
    made = export_bioimageio(tmp_path / "p.zip", model, cells, "batch 2", card=Card())
    with ZipFile(made.path) as file:
        said, guide = spec.load_description(file), file.read("README.md").decode()  # type: ignore[attr-defined]
    assert said.license is None
    assert any("license" in line for line in made.warnings)
    assert "batch-correction" in said.tags
    assert "Which batch a cell comes from is told from the cell." in guide


@pytest.mark.usefixtures("spec")
def test_a_compound_that_is_new(make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    model = make_model(descriptions=(BitFingerprint(""),), e=1024)
    made = export_bioimageio(tmp_path / "p.zip", model, cells, NewCondition("CC(/C)=O", smiles="CC(C)=O"))
    with ZipFile(made.path) as file:
        assert "No cell of CC(/C)=O: the model knows it by its description alone." in file.read("README.md").decode()


@pytest.mark.usefixtures("spec")
def test_what_is_wrong_is_said_and_nothing_is_left(
    make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path
) -> None:
    model, out = make_model(), tmp_path / "p.zip"
    licence, doi = replace(Card.parse(model.card), licence="mine"), replace(Card.parse(model.card), doi="zenodo")
    treated = cells.take(np.flatnonzero(~cells.is_control))
    for error, words, arguments, card in (
        (ConditionError, "does not know 'taxol'", (cells, "taxol"), None),
        (ConditionError, "no control cells to test the package with", (treated, "shrinkage"), None),
        (ModelError, "'mine' is no current SPDX name", (cells, "shrinkage"), licence),
        (ModelError, "'zenodo' is no DOI", (cells, "shrinkage"), doi),
    ):
        with pytest.raises(error, match=words):
            export_bioimageio(out, model, *arguments, card=card)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("spec")
def test_where_it_cannot_be_written(make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path) -> None:
    model, old = make_model(), tmp_path / "old.zip"
    old.write_text("old")
    (tmp_path / "folder.zip").mkdir()
    for path, words, overwrite in (
        (old, "exists already", False),
        (tmp_path / "folder.zip", "exists already", True),
        (tmp_path / "p.tar", "is a .zip file, not p.tar", False),
        (old / "p.zip", "cannot be written", False),
    ):
        with pytest.raises(CellsError, match=words):
            export_bioimageio(path, model, cells, "shrinkage", overwrite=overwrite)
    assert old.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.zip", "old.zip"]


@pytest.mark.usefixtures("spec")
def test_what_bioimageio_refuses_leaves_the_old(
    make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = package.description
    monkeypatch.setattr(package, "description", lambda *given, **named: {**whole(*given, **named), "inputs": []})
    (tmp_path / "old.zip").write_text("old")
    with pytest.raises(ModelError, match=r"bioimageio.spec refuses the package: .*inputs"):
        export_bioimageio(tmp_path / "old.zip", make_model(), cells, "shrinkage", overwrite=True)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_without_the_library_it_is_said_how_to_install_it(
    make_model: Callable[..., IMPA], cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bioimageio.spec", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "napari-impa\[bioimageio\]"'):
        export_bioimageio(tmp_path / "p.zip", make_model(), cells, "shrinkage")
