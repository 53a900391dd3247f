"""The command line as a user types it: what it prints, its exit codes, and one sentence for what can be mended."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from local_server import Server, sparse_archive

from napari_impa.cache import CACHE
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cli import main
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.errors import FetchError
from napari_impa.work.catalog import load_model


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail with exit code 2 and one line; return the line."""
    with pytest.raises(SystemExit) as stop:
        main.main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("napari-impa: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.cells` folder of 6 × 24 simulated cells of 32 px on two plates."""
    cells = simulated_cells(24, size=32, seed=3, plates=2)
    return cells.save(tmp_path_factory.mktemp("screen") / "screen.cells")


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    options = ["--size", "32", "--steps", "2", "--batch-size", "2", "--hold-out", "plate=sim-B", "--device", "cpu"]
    main.main(["train", str(source), "--out", str(folder), *options])
    return folder


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """A folder with one field and its table."""
    folder = tmp_path / "plate"
    folder.mkdir()
    image = np.random.default_rng(0).integers(0, 4000, (2, 64, 64)).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", image, imagej=True, metadata={"axes": "CYX"})
    pd.DataFrame({"file": ["a.tif"], "compound": ["DMSO"]}).to_csv(folder / "metadata.csv", index=False)
    return folder


def test_train_predict_evaluate(source: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "after.cells"
    main.main(
        ["predict", str(run), str(source), "--to", "shrinkage", "mitotic arrest", "--out", str(out), "--seed", "4"]
    )
    after = open_cells(out)
    assert len(after) == 48
    assert set(after.table["predicted"]) == {"shrinkage", "mitotic arrest"}
    assert after.history["seed"] == 4
    assert after.pixels.dtype == np.uint16
    assert "24 of 144 cells are controls (DMSO)" in capsys.readouterr().out
    alone = open_cells(source).controls().save(tmp_path / "controls.cells")
    main.main(["predict", str(run), str(alone), "--to", "shrinkage", "--out", str(tmp_path / "other")])
    assert "24 of 24 cells are controls (DMSO)" in capsys.readouterr().out


def test_a_package_for_other_programs(
    source: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("bioimageio.spec", reason="packages are made by bioimageio.spec (extra bioimageio)")
    out = tmp_path / "p.zip"
    command = ["models", "export-bioimageio", run, source, "--out", out, "--author", "A. Name"]
    assert "give --to or --smiles, not both" in fails(capsys, *command, "--to", "shrinkage", "--smiles", "CCO")
    assert "does not know 'taxol'" in fails(capsys, *command, "--to", "taxol")
    main.main([str(word) for word in (*command, "--to", "shrinkage")])
    said = capsys.readouterr().out
    for words in (
        f"Saved {out} (",
        "cells under shrinkage.",
        "bioimageio.spec warns: ",
        "does not say: title, licence; give it",
    ):
        assert words in said
    assert "exists already" in fails(capsys, *command, "--to", "shrinkage")


def test_train_batches_on_the_controls_alone(source: Path, tmp_path: Path) -> None:
    options = ["--task", "batch", "--label", "plate", "--where", "compound=DMSO"]
    main.main(["train", str(source), "--out", str(tmp_path / "run"), *options, "--size", "32", "--steps", "1"])
    assert load_model(tmp_path / "run").counts == {"sim-A": 12, "sim-B": 12}


def test_train_from_a_model(source: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--size", "32", "--steps", "1", "--batch-size", "2", "--device", "cpu"]
    main.main(["train", str(source), "--out", str(tmp_path / "run"), "--from", str(run), *options])
    assert "Going on from the model 'run', which knows 5 of 5 conditions." in capsys.readouterr().out
    assert load_model(tmp_path / "run").history["start_from"]["hash"] == load_model(run).hash
    wide = ["train", source, "--out", tmp_path / "wide", "--from", run, *options, "--preset", "small"]
    assert "which has preset tiny, not preset small" in fails(capsys, *wide)
    assert "no model 'nothing'" in fails(
        capsys, "train", source, "--out", tmp_path / "no", "--from", "nothing", *options
    )


def test_runs(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["runs", str(run.parent)])
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["run", "changed", "state", "steps", "gap", "closed", "task", "conditions", "size", "device"]
    assert line.split()[0] == "run"
    assert "complete" in line
    assert "2 of 2" in line
    assert line.endswith("5           32 px  cpu")
    main.main(["runs", str(tmp_path)])
    assert "There is no run in" in capsys.readouterr().out
    (tmp_path / "bad" / "checkpoints").mkdir(parents=True)
    (tmp_path / "bad" / "config.json").write_text("{")
    main.main(["runs", str(tmp_path)])
    assert "bad is damaged: " in capsys.readouterr().out


def test_what_gap_runs_and_models_close_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_model(run)
    for name, said in (("now", {"gap_closed": 0.468, "gap_floor": 0.81}), ("before", {"score": 0.17})):
        shutil.copytree(run, tmp_path / name)
        model.history = {**load_model(run).history, **said}
        model.save(tmp_path / name / "model.impa")
    main.main(["runs", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert "  0.47  " in rows["now"]
    assert "  –  " in rows["before"]
    assert "0.17" not in rows["before"]
    assert "0 is no better than leaving the cells as they are, 1 is as real cells" in lines[-2]
    assert lines[-1].startswith("Scored by an earlier measure")
    assert lines[-1].endswith(": before.")
    main.main(["models", "info", str(tmp_path / "now")])
    words = "Gap closed on held-out cells: 0.47 (0: as the control, 1: as real cells; other real cells 0.81)."
    assert words in capsys.readouterr().out
    main.main(["models", "info", str(tmp_path / "before")])
    assert "Gap closed: not known, as its training was scored by an earlier measure" in capsys.readouterr().out
    main.main(["models", "info", str(run)])  # nothing was held out
    assert "Gap closed" not in capsys.readouterr().out


@pytest.fixture(scope="module")
def chemistry(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Cells with SMILES and doses, and a run on them in which ethanol was held out."""
    folder = tmp_path_factory.mktemp("chemistry")
    names = np.array(["DMSO", "methanol", "ethanol", "propanol"]).repeat(6)
    smiles = {"DMSO": "CS(C)=O", "methanol": "CO", "ethanol": "CCO", "propanol": "CCCO"}
    table = pd.DataFrame({"compound": names, "dose": np.where(names == "DMSO", 0, 5)})
    table["smiles"] = table["compound"].map(smiles)
    pixels = np.random.default_rng(0).integers(0, 4000, (24, 2, 24, 24)).astype(np.uint16)
    source = Cells(pixels, table, ("DNA", "actin")).save(folder / "source.cells")
    options = ["--label", "compound", "dose", "--size", "24", "--steps", "2", "--batch-size", "2", "--device", "cpu"]
    options += ["--description", "count", "--dose", "dose", "--hold-out", "compound=ethanol"]
    options += ["--controls-to-themselves"]
    main.main(["train", str(source), "--out", str(folder / "run"), *options])
    return source, folder / "run"


def test_new_and_held_out_conditions(
    chemistry: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, run = chemistry
    main.main(["models", "info", str(run)])
    shown = capsys.readouterr().out
    assert "Conditions: count with dose" in shown
    assert "ethanol 5: not trained on, known by its description" in shown
    (tmp_path / "new.csv").write_text("name,smiles,dose\nbutanol,CCCCO,2\n")
    new = ["--smiles", "CCO", "--dose", "5", "--new", str(tmp_path / "new.csv")]
    main.main(["predict", str(run), str(source), "--to", "ethanol 5", "DMSO", *new, "--out", str(tmp_path / "y")])
    after = open_cells(tmp_path / "y.cells")
    blocks = after.pixels.reshape(4, 6, *after.pixels.shape[1:])
    assert list(after.table["predicted"].unique()) == ["ethanol 5", "DMSO", "CCO 5", "butanol"]
    np.testing.assert_array_equal(blocks[0], blocks[2])
    assert (blocks[0] != blocks[3]).any()
    assert after.history["new_conditions"][1] == {"name": "butanol", "smiles": "CCCCO", "dose": 2.0}


def test_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    from napari_impa.engine.model.networks import Networks
    from napari_impa.engine.model.shape import Shape
    from napari_impa.engine.published.checkpoint_folder import NETWORKS

    networks = Networks(Shape(24, 2, width=2, style_dim=3, embedding_dims=(5,), conditions=(2,)))
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    torch.save({name: networks.get_submodule(name).state_dict() for name in NETWORKS}, folder / "000200_nets.ckpt")
    torch.save({"embedding_matrix": networks.embedding_matrix.state_dict()}, folder / "000200_embeddings.ckpt")
    (tmp_path / "t.csv").write_text("compound\ntaxol\nDMSO\nnocodazole\ntaxol\n")
    arguments = ["models", "import", str(folder), "--names", str(tmp_path / "t.csv"), "--out", str(tmp_path / "m")]
    main.main([*arguments, "--channels", "DNA", "actin"])
    assert "nocodazole, taxol" in capsys.readouterr().out
    main.main(["models", "info", str(tmp_path / "m.impa")])
    assert "Channels: DNA, actin" in capsys.readouterr().out
    assert "exists already" in fails(capsys, *arguments)
    line = fails(capsys, *arguments[:-1], tmp_path / "n", "--column", "drug")
    assert "no column 'drug'" in line
    assert not (tmp_path / "n.impa").exists()


def test_fetch_and_import_name_conditions_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from napari_impa.engine.model.networks import Networks
    from napari_impa.engine.model.shape import Shape
    from napari_impa.engine.published.checkpoint_folder import NETWORKS

    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    networks = Networks(Shape(24, 2, width=2, style_dim=3, embedding_dims=(5, 4), conditions=(2, 2)))
    folder = tmp_path / "cpg0000"
    folder.mkdir()
    torch.save({name: networks.get_submodule(name).state_dict() for name in NETWORKS}, folder / "000090_nets.ckpt")
    torch.save({"embedding_matrix": networks.embedding_matrix.state_dict()}, folder / "000090_embeddings.ckpt")
    sparse_archive(tmp_path / "a.zip", {f"r/cpg0000/{one.name}": one.read_bytes() for one in folder.iterdir()}, hole=0)
    (tmp_path / "t.csv").write_text("what,how\ntaxol,drug\nMYC,gene\nTP53,gene\nwater,drug\nnocodazole,drug\n")
    said = ["--names", tmp_path / "t.csv", "--column", "what", "--modality", "how", "--control", "water"]
    said += ["--description", "drug=table", "gene=learned", "--channels", "DNA", "actin"]
    with Server(tmp_path) as server:
        archive = ["--archive", server.url("a.zip")]
        line = fails(capsys, "models", "fetch", "impa-cpg0000", *archive, *said[:6], "--control", "tea")
        assert "the table names 3 beside the control 'tea'" in line
        main.main([str(one) for one in ["models", "fetch", "impa-cpg0000", *archive, *said]])
    main.main([str(one) for one in ["models", "import", folder, "--out", tmp_path / "m.impa", *said]])
    capsys.readouterr()
    for name in ("impa-cpg0000", tmp_path / "m.impa"):
        main.main(["models", "info", str(name)])
        shown = capsys.readouterr().out
        for line in ("Channels: DNA, actin", "Control: water", "drug: table", "gene: learned"):
            assert line in shown
        assert load_model(name).conditions == ("nocodazole", "taxol", "MYC", "TP53")


def test_every_training_setting_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["train", "--help"])
    shown = capsys.readouterr().out
    for entry in dataclasses.fields(TrainingSettings):
        assert f"--{entry.name.replace('_', '-')}" in shown
    assert "COLUMN=VALUE" in shown
    assert "width of the networks" in shown


def test_help_needs_no_torch() -> None:
    code = "import sys, napari_impa.cli.main; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_models(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["models", "list"])
    assert "simulated-screen" in capsys.readouterr().out
    main.main(["models", "info", str(run)])
    shown = capsys.readouterr().out
    assert "Control: DMSO, 12 cells" in shown
    assert "Held out: plate = sim-B" in shown


def test_evaluate_writes_the_table_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = simulated_cells(44, size=64, seed=5, plates=2, conditions=("DMSO", "shrinkage"))
    path = cells.save(tmp_path / "held.cells")
    options = ["--where", "plate=sim-A", "--json", tmp_path / "t.json", "--montage", tmp_path / "m.png"]
    main.main(["evaluate", "simulated-screen", str(path), *map(str, options), "--features", "fast"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "condition shrinkage: " in shown
    assert "mean effect" in shown
    saved = json.loads((tmp_path / "t.json").read_text())
    assert {row["condition"] for row in saved["rows"]} == {"shrinkage"}
    assert [row["row"] for row in saved["rows"]][:2] == ["predicted", "control"]
    assert saved["settings"]["verdict"] in shown
    assert (tmp_path / "m.png").stat().st_size > 1000


def test_evaluate_fetches_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing else: of the features asked for, those that need weights."""
    asked = []

    def fetched(space: object, *, watch: object) -> None:
        asked.append(space.name)  # type: ignore[attr-defined]
        raise FetchError("There is no network here.")

    monkeypatch.setattr("napari_impa.work.fetched.feature_weights.fetch_feature_weights", fetched)
    cells = simulated_cells(44, size=64, seed=5, plates=1, conditions=("DMSO", "shrinkage"))
    path = cells.save(tmp_path / "held.cells")
    with pytest.raises(SystemExit):
        main.main(["evaluate", "simulated-screen", str(path), "--features", "fast", "inception"])
    assert asked == ["inception"]
    assert "There is no network here." in capsys.readouterr().err


def test_crop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from napari_impa.cells.simulated.screen import simulated_screen, write_simulated_screen

    screen = simulated_screen(size=256, plates=1, batches=1, conditions=("DMSO", "shrinkage"))
    folder = write_simulated_screen(tmp_path / "plate", screen)
    main.main(["crop", str(folder), "--out", str(tmp_path / "x.cells"), "--size", "48", "--segment", "nuclei"])
    cells = open_cells(tmp_path / "x.cells")
    assert f"{len(cells):,} cells of 48×48 px" in capsys.readouterr().out
    assert len(cells) > 5
    assert set(cells.conditions) == {"DMSO", "shrinkage"}


class TestOneSentence:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ("--smiles C1CC --dose 5", "'C1CC' cannot be read as a SMILES"),
            ("--smiles CCO", "trained with doses; give the dose of 'CCO'"),
            ("--dose 5", "give its SMILES too"),
            ("--new nowhere.csv", "nowhere.csv cannot be read"),
            ("--to tea", "does not know 'tea'"),
            ("", "Nothing to turn cells into"),
        ],
    )
    def test_conditions_that_cannot_be_predicted(
        self,
        chemistry: tuple[Path, Path],
        tmp_path: Path,
        options: str,
        sentence: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        source, run = chemistry
        assert sentence in fails(capsys, "predict", run, source, "--out", tmp_path / "y", *options.split())
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ("--description morgan", "learned, bit, count or the path of a CSV"),
            ("--description bit --smiles structure", "no column 'structure'"),
            ("--description a=bit b", "MODALITY=KIND"),
            ("--description a=bit a=count", "MODALITY=KIND"),
            ("--description a=bit", "needs modality"),
            ("--dose dose", "adds to a description"),
        ],
    )
    def test_descriptions_that_cannot_be_trained(
        self,
        chemistry: tuple[Path, Path],
        tmp_path: Path,
        options: str,
        sentence: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        arguments = ("train", chemistry[0], "--out", tmp_path / "r", "--size", 24, *options.split())
        assert sentence in fails(capsys, *arguments)
        assert not (tmp_path / "r").exists()

    def test_a_folder_without_images(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "notes.txt").write_text("nothing")
        assert "image" in fails(capsys, "crop", tmp_path, "--out", tmp_path / "x")

    def test_a_missing_file(self, field: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (field / "a.tif").unlink()
        assert "a.tif" in fails(capsys, "crop", field, "--out", field / "x")

    def test_a_missing_label_column(self, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = fails(capsys, "train", source, "--out", tmp_path / "r", "--label", "drug", "--size", "32")
        assert "no column 'drug'" in line
        assert not (tmp_path / "r").exists()

    def test_a_control_that_does_not_occur(
        self, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = (
            "train",
            source,
            "--out",
            tmp_path / "r",
            "--label",
            "compound",
            "--control",
            "water",
            "--size",
            "32",
        )
        assert "'water'" in fails(capsys, *arguments)

    def test_one_condition_only(self, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = open_cells(source).controls().save(tmp_path / "one.cells")
        assert "controls" in fails(capsys, "train", path, "--out", tmp_path / "r", "--size", "32")

    def test_different_channel_counts(self, field: Path, capsys: pytest.CaptureFixture[str]) -> None:
        image = np.random.default_rng(1).integers(0, 4000, (3, 64, 64)).astype(np.uint16)
        tifffile.imwrite(field / "b.tif", image, imagej=True, metadata={"axes": "CYX"})
        pd.DataFrame({"file": ["a.tif", "b.tif"], "compound": ["DMSO", "x"]}).to_csv(
            field / "metadata.csv", index=False
        )
        line = fails(capsys, "crop", field, "--out", field / "x", "--size", "32")
        assert "a.tif" in line
        assert "b.tif" in line

    def test_a_truncated_tiff(self, field: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (field / "a.tif").write_bytes((field / "a.tif").read_bytes()[:3000])
        assert "a.tif" in fails(capsys, "crop", field, "--out", field / "x", "--size", "32")

    @pytest.mark.parametrize("value", [0.0, np.nan])
    def test_black_and_nan_images(self, field: Path, value: float, capsys: pytest.CaptureFixture[str]) -> None:
        tifffile.imwrite(
            field / "a.tif", np.full((2, 64, 64), value, np.float32), imagej=True, metadata={"axes": "CYX"}
        )
        fails(capsys, "crop", field, "--out", field / "x", "--size", "32")
        assert not (field / "x.cells").exists()

    def test_a_crop_side_that_does_not_fit(
        self, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "32 px" in fails(capsys, "train", source, "--out", tmp_path / "r", "--size", "64")
        assert "nearest that do are 48 and 64" in fails(
            capsys, "train", source, "--out", tmp_path / "r", "--size", "52"
        )

    def test_a_model_with_other_channels(self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells = Cells(np.ones((4, 2, 32, 32), np.uint16), pd.DataFrame({"a": range(4)}), ("DNA", "actin"))
        path = cells.save(tmp_path / "two.cells")
        line = fails(capsys, "predict", run, path, "--to", "shrinkage", "--out", tmp_path / "y")
        assert "takes 3 channels" in line

    def test_an_unknown_condition_and_model(
        self, run: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = fails(capsys, "predict", run, source, "--to", "aspirin", "--out", tmp_path / "y")
        assert "does not know 'aspirin'" in line
        assert "no model 'nothing'" in fails(capsys, "models", "info", "nothing")

    def test_a_full_disk(
        self,
        run: Path,
        source: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(pd.DataFrame, "to_csv", full)
        line = fails(capsys, "predict", run, source, "--to", "shrinkage", "--out", tmp_path / "y.cells")
        assert "No space left on device" in line
        assert list(tmp_path.iterdir()) == []

    def test_arguments(self, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "COLUMN=VALUE" in fails(capsys, "train", source, "--out", "r", "--hold-out", "plate", "--size", "32")
        assert "--help" in fails(capsys, "crop")
        assert "more than 0 minutes" in fails(capsys, "train", source, "--out", "r", "--minutes", "0")
