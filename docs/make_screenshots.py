"""Make the pictures of the docs by driving the real window: `python docs/make_screenshots.py [FOLDER]`.

Where there is no screen, the pictures are made on a virtual one (Xvfb).  Real images (BBBC014, BBBC022) are shown where
`--shared` or NAPARI_IMPA_SHARED names the folder that holds them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import perturb_pictures
import pooch
from perturb_pictures import wait_until

from napari_impa.viewer.display import virtual_screen

IMAGES = Path(__file__).parent / "images"
LARGE, SMALL, SCREEN = (1600, 1000), (1280, 800), (2000, 1200)
STEPS = 60


def picture(viewer: Any, path: Path, size: tuple[int, int]) -> None:
    """Save the whole window at a size."""
    from napari_impa.viewer.demo import save_picture

    viewer.window.resize(*size)
    save_picture(viewer, path)
    print(path)


def demo_pictures(folder: Path) -> None:
    """The demo: the first thing that a user sees."""
    from napari_impa.viewer.demo import open_demo, wait_for_prediction
    from napari_impa.viewer.perturb import open_dock

    viewer = open_demo()
    viewer.window.resize(*LARGE)
    wait_for_prediction(open_dock(viewer))
    picture(viewer, folder / "demo.png", LARGE)
    viewer.close()


def train_pictures(folder: Path) -> None:
    """The Train dock with a folder chosen, and while it trains."""
    import napari

    from napari_impa.cells.simulated import write_simulated_screen
    from napari_impa.viewer.train import READY, TrainDock
    from napari_impa.viewer.training_job import Progress

    with tempfile.TemporaryDirectory() as scratch:
        source = write_simulated_screen(Path(scratch) / "my plate", fields=1, plates=3, batches=2, size=384)
        viewer = napari.Viewer(title="napari-impa", show_welcome_screen=False)
        viewer.window.resize(*SMALL)
        dock = TrainDock(viewer)
        viewer.window.add_dock_widget(dock, name="Train on a folder")
        dock.set_source(source)
        wait_until(lambda: dock.cells.looked is not None)
        picture(viewer, folder / "train-folder.png", SMALL)
        dock.settings.unit.setCurrentIndex(1)
        dock.settings.amount.setValue(STEPS)
        steps: list[int] = []
        dock.session.reported.connect(lambda r: steps.append(r.event.step) if isinstance(r, Progress) else None)
        dock.start.click()
        wait_until(lambda: steps and steps[-1] >= STEPS - 8)
        dock.show_preview.click()
        picture(viewer, folder / "train.png", SMALL)
        wait_until(lambda: dock.state == READY)
        viewer.close()


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    parser.add_argument("--only", choices=("demo", "train", "perturb"), action="append", help="some pictures alone")
    parser.add_argument("--shared", type=Path, default=os.environ.get("NAPARI_IMPA_SHARED"), help="real images")
    parser.add_argument("--minutes", type=float, default=4, help="to train a model on real images (default 4)")
    parser.add_argument("--cache", type=Path, default=Path(pooch.os_cache("napari-impa")), help="keeps such models")
    parser.add_argument("--model", action="append", default=[], metavar="SOURCE=PATH", help="a model for real images")
    given = parser.parse_args()
    models = {name: Path(path) for name, _, path in (pair.partition("=") for pair in given.model)}
    wanted = given.only or ("demo", "train", "perturb")
    with virtual_screen(*SCREEN):
        if "demo" in wanted:
            demo_pictures(given.folder)
        if "train" in wanted:
            train_pictures(given.folder)
        if "perturb" in wanted:
            perturb_pictures.make(
                given.folder, given.shared, minutes=given.minutes, cache=given.cache, models=models
            )  # fmt: skip


if __name__ == "__main__":
    main()
