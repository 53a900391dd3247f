"""Where cells are in a gallery, and a cell among its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_impa.analysis.pictures.composite import composite

ColourImage = NDArray[np.uint8]
"""(height, width, 3)."""

HEAD, FOOT, LEFT, RIGHT = 34, 34, 24, 14
"""Room in pixels around the cells: for the title, the legend, what each row is, and how far it is scrolled."""
GAP, SEAM = 10, 2
"""Pixels between cells, and between a cell and what it becomes."""
USUAL = 84
"""Side in pixels of a cell where the number in a row is left open."""
LEAST = 12
CHOSEN = (255, 212, 59)
"""Frame of the cell in sight."""


@dataclass(frozen=True)
class GalleryLayout:
    """Where cells are: `columns` in a row, each `side` pixels wide in `parts` pictures beside each other."""

    columns: int
    side: int
    parts: int
    lines: int

    @property
    def width(self) -> int:
        """Of one cell with all its parts."""
        return self.parts * (self.side + 1) - 1

    @property
    def height(self) -> int:
        """Of one cell with all its lines."""
        return self.lines * (self.side + SEAM) - SEAM

    @classmethod
    def of(cls, width: int, columns: int, parts: int, lines: int) -> GalleryLayout:
        """Fill a width; 0 columns for as many as have a usual size."""
        room = width - LEFT - RIGHT + GAP
        if columns < 1:
            columns = max(1, int(room / (parts * (USUAL if parts == 1 else 0.72 * USUAL) + GAP)))
        side = max(LEAST, int((room / columns - GAP + 1) // parts) - 1)
        return cls(columns, side, parts, lines)


def columns_for(count: int, width: int, height: int) -> int:
    """So many squares in a row that all of them are largest."""
    return max(range(1, count + 1), key=lambda columns: (min(width / columns, height / -(-count // columns)), columns))


def neighbourhood(
    field: NDArray[Any], centre: tuple[int, int], size: int, limits: NDArray[np.float64], colours: Sequence[str]
) -> ColourImage:
    """(h, h, 3) the part of a field (C, H, W) around a cell, five crops wide or all there is, its crop framed."""
    height, width = field.shape[1:]
    side = min(5 * size, height, width)
    top, left = (
        int(min(max(at - side // 2, 0), whole - side)) for at, whole in zip(centre, (height, width), strict=True)
    )
    picture = composite(field[None, :, top : top + side, left : left + side], limits, colours)[0]
    y, x = centre[0] - size // 2 - top, centre[1] - size // 2 - left
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).rectangle((x, y, x + size - 1, y + size - 1), outline=CHOSEN, width=max(1, side // 90))
    return np.asarray(image)
