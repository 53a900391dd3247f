"""Wells that are only numbered: the plate's size is chosen, or guessed and said."""

from __future__ import annotations

import pytest

from napari_impa.cells.choice import AS_FOUND, LayoutChoice
from napari_impa.cells.layouts.numbered_wells import wells_by_number
from napari_impa.errors import SourceError


def test_the_smallest_usual_plate_is_guessed_and_said() -> None:
    names, guessed = wells_by_number([13, 1, 96], AS_FOUND, "ScanR")
    assert names == {1: "A01", 13: "B01", 96: "H12"}
    assert guessed == (
        "ScanR only numbers the wells, 1 to 96; a plate of 96 wells was taken (guessed), on which well 96 is H12; "
        "where it has another size, say so with --wells."
    )
    assert wells_by_number([1, 97], AS_FOUND, "ScanR")[0] == {1: "A01", 97: "E01"}
    assert wells_by_number([1, 1536], AS_FOUND, "ScanR")[0] == {1: "A01", 1536: "AF48"}


def test_a_chosen_plate_is_no_guess() -> None:
    assert wells_by_number([7, 24], LayoutChoice(wells=24), "ScanR") == ({7: "B01", 24: "D06"}, "")
    assert wells_by_number([], AS_FOUND, "ScanR") == ({}, "")


@pytest.mark.parametrize(
    ("number", "choice", "said"),
    [
        (97, LayoutChoice(wells=96), "A plate of 96 wells has no well 97, which ScanR numbers; choose a larger one"),
        (1537, AS_FOUND, "ScanR numbers a well 1537, and plates have at most 1536 wells"),
        (0, AS_FOUND, "no well 0"),
    ],
)
def test_a_number_that_no_plate_has_is_one_sentence(number: int, choice: LayoutChoice, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        wells_by_number([number], choice, "ScanR")
