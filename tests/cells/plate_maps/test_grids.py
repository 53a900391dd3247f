"""Plate maps drawn as grids: in any corner of any sheet, and what they are said to say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbooks import write_ods, write_xlsx

from napari_impa.cells.plate_maps import join_plate_map, read_plate_map
from napari_impa.cells.plate_maps.grids import plate_said
from napari_impa.cells.plate_maps.well_grids import find_grids
from napari_impa.cells.sheets import Sheet
from napari_impa.cells.wells import PLATE_FORMATS, Well, row_letters
from napari_impa.errors import SourceError

SHAPES = sorted(PLATE_FORMATS.values())
A, B = Well(0, 0), Well(0, 1)


def drawn(
    shape: tuple[int, int], values: dict[Well, str], *, corner: str = "", blank: tuple[int, ...] = ()
) -> list[list[str]]:
    """A grid as rows of texts, with an empty row after each of `blank`."""
    rows = [[corner, *(str(column + 1) for column in range(shape[1]))]]
    for row in range(shape[0]):
        rows.append([row_letters(row), *(values.get(Well(row, column), "") for column in range(shape[1]))])
        if row in blank:
            rows.append([""] * (shape[1] + 1))
    return rows


def on_sheet(*grids: tuple[int, int, list[list[str]]]) -> Sheet:
    """A sheet with grids whose first cell is at a row and column."""
    height = max(top + len(rows) for top, _, rows in grids) + 1
    width = max(left + len(rows[0]) for _, left, rows in grids) + 1
    texts = np.full((height, width), "", object)
    for top, left, rows in grids:
        texts[top : top + len(rows), left : left + len(rows[0])] = np.array(rows, object)
    return Sheet("sheet", texts)


@st.composite
def plates(draw: st.DrawFn) -> tuple[tuple[int, int], dict[Well, str]]:
    shape = draw(st.sampled_from(SHAPES[:-1]))  # 1536 wells have their own test
    text = st.sampled_from(["DMSO", "taxol", "10", "3", "A", "0.5", "x y"])
    wells = st.builds(Well, st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1))
    return shape, draw(st.dictionaries(wells, text, min_size=1, max_size=12))


@given(plates(), st.integers(0, 5), st.integers(0, 5), st.lists(st.integers(0, 15), max_size=3), st.booleans())
def test_a_grid_is_found_in_any_corner_with_empty_rows_between_and_turned(
    plate: tuple[tuple[int, int], dict[Well, str]], top: int, left: int, blank: list[int], turned: bool
) -> None:
    shape, values = plate
    rows = drawn(shape, values, corner="compound", blank=tuple(blank))
    sheet = on_sheet((top, left, rows))
    if turned:
        sheet = Sheet("sheet", sheet.texts.T)
    (grid,) = find_grids(sheet)
    assert grid.shape == shape
    assert grid.corner == "compound"
    found = {well: text for well, text in zip(grid.wells, grid.values, strict=True) if text}
    assert found == values


@given(
    st.sampled_from(SHAPES), st.sets(st.integers(0, 31), min_size=2), st.sets(st.integers(0, 47), min_size=2),
    st.integers(0, 3), st.integers(0, 3), st.booleans(),
)  # fmt: skip
def test_rows_and_columns_may_be_left_out_of_plates_of_any_size(
    shape: tuple[int, int], kept_rows: set[int], kept_columns: set[int], top: int, left: int, lower: bool
) -> None:
    rows, columns = (
        sorted({one % size for one in kept}) for kept, size in zip((kept_rows, kept_columns), shape, strict=True)
    )
    if min(len(rows), len(columns)) < 2:
        return
    values = {Well(row, column): f"{row} {column}" for row in rows for column in columns}
    drawn_rows = [["drug", *(f"{column + 1:02d}" for column in columns)]]
    for row in rows:
        letters = row_letters(row).lower() if lower else row_letters(row)
        drawn_rows.append([letters, *(values[Well(row, column)] for column in columns)])
    (grid,) = find_grids(on_sheet((top, left, drawn_rows)))
    assert dict(zip(grid.wells, grid.values, strict=True)) == values


def test_what_letters_mean_below_a_grid_is_no_row_of_it() -> None:
    shape = (2, 3)
    rows = [*drawn(shape, {A: "N"}, corner="drug"), [""] * 4, ["N", "negative", "", ""], ["P", "positive", "", ""]]
    (grid,) = find_grids(on_sheet((0, 0, rows)))
    assert grid.shape == shape


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        ((8, 12), [("N", "negative"), ("P", "positive")]),
        ((8, 12), [("N", "negative", "10 µM"), ("P", "positive", "1 µM")]),
        ((4, 5), [("N", "negative"), ("P", "positive")]),  # no plate has so many: the letters stand within
    ],
)
def test_what_letters_mean_right_below_a_grid_is_no_row_of_it(shape: tuple[int, int], rows: list[list[str]]) -> None:
    """Once N and P were rows 14 and 16 of the plate, and "negative" a condition."""
    plate = drawn(shape, {A: "N", B: "P"}, corner="drug")
    legend = [[*row, *[""] * (shape[1] + 1 - len(row))] for row in rows]
    (grid,) = find_grids(on_sheet((0, 0, [*plate, *legend])))
    assert grid.shape == shape


@pytest.mark.parametrize(
    "rows",
    [
        'compound,1,3,10,30\nA,0.9,0.5,0.2,0\nB,1,1,"0,8",0.4',
        "dose,A,B\n1,0.9,0.5\n3,1,1\n10,0.4,0.5\n30,0,0",
        "R,C,uM,what\nA,1,10,tax\nB,1,3,noc\nC,2,10,tax",
        "R,C,uM,what\nA,1,2,tax\nB,1,3,noc\nC,2,10,tax",
        "A,1,10,tax\nB,1,3,noc\nC,2,10,tax",
    ],
    ids=["doses", "doses down", "table", "table, two in a row", "table without titles"],
)
def test_numbers_that_are_no_columns_make_no_grid(tmp_path: Path, rows: str) -> None:
    """Once a matrix of doses was wells A01, A03, A10 and A30, and the first row of a table its line of numbers."""
    (tmp_path / "map.csv").write_text(rows)
    with pytest.raises(SourceError):
        read_plate_map(tmp_path / "map.csv")


def test_columns_left_out_are_not_taken_for_doses() -> None:
    """Neither where there are names, nor where each is not twice the last, nor where there are two."""
    names = [["drug", "1", "3", "10", "30"], ["A", "x", "x", "y", "y"], ["B", "x", "x", "y", "y"]]
    doses = [["dose", "1", "3", "5", "7"], ["A", "1", "1", "5", "5"], ["B", "1", "1", "5", "5"]]
    edges = [["dose", "1", "12", "", ""], ["A", "1", "5", "", ""], ["B", "1", "5", "", ""]]
    found = find_grids(on_sheet((0, 0, [*names, *doses, *edges])))
    assert [grid.wells[-1].name for grid in found] == ["B30", "B07", "B12"]


@given(plates(), plates(), st.booleans(), st.integers(1, 3))
def test_several_grids_of_a_sheet_are_told_apart(
    first: tuple[tuple[int, int], dict[Well, str]],
    second: tuple[tuple[int, int], dict[Well, str]],
    beside: bool,
    gap: int,
) -> None:
    one, other = drawn(*first, corner="compound"), drawn(*second, corner="dose")
    place = (0, len(one[0]) + gap) if beside else (len(one) + gap, 0)
    found = find_grids(on_sheet((0, 0, one), (*place, other)))
    assert {grid.corner: {w: t for w, t in zip(grid.wells, grid.values, strict=True) if t} for grid in found} == {
        "compound": first[1], "dose": second[1],
    }  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_plate_there_is(tmp_path: Path, shape: tuple[int, int]) -> None:
    last = Well(shape[0] - 1, shape[1] - 1)
    path = write_xlsx(
        tmp_path / "map.xlsx", {"Sheet1": drawn(shape, {Well(0, 0): "DMSO", last: "taxol"}, corner="drug")}
    )
    found = read_plate_map(path)
    assert found.wells.tolist() == ["A01", last.name]
    assert found.values.to_dict("list") == {"drug": ["DMSO", "taxol"]}
    assert found.form == f"1 grid of {shape[0]}×{shape[1]}: drug"
    assert not found.notes


def test_numbers_within_a_grid_are_no_grid() -> None:
    values = {Well(0, column): str(column + 1) for column in range(12)}  # the first row is numbered too
    (grid,) = find_grids(on_sheet((0, 0, drawn((8, 12), values))))
    assert grid.shape == (8, 12)


def test_inner_wells_alone_are_a_part_of_a_plate(tmp_path: Path) -> None:
    rows = [["", "2", "3", "4"], ["B", "x", "y", ""], ["C", "", "", "z"]]
    (tmp_path / "map.csv").write_text("\n".join(",".join(row) for row in rows))
    found = read_plate_map(tmp_path / "map.csv")
    assert found.wells.tolist() == ["B02", "B03", "C04"]
    assert found.form == "1 grid of 2×3 (a part of a plate): condition"
    assert "The grid in rows 1 to 3 of sheet map has no title; taken for condition (guessed)." in found.notes


@pytest.mark.parametrize("write", [write_xlsx, write_ods])
def test_the_corner_the_line_above_and_the_sheet_name_a_grid(tmp_path: Path, write) -> None:
    shape = (4, 6)
    sheets = {
        "What and how much": [
            *drawn(shape, {A: "DMSO", B: "taxol"}, corner="compound"),
            [], ["Concentration (nM)"], *drawn(shape, {A: "0", B: "2,5"}),
        ],
        "cell line": drawn(shape, {A: "U2OS", B: "A549"}),
        "Notes": [["nothing here"]],
    }  # fmt: skip
    found = read_plate_map(write(tmp_path / f"map.{write.__name__[6:]}", sheets))
    assert found.plates is None
    assert found.values.to_dict("list") == {
        "compound": ["DMSO", "taxol"], "Concentration (nM)": [0, 2.5], "cell line": ["U2OS", "A549"],
    }  # fmt: skip
    assert [(unit.unit, unit.factor) for unit in found.units] == [("nM", 1e-3)]
    assert found.notes == (
        "The sheet Notes of map.xlsx has no grid of wells; passed over.".replace("xlsx", write.__name__[6:]),
    )


def test_a_title_at_the_margin_names_a_grid_that_is_indented(tmp_path: Path) -> None:
    grid = [["", "", *row] for row in drawn((4, 6), {A: "1"})]
    found = read_plate_map(write_xlsx(tmp_path / "map.xlsx", {"Sheet1": [["dose_um"], *grid]}))
    assert list(found.values.columns) == ["dose_um"]


def test_grids_of_several_plates(tmp_path: Path) -> None:
    shape = (2, 3)
    rows = [
        ["Plate: BR1"], *drawn(shape, {A: "DMSO"}, corner="compound"), [],
        ["Plate: BR2"], *drawn(shape, {A: "taxol"}, corner="compound"), [],
        *drawn(shape, {A: "7"}, corner="dose"),
    ]  # fmt: skip
    found = read_plate_map(write_xlsx(tmp_path / "map.xlsx", {"Sheet1": rows}))
    assert found.plates is not None
    assert list(zip(found.plates, found.values["compound"], found.values["dose"], strict=True)) == [
        ("BR1", "DMSO", 7), ("BR2", "taxol", 7),
    ]  # fmt: skip


def test_sheets_that_say_the_same_are_plates(tmp_path: Path) -> None:
    sheets = {name: drawn((2, 3), {A: text}) for name, text in (("BR1", "DMSO"), ("BR2", "taxol"))}
    found = read_plate_map(write_xlsx(tmp_path / "map.xlsx", sheets), ["BR1", "BR2"])
    assert found.plates is not None
    assert dict(zip(found.plates, found.values["condition"], strict=True)) == {"BR1": "DMSO", "BR2": "taxol"}
    titled = {name: drawn((2, 3), {A: text}, corner="drug") for name, text in (("x", "DMSO"), ("y", "taxol"))}
    found = read_plate_map(write_xlsx(tmp_path / "map.xlsx", titled))
    assert found.plates is not None
    assert dict(zip(found.plates, found.values["drug"], strict=True)) == {"x": "DMSO", "y": "taxol"}
    assert "The sheets of map.xlsx were taken for plates (x, y; guessed)." in found.notes


@pytest.mark.parametrize("corner", ["compound", ""])
def test_sheets_of_plates_without_images_say_nothing_of_those_that_have(tmp_path: Path, corner: str) -> None:
    """Once the last sheet was taken for what is in all plates."""
    shapes = {"BR1": (8, 12), "BR2": (16, 24), "BR3": (8, 12)}
    sheets = {name: drawn(shape, {A: f"in {name}"}, corner=corner) for name, shape in shapes.items()}
    sheets["cell line"] = drawn((8, 12), {A: "U2OS"})
    found = read_plate_map(write_xlsx(tmp_path / "map.xlsx", sheets), ["BR1", "X"])
    assert found.plates is not None
    says = found.values[corner or "condition"]
    assert dict(zip(found.plates, says, strict=True)) == {name: f"in {name}" for name in shapes}
    assert found.values["cell line"].tolist() == ["U2OS"] * 3
    assert "The sheets of map.xlsx were taken for plates (BR1, BR2, BR3; guessed)." in found.notes
    table, report = join_plate_map(pd.DataFrame({"plate": ["BR1"], "well": ["A1"]}), found)
    assert table[corner or "condition"].tolist() == ["in BR1"]
    assert "2 plates of it have no images: BR2, BR3." in report.sentences()


@pytest.mark.parametrize(("imaged", "other"), [("BR1", "BR12"), ("plate_A", "plate b"), ("20240517-1", "20240518-2")])
def test_sheets_called_otherwise_than_plates_say_something_of_all_plates(
    tmp_path: Path, imaged: str, other: str
) -> None:
    """Once they were plates without images, and what they say was lost."""
    sheets = {name: drawn((2, 3), {A: f"in {name}"}) for name in (imaged, other, "Seeding density", "Antibody")}
    found = read_plate_map(write_xlsx(tmp_path / "map.xlsx", sheets), [imaged])
    assert found.plates is not None
    assert found.plates.tolist() == [imaged, other]
    assert found.values.to_dict("list") == {
        "condition": [f"in {imaged}", f"in {other}"],
        "Seeding density": ["in Seeding density"] * 2, "Antibody": ["in Antibody"] * 2,
    }  # fmt: skip
    assert f"The sheets of map.xlsx were taken for plates ({imaged}, {other}; guessed)." in found.notes
    assert (
        "The sheets of map.xlsx that are called otherwise than plates were taken for what is in the wells of all "
        "plates (Seeding density, Antibody; guessed)."
    ) in found.notes


def test_two_grids_that_say_the_same_are_refused(tmp_path: Path) -> None:
    rows = [*drawn((2, 3), {A: "a"}, corner="drug"), [], *drawn((2, 3), {A: "b"}, corner="drug")]
    with pytest.raises(SourceError, match=r"two grids called 'drug' \(rows 1 to 3 of sheet s; rows 5 to 7"):
        read_plate_map(write_xlsx(tmp_path / "map.xlsx", {"s": rows}))
    rows = [*drawn((2, 3), {A: "a"}), [], *drawn((2, 3), {A: "b"})]
    with pytest.raises(SourceError, match="has grids without a title"):
        read_plate_map(write_xlsx(tmp_path / "map.xlsx", {"Sheet1": rows}))


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("Plate: BR1", "BR1"), ("plate = 7", "7"), ("Barcode: 00123", "00123"), ("Plate 1", "Plate 1"), ("P-7", "P 7"),
        ("Plate P 7", "P 7"), ("Plate layout", ""), ("plate map", ""), ("compound", ""), ("", ""), ("Plated by me", ""),
    ],
)  # fmt: skip
def test_titles_that_name_a_plate(text: str, plate: str) -> None:
    assert plate_said(text, ["P 7"]) == plate
