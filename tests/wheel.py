"""Install the wheel as a user does and use it: `python3 tests/wheel.py [FOLDER]`; takes minutes.

First alone: the commands work on simulated cells, neither napari nor a Qt binding is there, and what only the viewer
needs is not imported. Then `napari[pyqt6]` beside it, as where napari's plugin manager installs the plain package: each
dock of the manifest opens. On Linux without a screen that takes Xvfb (`tests/system-packages.txt`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BINDINGS = {"PyQt5", "PyQt6", "PySide2", "PySide6"}
VIEWER_ONLY = {"napari", "magicgui", "pyqtgraph", "qtpy", "superqt", *BINDINGS}

SIMULATE = """
from napari_impa.cells.simulated.screen import CONTROL, simulated_cells
simulated_cells(24, size=48, conditions=(CONTROL, "shrinkage", "mitotic arrest")).save("screen.cells")
"""

INSTALLED = """
from importlib import metadata
print(*sorted({one.metadata["Name"] for one in metadata.distributions()}))
"""

COMMANDS = (
    ("look", "screen.cells"),
    ("train", "screen.cells", "--out", "run", "--size", "24", "--steps", "4", "--device", "cpu", "--preset", "tiny"),
    ("predict", "run", "screen.cells", "--to", "shrinkage", "--out", "after.cells"),
    ("evaluate", "run", "screen.cells", "--json", "scores.json"),
)
MADE = ("run/model.impa", "after.cells/pixels.npy", "scores.json")

DOCKS = """
import napari, npe2
from napari_impa.viewer.entry.display import virtual_screen
from qtpy.QtTest import QTest
with virtual_screen():
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    manifest = npe2.PluginManager.instance().get_manifest("napari-impa")
    for widget in manifest.contributions.widgets:
        _, dock = viewer.window.add_plugin_dock_widget("napari-impa", widget.display_name)
        QTest.qWait(500)
        assert dock.isVisible(), widget.display_name
        print(widget.display_name, "opens:", type(dock).__name__)
    assert manifest.contributions.widgets
    viewer.close()
"""


def main(folder: Path) -> None:
    """Do everything, in a folder that is empty."""
    python = make_environment(folder)
    pip(python, make_wheel(python, folder))
    use_alone(python, folder)
    pip(python, "napari[pyqt6]")
    open_docks(python, folder)


def make_environment(folder: Path) -> Path:
    """Return the Python of a new environment."""
    run(sys.executable, "-m", "venv", folder / "venv")
    return folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_wheel(python: Path, folder: Path) -> Path:
    """Build the wheel of this repository."""
    run(python, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "-w", folder / "dist", REPOSITORY)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def pip(python: Path, *what: str | Path) -> None:
    """Install at the tested versions."""
    run(python, "-m", "pip", "install", "--disable-pip-version-check", "-c", REPOSITORY / "constraints.txt", *what)


def use_alone(python: Path, folder: Path) -> None:
    """Run the commands where neither napari nor a Qt binding is."""
    installed = set(run(python, "-c", INSTALLED, cwd=folder).stdout.split())
    print("installed:", *sorted(installed))
    assert "napari-impa" in installed
    assert installed.isdisjoint({"napari", *BINDINGS}), installed & {"napari", *BINDINGS}
    run(python, "-c", SIMULATE, cwd=folder)
    for command in COMMANDS:
        done = run(python, "-X", "importtime", "-m", "napari_impa", *command, cwd=folder)
        print(done.stdout)
        lines = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
        assert "napari_impa" in imported
        assert imported.isdisjoint(VIEWER_ONLY), imported & VIEWER_ONLY
    assert all((folder / name).exists() for name in MADE), MADE
    run(python.with_name("napari-impa"), "models", "list", cwd=folder)


def open_docks(python: Path, folder: Path) -> None:
    """Open each dock of the manifest in napari."""
    print(run(python, "-W", "ignore", "-c", DOCKS, cwd=folder).stdout)


def run(*command: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run one command; its failure, with all that it said, ends everything."""
    print("+", *[str(part) if "\n" not in str(part) else "…" for part in command], flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("import time:"))
        sys.exit(f"{done.stdout}\n{said}\nexit code {done.returncode}")
    return done


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True)
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
