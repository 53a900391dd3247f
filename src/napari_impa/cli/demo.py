"""The command `demo`: napari with the simulated screen and the bundled model; without a screen its gallery alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_impa.cells.store import Cells

CONDITION = "mitotic arrest"
PICTURE = "napari-impa-demo.png"
SHOWN = 30
"""Cells in the picture that is drawn without a screen."""


def demo(*, screenshot: Path | None = None) -> None:
    """Open napari on the simulated screen with the bundled model; without a screen, draw its cells into a picture.

    Parameters
    ----------
    screenshot
        Save a picture of the window and quit; where there is no screen, on a virtual one (Xvfb).
    """
    from napari_impa.errors import MissingDependencyError
    from napari_impa.viewer.entry.display import require_screen, virtual_screen

    try:
        if screenshot is None:
            require_screen()
            from napari_impa.viewer.entry.demo import run_demo

            run_demo()
            return
        with virtual_screen():
            from napari_impa.viewer.entry.demo import run_demo

            run_demo(screenshot=screenshot)
    except MissingDependencyError as why:
        drawn = draw_demo(screenshot or _free(Path(PICTURE)))
        print(f"Saved {drawn.resolve()}: {SHOWN} cells of the simulated screen above what {CONDITION} makes of each.")
        print(f"This is a picture instead of the window: {why}")
        return
    print(f"Saved {screenshot}.")


def draw_demo(path: Path) -> Path:
    """Predict the cells in the middle of the demo's field, and write them as a gallery; needs neither napari nor Qt."""
    from napari_impa import load_model
    from napari_impa.analysis.pictures.predicted_gallery import predicted_gallery, save_gallery
    from napari_impa.work.catalog import DEFAULT_MODEL

    model = load_model(DEFAULT_MODEL)
    path = path if path.suffix.lower() == ".png" else path.with_name(f"{path.name}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_gallery(path, predicted_gallery(model, _cells_in_the_middle(model.size), CONDITION))


def _cells_in_the_middle(size: int) -> Cells:
    """Crops of the demo's field, those nearest to its middle."""
    import numpy as np

    from napari_impa.cells.crops import cut
    from napari_impa.cells.simulated.screen import simulated_field
    from napari_impa.cells.store import Cells

    field = simulated_field(size=512)
    assert field.labels is not None
    found = cut(field.pixels, field.labels, size)
    away = np.hypot(*(found.table[["y", "x"]].to_numpy() - np.array(field.labels.shape) / 2).T)
    rows = np.argsort(away, kind="stable")[:SHOWN]
    table = found.table.iloc[rows].reset_index(drop=True)
    return Cells(found.pixels[rows], table.assign(field=field.name), field.channels, field.pixel_size)


def _free(path: Path) -> Path:
    """The path, or where it exists the next with a number."""
    number, free = 2, path
    while free.exists():
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return free
