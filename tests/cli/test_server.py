"""A server without a screen: every command but the demo imports neither Qt nor napari, and help needs no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from napari_impa.cells.simulated.screen import simulated_cells

CODE = """
import sys
from napari_impa.cli.main import main
try:
    main({arguments!r})
except SystemExit as stop:
    assert not stop.code, stop.code
print("LOADED", *sorted(set(sys.modules) & {names!r}))
"""

WINDOWS = {"napari", "qtpy", "superqt", "magicgui", "pyqtgraph", "PyQt6", "PySide6", "PyQt5", "vispy"}
COMPILER = {"torch._dynamo"}
"""What torch loads, in seconds, for some things that look harmless, as a random number on the `meta` device."""


def loaded(names: set[str], *arguments: object) -> list[str]:
    """Which of some modules are imported when a command has run in a process of its own."""
    code = CODE.format(arguments=[str(one) for one in arguments], names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, trained in a process of its own, which imported no window."""
    folder = tmp_path_factory.mktemp("server")
    cells = simulated_cells(44, size=24, plates=2, conditions=("DMSO", "shrinkage")).save(folder / "s.cells")
    options = ["--size", 24, "--steps", 1, "--batch-size", 2, "--device", "cpu", "--hold-out", "plate=sim-B"]
    assert loaded(WINDOWS, "train", cells, "--out", folder / "run", *options) == []
    return folder / "run"


def test_train_predict_evaluate_and_look_import_no_window(run: Path) -> None:
    cells = run.with_name("s.cells")
    out = run.with_name("after.cells")
    assert loaded(WINDOWS | COMPILER, "predict", run, cells, "--to", "shrinkage", "--out", out) == []
    assert out.is_dir()
    assert loaded(WINDOWS, "evaluate", run, cells, "--montage", run.with_name("m.png")) == []
    assert loaded(WINDOWS, "look", cells) == []


def test_the_test_would_see_one(run: Path) -> None:
    assert loaded(WINDOWS | COMPILER | {"torch"}, "models", "info", run) == ["torch"]


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["look", "--help"]])
def test_help_needs_no_torch(arguments: list[str]) -> None:
    assert loaded({"torch", "scipy", "skimage", "pandas"} | WINDOWS, *arguments) == []
