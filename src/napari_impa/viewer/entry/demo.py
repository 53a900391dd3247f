"""The demo: the simulated screen, cells found, and each above what a perturbation makes of it, in the gallery."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_impa.errors import ImpaError
from napari_impa.viewer.entry.display import require_viewer

if TYPE_CHECKING:
    import napari

CONDITION = "mitotic arrest"
SIZE = (1600, 1000)
PATIENCE = 180.0


def open_demo(viewer: napari.Viewer | None = None, *, condition: str = CONDITION) -> Any:
    """Open the simulated screen and the Perturb dock with the bundled model.

    Parameters
    ----------
    viewer
        Where to; a new one where None.
    condition
        What the cells are turned into.

    Returns
    -------
    napari.Viewer
        Its Perturb dock goes on to find cells and predict, in the background.
    """
    require_viewer()
    if sys.platform == "win32":
        import torch  # noqa: F401  (on Windows torch's libraries load only before Qt's)
    import napari
    from napari.layers import Layer

    from napari_impa.viewer.entry.demo_choices import DemoChoices
    from napari_impa.viewer.entry.samples import simulated_screen
    from napari_impa.viewer.perturb.dock import PerturbDock

    viewer = napari.Viewer(title="napari-impa demo") if viewer is None else viewer
    for data in simulated_screen():
        viewer.add_layer(Layer.create(*data))
    DemoChoices(PerturbDock.open_in(viewer), condition)
    return viewer


def show_demo() -> None:
    """Open the demo in the current viewer."""
    import napari

    open_demo(napari.current_viewer())


def run_demo(screenshot: Path | None = None) -> None:
    """Show the demo until its window is closed; or save a picture of the window and quit.

    Raises
    ------
    ImpaError
        If no prediction has come within three minutes.
    """
    viewer = open_demo()
    if screenshot is None:
        import napari

        napari.run()
        return
    from napari_impa.viewer.perturb.dock import PerturbDock

    viewer.window.resize(*SIZE)
    try:
        wait_for_prediction(PerturbDock.open_in(viewer))
        save_picture(viewer, screenshot)
    finally:
        viewer.close()


def wait_for_prediction(dock: Any, condition: str = CONDITION, seconds: float = PATIENCE) -> None:
    """Let the event loop run until a dock shows the condition."""
    from qtpy.QtWidgets import QApplication

    until = time.monotonic() + seconds
    while dock.session.result is None or dock.session.result.request.targets != (condition,) or dock.session.busy:
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() > until:
            raise ImpaError(f"No prediction came within {seconds:.0f} s; {dock.status.text() or 'try again'}")


def save_picture(viewer: Any, path: Path) -> None:
    """Save a picture of the whole window, when it has been drawn."""
    from qtpy.QtWidgets import QApplication

    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.02)
    path.parent.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
