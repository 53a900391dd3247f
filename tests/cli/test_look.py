"""`napari-impa look`: what a source holds, in aligned text and as JSON, and what is doubtful about it."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cli import main
from napari_impa.work.source_survey import survey_source


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ready crops of two compounds on three plates, one image that a table does not name, and a text."""
    folder = tmp_path_factory.mktemp("look") / "plate"
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = []
    for number in range(18):
        name = f"{number}.tif"
        image = random.integers(0, 4000, (2, 32, 32)).astype(np.uint16)
        tifffile.imwrite(folder / name, image, imagej=True, resolution=(2, 2), metadata={"axes": "CYX", "unit": "um"})
        rows.append((name, ("DMSO", "taxol")[number % 2], f"P{number % 3}"))
    tifffile.imwrite(folder / "stray.tif", image, imagej=True, metadata={"axes": "CYX"})
    pd.DataFrame(rows, columns=["file", "compound", "Plate"]).to_csv(folder / "metadata.csv", index=False)
    return folder


def test_text_says_what_is_there_and_what_was_guessed(plate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["look", str(plate)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("plate: 18 ready crops of 32×32 px with 2 channels")
    facts = dict(line.split(maxsplit=1) for line in lines[2:9] if not line.startswith(("Pixel", "Hold", "Passed")))
    assert facts == {
        "Channels": "channel 1, channel 2",
        "Label": "compound (guessed)",
        "Control": "DMSO (guessed)",
        "Plates": "3 by Plate (P0, P1, P2)",
    }
    assert "Pixel size   0.5 µm" in lines
    assert "Hold out     Plate=P2 (proposed)" in lines
    assert "Passed over  stray.tif: not in metadata.csv" in lines
    at = lines.index("condition       crops  plates  held out  training")
    assert lines[at + 1 : at + 3] == [
        "DMSO (control)      9       3         3         6",
        "taxol               9       3         3         6",
    ]
    assert lines[-1].startswith("Warning: 2 conditions have few cells to train on (DMSO 6 and taxol 6)")


def test_what_was_said_is_not_guessed(plate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["look", str(plate), "--label", "compound", "--control", "taxol", "--hold-out", "Plate=P0"])
    shown = capsys.readouterr().out
    assert "guessed" not in shown
    assert "proposed" not in shown
    assert "taxol (control)" in shown
    assert "Plate=P0" in shown


def test_json_is_the_same(plate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["look", str(plate), "--json", str(tmp_path / "look.json")])
    assert f"Saved {tmp_path / 'look.json'}." in capsys.readouterr().out
    found = json.loads((tmp_path / "look.json").read_text())
    assert found["conditions"][0] == {
        "condition": "DMSO", "count": 9, "plates": 3, "control": True, "held": 3, "training": 6,
    }  # fmt: skip
    assert (found["label"], found["control"], found["guessed"]) == (["compound"], "DMSO", ["control", "label"])
    assert (found["hold_out"], found["hold_out_proposed"]) == ({"Plate": ["P2"]}, True)
    assert (found["plate_column"], found["plates"], found["pixel_size"]) == ("Plate", ["P0", "P1", "P2"], 0.5)
    assert [Path(path).name for path in found["passed_over"]] == ["stray.tif"]
    assert [warning["kind"] for warning in found["warnings"]] == ["empty", "few"]  # noise shows no cells


def test_batches(plate: Path) -> None:
    found = survey_source(plate, task="batch")
    assert (found.label, found.control) == (("Plate",), None)
    assert found.conditions["condition"].tolist() == ["P0", "P1", "P2"]
    assert not found.hold_out
    assert "Control" not in found.text()


def test_a_source_without_a_label_says_which_columns_there_are(
    plate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = simulated_cells(4, size=32)
    table = cells.table[["field"]].assign(what=["a", "b"] * (len(cells) // 2))
    path = type(cells)(cells.pixels, table, cells.channels).save(tmp_path / "plain.cells")
    main.main(["look", str(path)])
    shown = capsys.readouterr().out
    assert "none known; name one with --label: " in shown
    assert "what" in shown
    assert "condition" not in shown


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--label", "drug"], "no column 'drug'"),
        (["--control", "water"], "No row of plate has the control's name 'water'; the conditions are: DMSO, taxol."),
    ],
)
def test_one_sentence(plate: Path, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main(["look", str(plate), *options])
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err


def test_no_source_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SystemExit) as stop:
            main.main(["look", str(path)])
        assert stop.value.code == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("napari-impa: ")


def test_what_stood_there_stays_where_the_disk_is_full(
    plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "look.json"
    path.write_text("of yesterday")

    def full(self: Path, *given: object, **how: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SystemExit) as stop:
        main.main(["look", str(plate), "--json", str(path)])
    assert stop.value.code == 2
    assert f"{path} cannot be written (No space left on device)" in capsys.readouterr().err
    assert path.read_bytes() == b"of yesterday"
    assert [one.name for one in tmp_path.iterdir() if "partial" in one.name] == []
