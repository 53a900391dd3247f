"""Draw the pictures of the docs in the real window: `python docs/make_screenshots.py` (Xvfb where no screen is)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from napari_impa.viewer.display import virtual_screen

IMAGES = Path(__file__).parent / "images"
SIZES = {"": (1600, 1000), "-1280x800": (1280, 800)}


def wait(ready: Callable[[], object], seconds: float = 240) -> None:
    from qtpy.QtWidgets import QApplication

    until = time.monotonic() + seconds
    while not ready():
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() > until:
            raise TimeoutError(f"nothing to see within {seconds:.0f} s")


def perturb() -> None:
    """The demo in each view and size."""
    from napari_impa.viewer.demo import CONDITION, open_demo, save_picture, wait_for_prediction
    from napari_impa.viewer.perturb import open_dock

    viewer = open_demo()
    dock = open_dock(viewer)
    for end, size in SIZES.items():
        viewer.window.resize(*size)
        wait_for_prediction(dock, CONDITION)
        save_picture(viewer, IMAGES / f"demo{end}.png")
    viewer.close()


def train() -> None:
    """The Train dock at work on a simulated folder."""
    import napari
    from napari.layers import Layer

    from napari_impa.cells.simulated import write_simulated_screen
    from napari_impa.viewer.demo import save_picture
    from napari_impa.viewer.samples import simulated_screen
    from napari_impa.viewer.train import READY, TrainDock

    with tempfile.TemporaryDirectory() as folder:
        screen = write_simulated_screen(Path(folder) / "my plate", size=288, plates=2)
        viewer = napari.Viewer(title="napari-impa")
        viewer.window.resize(*SIZES[""])
        for data in simulated_screen(size=512):
            viewer.add_layer(Layer.create(*data))
        dock = TrainDock(viewer)
        viewer.window.add_dock_widget(dock, name="Train on a folder")
        dock.set_source(screen)
        wait(lambda: dock.cells.looked is not None)
        dock.folder.setText(str(Path(folder) / "run"))
        dock.settings.unit.setCurrentIndex(1)
        dock.settings.amount.setValue(30)
        dock.settings.batch_size.setValue(4)
        dock.start.click()
        wait(lambda: len(dock.curves._lines) > 1 or dock.state == READY)
        save_picture(viewer, IMAGES / "train.png")
        wait(lambda: dock.state == READY)
        viewer.close()


if __name__ == "__main__":
    with virtual_screen():
        perturb()
        train()
