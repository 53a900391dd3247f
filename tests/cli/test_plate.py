"""`napari-impa plate`, and `--plate-map` of the other commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stub_plates import stub_plate, write_plates

from napari_impa.cells.folder import crop_source
from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.simulated.screen import CONDITIONS, CONTROL
from napari_impa.cells.store import open_cells
from napari_impa.cli import main
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.work.training_plan import Plan, cells_of


@pytest.fixture
def screen(tmp_path: Path) -> tuple[Path, Path]:
    """Two plates of ready crops, and their map as a grid."""
    plates = []
    for number, name in enumerate(("BR1", "BR2"), 1):
        images = stub_plate(name, ("A01", "A02", "B01", "B02"), plate=number, size=16)
        slope = np.arange(256, dtype=np.uint16).reshape(16, 16)
        plates.append((images, slope))
    sloped = [replace(one, pixels=lambda *at, one=one, slope=slope: one.pixels(*at) + slope) for one, slope in plates]
    folder = write_plates(tmp_path / "screen", "imagexpress", *sloped)
    (tmp_path / "layout.csv").write_text("compound;1;2;3\nA;DMSO;taxol;\nB;dmso;;nocodazole\n")
    return folder, tmp_path / "layout.csv"


def test_the_table_is_written_and_is_a_source_of_the_same_cells(
    screen: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, layout = screen
    out = tmp_path / "metadata.csv"
    main.main(["plate", str(folder), "--plate-map", str(layout), "--out", str(out)])
    shown = capsys.readouterr().out
    assert "It names no plate and was taken for all 2: BR1, BR2 (guessed)." in shown
    assert "Label compound (guessed), control DMSO." in shown
    assert " A  *  b  .\n B  *  ? (a)\n" in shown
    assert f"Saved {out} (16 images in 48 files)." in shown
    crop_source(folder, tmp_path / "a.cells", kind="crops", plate_map=layout)
    crop_source(out, tmp_path / "b.cells", kind="crops")
    first, second = open_cells(tmp_path / "a.cells"), open_cells(tmp_path / "b.cells")
    assert np.array_equal(first.pixels[:], second.pixels[:])
    assert first.table.equals(second.table)
    with pytest.raises(SystemExit):
        main.main(["plate", str(folder), "--out", str(out)])


def test_nothing_known_asks_for_it(
    screen: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main(["plate", str(screen[0]), "--out", str(tmp_path / "metadata.csv")])
    assert "fill in the column compound, or give --plate-map FILE" in capsys.readouterr().out


def test_look_shows_the_join_and_the_plates(
    screen: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, layout = screen
    main.main(["look", str(folder), "--plate-map", str(layout), "--json", str(tmp_path / "look.json")])
    shown = capsys.readouterr().out
    assert "4 images of 2 wells have no row in it: BR1 B02, BR2 B02." in shown
    assert "compound writes the control as DMSO and dmso; all are taken for DMSO (guessed)." in shown
    assert "Plate BR2 (2 × 3 wells)\n    1  2  3\n A  *  b  .\n B  *  ? (a)\n" in shown
    assert "* DMSO (control)  a nocodazole  b taxol  ? nothing says what  ( ) no images" in shown
    assert "Warning: 4 images have no label (compound is empty) and are left out" in shown
    found = json.loads((tmp_path / "look.json").read_text())
    assert [row["condition"] for row in found["conditions"]] == ["DMSO", "taxol"]
    assert found["plate_map"]["without_images"] == [["BR1", "B03"], ["BR2", "B03"]]


def test_a_faulty_map_is_one_sentence(
    screen: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text("well,compound\nA1,a\nA1,b\n")
    with pytest.raises(SystemExit, match="2"):
        main.main(["look", str(screen[0]), "--plate-map", str(tmp_path / "bad.csv")])
    assert capsys.readouterr().err == (
        "napari-impa: bad.csv has two rows of well A01 that disagree (compound: a, b); keep one row a well.\n"
    )


def test_predict_and_train_take_a_plate_map(
    model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "screen"
    folder.mkdir()
    for number in range(4):
        crop = np.arange(3 * 48 * 48, dtype=np.uint16).reshape(48, 48, 3) + number
        np.save(folder / f"{number}.npy", crop)
    wells = ("A01", "A01", "A02", "A02")
    rows = "".join(f"{number}.npy,BR1,{well}\n" for number, well in enumerate(wells))
    (folder / "metadata.csv").write_text(f"file,plate,well\n{rows}")
    layout = tmp_path / "layout.csv"
    layout.write_text(f"well,drug\nA1,{CONTROL}\nA2,x\n")
    out = tmp_path / "after.cells"
    condition = next(name for name in CONDITIONS if name != CONTROL)
    main.main(
        ["predict", str(model_path), str(folder), "--plate-map", str(layout), "--to", condition, "--out", str(out)]
    )
    assert f"2 of 4 cells are controls ({CONTROL})." in capsys.readouterr().out
    plan = Plan(
        folder,
        (),
        None,
        TrainingSettings(size=48),
        tmp_path / "run",
        choice=LayoutChoice(plate_map=str(layout)),
        keep_crops=False,
    )
    assert sorted(set(cells_of(plan).conditions)) == sorted([CONTROL, "x"])
    assert LayoutChoice.of(plan.choice.changed) == plan.choice


def test_a_plate_map_is_found_again_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "layout.csv").write_text("well,drug\nA1,x\n")
    monkeypatch.chdir(tmp_path)
    assert LayoutChoice(plate_map="layout.csv").changed == {"plate_map": str(tmp_path / "layout.csv")}
    assert LayoutChoice(plate_map="none").changed == {"plate_map": "none"}


def test_a_map_whose_columns_are_not_known_asks_for_the_label(
    screen: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = tmp_path / "other.csv"
    layout.write_text("well,Foo,Vol\nA1,a,1\nA2,b,2\nB1,a,1\nB2,b,2\n")
    main.main(["plate", str(screen[0]), "--plate-map", str(layout), "--out", str(tmp_path / "metadata.csv")])
    assert "name it with --label, of: Foo, Vol." in capsys.readouterr().out


def test_illumination_and_centres_are_said_to_be_given_again(
    screen: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, layout = screen
    (tmp_path / "cells.csv").write_text("plate,well,site,x,y\nBR1,A01,1,4,5\n")
    options = ["--plate-map", str(layout), "--illumination", "estimate", "--centres", str(tmp_path / "cells.csv")]
    main.main(["plate", str(folder), *options, "--out", str(tmp_path / "metadata.csv")])
    assert "give --illumination and --centres again where it is read." in capsys.readouterr().out
    assert "mask_file" not in (tmp_path / "metadata.csv").read_text(encoding="utf-8-sig").splitlines()[0]
