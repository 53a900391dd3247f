"""`napari-impa train --from MODEL --describe …`: a finished model that takes SMILES afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.store import Cells, open_cells
from napari_impa.cli import main
from napari_impa.work.catalog import load_model

SMILES = {"methanol": "CO", "ethanol": "CCO", "propanol": "CCCO", "hexane": "CCCCCC"}


def run(*arguments: object) -> None:
    main.main([str(argument) for argument in arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as stop:
        run("train", *arguments)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plate whose table has SMILES, a model that learned its compounds by name, and a table of their SMILES."""
    folder = tmp_path_factory.mktemp("chemistry")
    names = np.array(["DMSO", *SMILES]).repeat(4)
    table = pd.DataFrame({"compound": names, "smiles": [SMILES.get(name, "") for name in names]})
    pixels = np.random.default_rng(0).integers(0, 4000, (20, 2, 24, 24)).astype(np.uint16)
    Cells(pixels, table, ("DNA", "actin"), None, ("compound",), "DMSO").save(folder / "plate.cells")
    options = ["--size", 24, "--steps", 1, "--batch-size", 2, "--style-dim", 8, "--device", "cpu"]
    run("train", folder / "plate.cells", "--out", folder / "run", "--hold-out", "compound=hexane", *options)
    pd.Series(SMILES, name="smiles").to_csv(folder / "smiles.csv", index_label="compound")
    return folder


def test_a_finished_model_takes_smiles_afterwards(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "described"
    run("train", "--from", folder / "run", "--describe", folder / "smiles.csv", "--out", new)
    shown = capsys.readouterr().out
    assert "Fitted 3 conditions by bit fingerprints. Left out in turn" in shown
    assert "Known by description alone, and not trained on: hexane." in shown
    assert shown.endswith(f"Saved {new / 'model.impa'}.\n")
    run("predict", new, folder / "plate.cells", "--smiles", "CCN", "--to", "hexane", "--out", tmp_path / "y.cells")
    assert list(open_cells(tmp_path / "y.cells").table["predicted"].unique()) == ["hexane", "CCN"]
    run("models", "info", new)
    shown = capsys.readouterr().out
    assert "Conditions: bit" in shown
    assert "Described afterwards by smiles.csv, 2" in shown
    assert "Trained for 1 steps" in shown
    # and a training goes on from it, as from one that was described from the beginning
    how = ["--description", "bit", "--size", 24, "--steps", 1, "--batch-size", 2, "--style-dim", 8, "--device", "cpu"]
    run("train", folder / "plate.cells", "--from", new, "--out", tmp_path / "on", "--hold-out", "compound=hexane", *how)
    assert "which knows 3 of 3 conditions" in capsys.readouterr().out


def test_the_plate_alone_suffices(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plate, out = folder / "plate.cells", tmp_path / "a.impa"
    run("train", plate, "--from", folder / "run", "--describe", "count", "--out", out, "--smiles", "smiles")
    assert "20 cells of" in capsys.readouterr().out
    assert load_model(out).descriptions[0].kind == "count"
    named = ["--description", "count", "--out", tmp_path / "b.impa"]
    run("train", plate, "--from", folder / "run", "--describe", folder / "smiles.csv", *named)
    assert "the plate is not read" in capsys.readouterr().out
    assert load_model(tmp_path / "b.impa").hash == load_model(out).hash


def test_what_is_missing_or_says_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, model, out = folder / "smiles.csv", folder / "run", tmp_path / "out"
    assert "give --from MODEL, and --out" in refused(capsys, "--describe", table, "--out", out)
    assert "give --from MODEL, and --out" in refused(capsys, "--describe", table, "--from", model)
    what = ["--from", model, "--describe", table, "--out", out]
    assert "leave --dry-run and --steps out" in refused(capsys, *what, "--steps", 5, "--dry-run")
    assert "leave --hold-out out" in refused(capsys, *what, "--hold-out", "compound=hexane")
    assert "one kind of perturbation" in refused(capsys, *what, "--description", "compound=bit")
    assert "needs the plate" in refused(capsys, "--from", model, "--describe", "bit", "--out", out)
    assert "give SOURCE" in refused(capsys, "--out", out)
    assert not out.exists()
    (out / "x").mkdir(parents=True)
    assert "exists already" in refused(capsys, "--from", "none", *what[2:])  # before anything is read
    assert "There is no model 'none'" in refused(capsys, "--from", "none", *what[2:-1], tmp_path / "other")
    (tmp_path / "bad.csv").write_text("compound,smiles\nmethanol,C1CC\nethanol,CCO\npropanol,CCCO\n")
    bad = ["--from", model, "--describe", tmp_path / "bad.csv", "--out", tmp_path / "other"]
    assert "'C1CC' cannot be read as a SMILES" in refused(capsys, *bad)
    (tmp_path / "file").write_text("")
    inside = ["--from", model, "--describe", table, "--out", tmp_path / "file" / "inside"]
    assert "cannot be made" in refused(capsys, *inside)
