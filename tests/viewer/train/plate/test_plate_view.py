"""The picture of a plate: what is drawn where, and what a well says of itself."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from qtpy.QtGui import QColor

from napari_impa.cells.plate_maps.picture import PictureWell, PlatePicture, plate_pictures
from napari_impa.cells.wells import Well
from napari_impa.viewer.train.plate.plate_view import PlateView, colours_of, words_of

TABLE = pd.DataFrame({
    "plate": "P1", "well": ["A01", "A02", "B03", "B03"], "compound": ["DMSO", "taxol", "taxol", "nocodazole"],
})  # fmt: skip


@pytest.fixture
def view(qtbot: Any) -> PlateView:
    found = PlateView()
    qtbot.addWidget(found)
    found.resize(400, 200)
    found.show()
    (picture,) = plate_pictures(TABLE, ["compound"], "DMSO")
    lone = PictureWell(Well.parse("B01"), "taxol", False, 0)
    picture = PlatePicture(picture.plate, picture.rows, picture.columns, (*picture.wells, lone))
    found.show_picture(picture, colours_of(picture.conditions))
    return found


def test_wells_are_found_where_they_are_drawn(view: PlateView) -> None:
    for name, well in (("A01", (0, 0)), ("A02", (0, 1)), ("B03", (1, 2))):
        found = view.well_at(view.centre_of(*well))
        assert found is not None
        assert found.well.name == name
    assert view.well_at(view.centre_of(0, 2)) is None  # of which nothing is known
    assert view.well_at(view.centre_of(0, 0) - view.centre_of(0, 0)) is None  # among the letters


def test_wells_have_the_colours_of_their_conditions(view: PlateView) -> None:
    image = view.grab().toImage()
    colours = colours_of(["nocodazole / taxol", "taxol"])
    assert QColor(image.pixel(view.centre_of(0, 1))) == QColor(colours["taxol"].rgb())
    assert QColor(image.pixel(view.centre_of(1, 2))) == QColor(colours["nocodazole / taxol"].rgb())
    control = QColor(image.pixel(view.centre_of(0, 0)))
    assert control.saturation() == 0
    hatched = {image.pixel(view.centre_of(1, 0).x() + dx, view.centre_of(1, 0).y()) for dx in range(-5, 6)}
    assert len(hatched) > 1  # lines with the ground between them


def test_a_well_says_what_it_holds() -> None:
    well = Well.parse("c7")
    assert words_of(PictureWell(well, "taxol", False, 4)) == "C07: taxol · 4 images"
    assert words_of(PictureWell(well, "DMSO", True, 1)) == "C07: DMSO (control) · 1 image"
    assert words_of(PictureWell(well, "", False, 0)) == "C07: nothing says what is in it · no images"


def test_conditions_have_colours_of_their_own() -> None:
    names = [f"compound {number}" for number in range(24)]
    assert len({colour.name() for colour in colours_of(names).values()}) == 24
    assert colours_of(names) == colours_of(names)


def test_large_plates_fit_the_dock(qtbot: Any) -> None:
    view = PlateView()
    qtbot.addWidget(view)
    view.resize(310, 100)
    view.show_picture(PlatePicture("P", 16, 24, ()), {})
    assert view.centre_of(15, 23).x() < 310
    assert view.height() > view.centre_of(15, 23).y()
