"""Make the pictures of the docs by driving the real window: `python docs/make_screenshots.py [FOLDER]`.

Where there is no screen, the pictures are made on a virtual one (Xvfb).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_impa.viewer.display import virtual_screen

IMAGES = Path(__file__).parent / "images"
LARGE, SMALL = (1600, 1000), (1280, 800)
STEPS = 60


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Let the window work until a condition holds."""
    from qtpy.QtWidgets import QApplication

    until = time.monotonic() + seconds
    while not condition():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() > until:
            raise TimeoutError("the window did not get there")


def picture(viewer: Any, path: Path, size: tuple[int, int]) -> None:
    """Save the whole window at a size."""
    from napari_impa.viewer.demo import save_picture

    viewer.window.resize(*size)
    save_picture(viewer, path)
    print(path)


def perturb_pictures(folder: Path) -> None:
    """The demo, side by side in both sizes, and in its other views."""
    from napari_impa.viewer.demo import open_demo, wait_for_prediction
    from napari_impa.viewer.perturb import open_dock

    viewer = open_demo()
    dock = open_dock(viewer)
    viewer.window.resize(*LARGE)
    wait_for_prediction(dock)
    picture(viewer, folder / "demo-1280x800.png", SMALL)
    picture(viewer, folder / "demo.png", LARGE)
    for button in dock.views.buttons()[1:]:
        button.click()
        wait_until(lambda: not dock.session.busy)
        picture(viewer, folder / f"{button.objectName().replace(' ', '-')}.png", LARGE)
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


def main(folder: Path = IMAGES) -> None:
    """Make all pictures."""
    with virtual_screen(*LARGE):
        perturb_pictures(folder)
        train_pictures(folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
