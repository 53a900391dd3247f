"""`napari-impa train`: warnings before it begins, and a run that is resumed from its folder alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_impa.cells.simulated.screen import simulated_cells, write_simulated_screen
from napari_impa.cli import main
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training.run_folder.run import Run

SMALL = ["--size", "32", "--batch-size", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells = simulated_cells(8, size=32, seed=3, plates=2, conditions=("DMSO", "shrinkage"))
    return cells.save(tmp_path_factory.mktemp("screen") / "screen.cells")


def train(*arguments: object) -> None:
    main.main(["train", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as stop:
        train(*arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_run_is_resumed_from_its_folder_alone(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    how = ["--label", "compound", "--control", "DMSO", "--seed", "5", "--where", "compound=DMSO", "compound=shrinkage"]
    train(source, "--out", run, *how, *SMALL, "--steps", "1")
    capsys.readouterr()
    train("--resume", run, "--steps", "3")
    assert "Training finished after 3 steps" in capsys.readouterr().out
    resumed = Run(run)
    assert resumed.history["step"].tolist() == [1, 2, 3]
    assert (resumed.settings.seed, resumed.settings.size, resumed.settings.batch_size) == (5, 32, 2)
    train(source, "--out", whole, *how, *SMALL, "--steps", "1")
    train(source, "--out", whole, *how, *SMALL, "--steps", "3", "--resume")  # as it always was
    assert IMPA.load(run / "last.impa").hash == IMPA.load(whole / "last.impa").hash


def test_only_what_may_change_is_changed(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    train(source, "--out", run, *SMALL, "--steps", "1", "--hold-out", "plate=sim-B")
    assert "has 1 steps already; ask for more in all" in refused(capsys, run, "--resume")
    line = refused(capsys, "--resume", run, "--steps", "2", "--seed", "7")
    assert "goes on with the seed that it was begun with; only steps, minutes, device" in line
    assert "--label" in refused(capsys, "--resume", run, "--steps", "2", "--label", "plate")
    assert "goes on with the hold_out" in refused(capsys, "--resume", run, "--steps", "2", "--hold-out", "plate=sim-A")
    assert Run(run).history["step"].tolist() == [1]
    train("--resume", run, "--steps", "2", "--seed", "0", "--threads", "1", "--hold-out", "plate=sim-B")  # said again
    assert Run(run).history["step"].tolist() == [1, 2]


def test_minutes_take_the_place_of_steps(source: Path, tmp_path: Path) -> None:
    train(source, "--out", tmp_path / "run", *SMALL, "--steps", "1")
    train("--resume", tmp_path / "run", "--minutes", "0.02")
    assert Run(tmp_path / "run").history["step"].max() > 1


def test_whole_fields_are_cut_as_before(tmp_path: Path) -> None:
    screen = write_simulated_screen(tmp_path / "plate", size=200, batches=1, conditions=("DMSO", "shrinkage"))
    train(screen, "--out", tmp_path / "run", "--segment", "nuclei", *SMALL, "--steps", "1")
    count = Run(tmp_path / "run").config["source"]["count"]
    train("--resume", tmp_path / "run", "--steps", "2")  # refused where other cells were cut
    run = Run(tmp_path / "run")
    assert run.source["segment"] == "nuclei"
    assert run.history["step"].tolist() == [1, 2]
    assert run.config["source"]["count"] == count
    assert not (tmp_path / "run.cells").exists()  # in memory, as it was begun


def test_a_folder_that_is_no_run(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no run" in refused(capsys, "--resume", tmp_path)
    assert "give --out RUN" in refused(capsys, source, *SMALL)


def test_warnings_come_before_the_training(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(source, "--out", tmp_path / "run", *SMALL, "--steps", "1")
    shown = capsys.readouterr()
    warnings = [line for line in shown.err.splitlines() if line.startswith("Warning: ")]
    assert [line.split()[1] for line in warnings] == ["2", "Nothing"]
    assert "conditions have few cells to train on (DMSO 8 and shrinkage 8)" in warnings[0]
    assert "Warning" not in shown.out
    train(source, "--out", tmp_path / "held", *SMALL, "--steps", "1", "--hold-out", "plate=sim-B")
    assert "Nothing is held out" not in capsys.readouterr().err
