"""The gallery of what a model makes of cells, as a picture in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from napari_impa.analysis.pictures.composite import display_limits
from napari_impa.analysis.pictures.gallery import Gallery, GalleryRow
from napari_impa.analysis.pictures.gallery_order import MOST_CHANGED, change_vectors, gallery_order
from napari_impa.cells.beside import written_beside
from napari_impa.cells.store import Cells
from napari_impa.engine.model.model import IMPA

WIDTH = 1200


def predicted_gallery(
    model: IMPA, cells: Cells, condition: str, *, columns: int = 10, width: int = WIDTH, real: Cells | None = None
) -> Gallery:
    """Turn cells into a condition and lay them out, those that change most first, as high as shows all of them.

    Parameters
    ----------
    model, cells, condition
        What is turned into what.
    columns, width
        Cells in a row, and pixels.
    real
        Real cells of the condition, which stand below; they are other cells.

    Raises
    ------
    ConditionError, ModelError
        As `IMPA.predict`.
    """
    after = model.predict(cells, condition)
    rows = [GalleryRow("input", cells.pixels), GalleryRow("predicted", after.pixels)]
    if real is not None and len(real):
        rows.append(GalleryRow("real", real.pixels[np.arange(len(cells)) % len(real)]))
    limits = display_limits(cells.pixels)
    gallery = Gallery(rows, cells.channels, limits, title=condition, pixel_size=cells.pixel_size)
    gallery.order = gallery_order(MOST_CHANGED, change_vectors(cells.pixels, after.pixels, limits))
    gallery.columns, gallery.ordered = columns, f"{MOST_CHANGED} first"
    gallery.size = 1, width
    gallery.size = gallery.height, width
    return gallery


def save_gallery(path: str | Path, gallery: Gallery) -> Path:
    """Write what is in sight of a gallery as PNG.

    Raises
    ------
    CellsError
        If the file cannot be written.
    """
    path = Path(path)
    with written_beside(path) as partial:
        Image.fromarray(gallery.draw()).save(partial, "PNG")
    return path
