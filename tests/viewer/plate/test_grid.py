"""The picture of a plate: what is drawn where, in which colours."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from qtpy.QtCore import QPointF
from qtpy.QtGui import QColor

from napari_impa.cells.plate_maps.picture import PictureWell, PlatePicture, plate_pictures
from napari_impa.cells.wells import Well
from napari_impa.viewer.plate.grid import PlateGrid, colours_of

TABLE = pd.DataFrame({
    "plate": "P1", "well": ["A01", "A02", "B03", "B03"], "compound": ["DMSO", "taxol", "taxol", "nocodazole"],
})  # fmt: skip
NAMES = ["actin inhibitor", "nocodazole / taxol", "taxol"]
"""Of this plate and another."""


@pytest.fixture
def grid(qtbot: Any) -> PlateGrid:
    found = PlateGrid()
    qtbot.addWidget(found)
    found.resize(400, 200)
    found.show()
    (picture,) = plate_pictures(TABLE, ["compound"], "DMSO")
    lone = PictureWell(Well.parse("B01"), "taxol", False, 0)
    picture = PlatePicture(picture.plate, picture.rows, picture.columns, (*picture.wells, lone))
    found.show_plate(picture, NAMES)
    return found


def test_wells_are_found_where_they_are_drawn(grid: PlateGrid) -> None:
    for name in ("A01", "A02", "B03", "B01"):
        found = grid.well_at(grid.centre_of(name))
        assert found is not None
        assert found.well.name == name
    beside = grid.centre_of("A02") + (grid.centre_of("A02") - grid.centre_of("A01"))
    assert grid.well_at(beside) is None  # A03, of which nothing is known
    assert grid.well_at(QPointF(2, 2)) is None  # among the letters


def test_wells_have_the_colours_of_their_conditions_on_every_plate(grid: PlateGrid) -> None:
    image, colours = grid.grab().toImage(), colours_of(NAMES)
    for well, name in (("A02", "taxol"), ("B03", "nocodazole / taxol")):
        assert QColor(image.pixel(grid.centre_of(well).toPoint())) == QColor(colours[name].rgb())
    assert QColor(image.pixel(grid.centre_of("A01").toPoint())).saturation() == 0  # the control
    lone = grid.centre_of("B01").toPoint()
    assert len({image.pixel(lone.x() + dx, lone.y()) for dx in range(-5, 6)}) > 1  # hatched: lines on the ground
    full = grid.centre_of("A02").toPoint()
    assert len({image.pixel(full.x() + dx, full.y()) for dx in range(-5, 6)}) == 1


def test_conditions_have_colours_of_their_own() -> None:
    names = [f"compound {number}" for number in range(24)]
    assert len({colour.name() for colour in colours_of(names).values()}) == 24


def test_large_plates_fit_the_dock(qtbot: Any) -> None:
    grid = PlateGrid()
    qtbot.addWidget(grid)
    corner = PictureWell(Well.parse("P24"), "taxol", False, 1)
    grid.show_plate(PlatePicture("P", 16, 24, (corner,)))
    grid.resize(310, grid.heightForWidth(310))
    assert grid.rect().contains(grid.centre_of("P24").toPoint())
