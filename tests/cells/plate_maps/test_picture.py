"""The picture of a plate as data and as text."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_impa.cells.plate_maps import PlateMap, join_plate_map
from napari_impa.cells.plate_maps.picture import letters_of, pictures_text, plate_pictures
from napari_impa.cells.wells import Well


def joined():
    images = pd.DataFrame({"plate": ["P1"] * 4 + ["P2"], "well": ["A1", "A1", "B03", "A2", "a1"]})
    values = pd.DataFrame({"compound": ["DMSO", "taxol", "taxol"]}, dtype=object)
    known = PlateMap("m", "rows", np.array(["A01", "B03", "B01"], object), None, values)
    return join_plate_map(images, known)


def test_wells_have_their_condition_their_images_and_whether_they_are_controls() -> None:
    table, report = joined()
    first, second = plate_pictures(table, ["compound"], "DMSO", report)
    assert (first.plate, first.rows, first.columns) == ("P1", 2, 3)
    assert [(w.well.name, w.condition, w.control, w.images) for w in first.wells] == [
        ("A01", "DMSO", True, 2), ("A02", "", False, 1), ("B01", "taxol", False, 0), ("B03", "taxol", False, 1),
    ]  # fmt: skip
    assert first.conditions == ("taxol",)
    assert second.plate == "P2"
    assert [w.well.name for w in second.wells if not w.images] == ["B01", "B03"]


def test_it_is_drawn_as_text() -> None:
    table, report = joined()
    assert pictures_text(plate_pictures(table, ["compound"], "DMSO", report)) == [
        "Plate P1 (2 × 3 wells)",
        "    1  2  3",
        " A  *  ?  .",
        " B (a) .  a",
        "",
        "Plate P2 (2 × 3 wells)",
        "    1  2  3",
        " A  *  .  .",
        " B (a) . (a)",
        "",
        "* DMSO (control)  a taxol  ? nothing says what  ( ) no images",
    ]


def test_without_wells_there_is_no_picture() -> None:
    assert plate_pictures(pd.DataFrame({"compound": ["a"]}), ["compound"]) == ()
    assert plate_pictures(pd.DataFrame({"well": ["none"]})) == ()
    assert pictures_text(()) == []


def test_many_conditions_take_two_letters_and_many_plates_are_counted() -> None:
    assert len(set(letters_of(map(str, range(384))).values())) == 384
    wells = [Well(row, column).name for row in range(16) for column in range(24)]
    table = pd.DataFrame(
        {"well": wells * 6, "plate": np.repeat(list("abcdef"), 384), "drug": [f"d{n}" for n in range(384)] * 6}
    )
    pictures = plate_pictures(table, ["drug"])
    assert (pictures[0].rows, pictures[0].columns) == (16, 24)
    lines = pictures_text(pictures)
    assert "and 2 plates more" in lines
    assert lines[-1].endswith("and 354 more")
    assert max(map(len, lines[:17])) <= 100


def test_a_well_of_two_conditions_names_both() -> None:
    (picture,) = plate_pictures(pd.DataFrame({"well": ["A1", "A1"], "drug": ["DMSO", "taxol"]}), ["drug"], "DMSO")
    assert picture.wells[0].condition == "DMSO / taxol"
    assert not picture.wells[0].control
