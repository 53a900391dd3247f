"""What is doubtful about cells is said by every command that takes them, and logged where a script reads them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.analysis import evaluation
from napari_impa.cells.folder import crop_source, read_cells
from napari_impa.cells.simulated.screen import CHANNELS
from napari_impa.cells.store import Cells
from napari_impa.cli import main
from napari_impa.errors import ConditionError
from napari_impa.work.exploring import profile, screen
from napari_impa.work.predicting import folder as predicting

SPELLED = "'DMSO' (12) and 'dmso' (4) are taken for spellings of one control"
SATURATED = f"The channel {CHANNELS[1]} (25.0 %) is saturated"


def doubtful_cells() -> Cells:
    """Cells of which the control is written in two ways, and one channel is over-exposed."""
    pixels = np.random.default_rng(0).integers(200, 3000, (24, 3, 48, 48)).astype(np.uint16)
    pixels[:, :, 12:36, 12:36] += 500
    pixels[:, 1, 12:36, 12:36] = 4095
    names = ["DMSO"] * 12 + ["dmso"] * 4 + ["tax"] * 8
    table = pd.DataFrame({"compound": names, "plate": "p1", "well": "A01"})
    return Cells(pixels, table, CHANNELS, None, ("compound",), "DMSO")


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return doubtful_cells().save(tmp_path_factory.mktemp("doubts") / "plate.cells")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as ready crops of a folder."""
    path, found = tmp_path_factory.mktemp("images"), doubtful_cells()
    for number, pixels in enumerate(found.pixels):
        np.save(path / f"{number}.npy", pixels)
    found.table.assign(file=[f"{number}.npy" for number in range(24)]).to_csv(path / "metadata.csv", index=False)
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    """What a command warns of."""
    main.main([str(one) for one in arguments])
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning: ")]


def stop(*_: Any, **__: Any) -> None:
    raise ConditionError("enough")


def test_crop(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.main([str(one) for one in ("crop", images, "--out", tmp_path / "a.cells", "--channels", *CHANNELS)])
    out = capsys.readouterr().out
    assert "Conditions (compound): DMSO (the control): 16 cells, tax: 8 cells.\n" in out
    lines = out.splitlines()
    assert any(SPELLED in line for line in lines)
    assert any(SATURATED in line for line in lines)


@pytest.mark.parametrize(
    ("command", "room", "name"),
    [
        ("predict", predicting, "predict_into"),
        ("evaluate", evaluation, "evaluation"),
        ("screen", screen, "screen"),
        ("profile", profile, "write_profiles"),
    ],
)
def test_commands_that_use_cells(
    command: str, room: Any, name: str, cells: Path, model_path: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(room, name, stop)  # what comes afterwards takes its time
    more = {
        "predict": [model_path, cells, "--to", "nuclear translocation", "--out", tmp_path / "b.cells"],
        "evaluate": [model_path, cells],
        "screen": [model_path, cells, "--out", tmp_path / "s.csv"],
        "profile": [cells, "--out", tmp_path / "p.csv"],
    }[command]
    with pytest.raises(SystemExit):
        main.main([command, *map(str, more)])
    captured = capsys.readouterr()
    assert captured.err == "napari-impa: enough\n"
    assert f"Warning: {SPELLED}" in captured.out
    assert f"Warning: {SATURATED}" in captured.out


@pytest.mark.parametrize("read", [read_cells, crop_source])
def test_a_script_finds_it_in_the_log(images: Path, read: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "napari_impa"):
        read(images, channels=CHANNELS)
    lines = caplog.messages
    assert any(SPELLED in line for line in lines)
    assert any(SATURATED in line for line in lines)


def test_a_script_is_told_how_a_source_was_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for side in (20, 24):
        np.save(tmp_path / f"{side}.npy", np.random.default_rng(0).integers(0, 99, (1, side, side)).astype(np.uint8))
    np.save(tmp_path / "black.npy", np.zeros((1, 20, 20), np.uint8))
    with caplog.at_level(logging.WARNING, "napari_impa"):
        read_cells(tmp_path)
    assert any("They were taken for ready crops" in line for line in caplog.messages)
    assert any("1 crops left out that are blank" in line for line in caplog.messages)
