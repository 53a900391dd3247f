"""Pictures of the Explore dock, and of a report in a browser, about a simulated screen whose truth is known."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

from perturb_pictures import SIZE, photograph, shrink, wait_until

if TYPE_CHECKING:
    from napari_impa.cells.store import Cells

CELLS = 100
"""Of each condition."""
COLOURS = 256
"""Of the palette: dots of two conditions stay apart."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def names() -> set[str]:
    """Every picture that is made, by its file's name."""
    return {"explore-map.png", "explore-ranking.png", "report.png"}


def make(folder: Path) -> None:
    """Make all; that of the report where there is a browser that draws without a screen."""
    import napari_impa as impa

    folder = folder.resolve()
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):  # so that the dock shows a short path
        cells = impa.simulated_cells(CELLS, size=64)
        explored(folder, cells.save("screen.cells"))
        reported(folder, cells)


def explored(folder: Path, source: Path) -> None:
    """The map of all cells, and the ranking of the conditions."""
    import napari

    from napari_impa.viewer.explore.dock import FOLDER, ExploreDock

    viewer = napari.Viewer(title="napari-impa", show_welcome_screen=False)
    viewer.open(str(source), plugin="napari-impa")
    viewer.window.resize(*SIZE)
    dock = ExploreDock(viewer)
    viewer.window.add_dock_widget(dock, name="Explore cells")
    wait_until(lambda: dock.session.loaded is not None)
    dock.source.setCurrentIndex(dock.source.values.index(FOLDER))
    dock.folder.setText(str(source))
    dock.explore.button.click()
    wait_until(lambda: dock.session.explored is not None and not dock.session.busy)
    viewer.window.resize(*SIZE)
    photograph(viewer, folder / "explore-map.png", SIZE, COLOURS)
    dock.pages.setCurrentWidget(dock.ranking)
    dock.ranking.rank.button.click()
    wait_until(lambda: not dock.ranking.rank.running and dock.ranking.table.rowCount() > 0)
    photograph(viewer, folder / "explore-ranking.png", SIZE, COLOURS)
    viewer.close()


def reported(folder: Path, cells: Cells) -> None:
    """The head of a report."""
    import napari_impa as impa
    from napari_impa.analysis.evaluation import evaluation
    from napari_impa.analysis.report.files import write_report

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("report.png: left out, there is no Chromium")
        return
    page = write_report(evaluation(impa.load_model("simulated-screen"), cells, mattered=True), "report").resolve()
    path = folder / "report.png"
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={SIZE[0]},{SIZE[1]}"]
    subprocess.run([browser, *options, f"--screenshot={path}", page.as_uri()], check=True, capture_output=True)
    shrink(path, COLOURS)
    print(f"{path} ({path.stat().st_size / 1e3:.0f} kB)", flush=True)
