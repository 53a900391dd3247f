from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.cells.wells import (
    PLATE_FORMATS,
    Well,
    is_well,
    numbered_well,
    row_letters,
    smallest_plate,
    well_name,
    wells_of,
)
from napari_impa.errors import SourceError, WellError

WELLS = st.builds(Well, st.integers(0, 31), st.integers(0, 47))


def spellings(well: Well) -> list[str]:
    letters, column = row_letters(well.row), well.column + 1
    named = [f"{letters}{column:0{width}d}" for width in (1, 2, 3)] + [f"{letters} - {column}", f" {letters}:{column} "]
    numbered = [
        f"r{well.row + 1:02d}c{column:02d}",
        f"R{well.row + 1}C{column}",
        f"Row {well.row + 1}, Column {column}",
    ]
    return [*named, *(name.lower() for name in named), *numbered]


@given(WELLS)
def test_every_spelling_of_a_well_is_the_same_well(well: Well) -> None:
    assert {Well.parse(text) for text in spellings(well)} == {well}
    assert {well_name(text) for text in spellings(well)} == {well.name}


@given(WELLS)
def test_row_and_column_as_letters_or_numbers(well: Well) -> None:
    letters, row, column = row_letters(well.row), well.row + 1, well.column + 1
    for at in ((letters, column), (letters.lower(), f"{column:03d}"), (row, column), (f"{row:02d}", float(column))):
        assert Well.at(*at) == well


@given(WELLS, WELLS)
def test_names_differ_as_wells_do_and_sort_as_a_plate_is_read(one: Well, other: Well) -> None:
    assert (one.name == other.name) == (one == other)
    if one.row == other.row:
        assert (one.name < other.name) == (one < other)


@given(st.text(max_size=8))
def test_any_text_is_a_well_or_a_typed_error(text: str) -> None:
    if is_well(text):
        assert well_name(well_name(text)) == well_name(text)
    else:
        with pytest.raises(WellError):
            Well.parse(text)


NO_WELLS = (
    "", "A", "1", "A0", "A00", "A49", "AG1", "BA01", "ZZ9", "A01x", "xA01", "A1.5", "r0c1", "r33c1", "r1c0", "r1c49",
    "Ä1", "A१", "A001234", None, "nan",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_WELLS)
def test_no_well(text: object) -> None:
    assert not is_well(text)
    with pytest.raises(WellError) as caught:
        Well.parse(text)
    assert isinstance(caught.value, SourceError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "column"), [("AG", 1), ("A", 0), ("A", 49), (0, 1), (33, 1), ("", 1), ("A", "x"), (1.5, 1)]
)
def test_no_such_row_or_column(row: object, column: object) -> None:
    with pytest.raises(WellError, match=r"is no well"):
        Well.at(row, column)


@pytest.mark.parametrize("count", PLATE_FORMATS)
def test_wells_of_a_plate(count: int) -> None:
    wells = list(wells_of(count))
    rows, columns = PLATE_FORMATS[count]
    assert len(set(wells)) == count == rows * columns
    assert wells == sorted(wells)
    assert smallest_plate(wells) == count
    assert wells[columns] == Well(1, 0) == numbered_well(columns + 1, count)
    with pytest.raises(WellError, match=f"has no well {count + 1}"):
        numbered_well(count + 1, count)


def test_well_names_of_each_plate_s_last_well() -> None:
    last = {count: list(wells_of(count))[-1].name for count in PLATE_FORMATS}
    assert last == {6: "B03", 12: "C04", 24: "D06", 48: "F08", 96: "H12", 384: "P24", 1536: "AF48"}
    assert smallest_plate([]) == 6
    with pytest.raises(WellError, match="no plate of 100 wells"):
        list(wells_of(100))
