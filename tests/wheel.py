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
simulated_cells(8, size=48, conditions=(CONTROL, "shrinkage", "mitotic arrest")).save("screen.cells")
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
    run(sys.executable, "-m", "venv", folder / "venv")
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def pip(*what: str | Path) -> None:
        run(python, "-m", "pip", "install", "--disable-pip-version-check", "-c", REPOSITORY / "constraints.txt", *what)

    run(python, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "-w", folder / "dist", REPOSITORY)
    (wheel,) = (folder / "dist").glob("*.whl")
    pip(wheel)

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
        assert "torch" in imported or command[0] == "look"
        assert imported.isdisjoint(VIEWER_ONLY), imported & VIEWER_ONLY
    assert all((folder / name).exists() for name in MADE), MADE
    run(python.with_name("napari-impa"), "models", "list", cwd=folder)

    pip("napari[pyqt6]")
    print(run(python, "-W", "ignore", "-c", DOCKS, cwd=folder).stdout)


def run(*command: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """Run one command; its failure, with all that it said, ends everything."""
    print("+", *[str(part) if "\n" not in str(part) else "…" for part in command], flush=True)
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{done.stderr}\nexit code {done.returncode}")
    return done


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True)
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
