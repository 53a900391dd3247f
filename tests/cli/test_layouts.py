"""How a folder is read, chosen on the command line: every command that takes a source takes the same options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stub_plates import stub_plate, write_plates

from napari_impa.cells.simulated.plate import write_simulated_plate
from napari_impa.cells.store import open_cells
from napari_impa.cli.main import main


def run(*arguments: str | Path) -> int:
    try:
        main(list(map(str, arguments)))
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def test_crop_takes_the_plane_and_the_times_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plate = write_simulated_plate(tmp_path / "p", "imagexpress", wells=1, z_planes=2, times=2, size=160)
    assert run("crop", plate, "--out", tmp_path / "a.cells", "--size", "48", "--z", "1", "--time", "all") == 0
    assert "2 times; Z plane 1 of 2" in capsys.readouterr().out
    cells = open_cells(tmp_path / "a.cells")
    assert set(cells.table["time"]) == {1, 2}
    assert run("crop", plate, "--out", tmp_path / "b.cells", "--size", "48") == 0
    assert "the first of 2 times; maximum projection of 2 Z planes" in capsys.readouterr().out
    assert "time" not in open_cells(tmp_path / "b.cells").table


def test_look_says_what_was_passed_over_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plate = write_plates(tmp_path / "p", "imagexpress", stub_plate(wells=["A01"], size=16))
    assert run("look", plate, "--plate", "X", "--json", tmp_path / "look.json") == 0
    assert "a thumbnail" in capsys.readouterr().out
    found = json.loads((tmp_path / "look.json").read_text(encoding="utf-8"))
    assert found["passed_over_why"] == {"a thumbnail": 3}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--layout", "phoenix"], "There is no layout 'phoenix'"),
        (["--z", "7"], "no Z plane 7; its planes are 1, 2"),
        (["--time", "9"], "no time 9; its images were taken once"),
        (["--z", "mean"], "mean"),
    ],
)
def test_a_choice_that_is_none_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    plate = write_plates(tmp_path / "p", "imagexpress", stub_plate(z=2, wells=["A01"]))
    assert run("look", plate, *options) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_simulated_plate_is_written_and_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "plate"
    assert run("simulate-plate", "--layout", "imagexpress", "--wells", "2", "--size", "96", "--out", out) == 0
    assert f"Saved {out}, with plate_map.csv in it." in capsys.readouterr().out
    assert run("look", out) == 0
    said = capsys.readouterr().out
    assert "found by ImageXpress (1 plate, 2 wells)" in said
    assert "Plate map plate_map.csv found in the folder (guessed; another one, or none, can be chosen)." in said


@pytest.mark.parametrize("command", ["look", "train"])
def test_a_plate_without_conditions_asks_for_a_plate_map(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    plate = write_plates(tmp_path / "p", "imagexpress", stub_plate(wells=["A01", "A02"]))
    assert run(command, plate, *(["--out", tmp_path / "run"] if command == "train" else [])) == 2 * (command == "train")
    said = capsys.readouterr()
    text = said.err if command == "train" else said.out
    assert "What was done to the cells is not known: the images say only where cells are (plate, well, site); " in text
    assert "give a plate map (--plate-map FILE" in text
