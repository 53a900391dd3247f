"""Plate maps of one row a well, in all the ways that programs and people write them."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbooks import Date, write_ods, write_xlsx

from napari_impa.cells.plate_maps import join_plate_map, read_plate_map
from napari_impa.errors import SourceError

WAYS = {
    "names": "well,compound\na1,DMSO\nB12,taxol\n",
    "numbers with zeros": "Well,compound\nA001,DMSO\nB012,taxol\n",
    "JUMP's platemap": "well_position\tcompound\nA01\tDMSO\nB12\ttaxol\n",
    "pycytominer": "Metadata_well_position,compound\nA01,DMSO\nB12,taxol\n",
    "row and column": "row,column,compound\nA,1,DMSO\nB,12,taxol\n",
    "row and column as numbers": "Well Row;Well Col;compound\n1;1;DMSO\n2;12;taxol\n",
    "lines above": "Screen of May\n\nwho,me\nWell,compound\nA1,DMSO\nB12,taxol\n",
    "another title": "Pos.,compound\nA1,DMSO\nB12,taxol\n",
    "row numbers": ',well,compound\n0,A1,DMSO\n1,B12,taxol\n',
    "sep line": "sep=;\nwell;compound\nA1;DMSO\nB12;taxol\n",
    "phenix": "well,compound\nr01c01,DMSO\nr02c12,taxol\n",
}  # fmt: skip


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS)
def test_each_way_says_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.txt"
    path.write_text(text, encoding="utf-8")
    found = read_plate_map(path)
    assert found.wells.tolist() == ["A01", "B12"]
    assert found.plates is None
    assert found.values.to_dict("list") == {"compound": ["DMSO", "taxol"]}
    assert any("guessed" in note for note in found.notes) == ("Pos." in text)


def test_ids_stay_texts_and_doses_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text(
        "well,plate,compound,barcode,dose\nA1,001,0E8,12345678901234567,0.50\nA2,001,1E3,12345678901234568,1e1\n"
    )
    found = read_plate_map(path)
    assert found.plates is not None
    assert found.plates.tolist() == ["001", "001"]
    assert found.values["compound"].tolist() == ["0E8", "1E3"]
    assert found.values["barcode"].tolist() == ["12345678901234567", "12345678901234568"]
    assert found.values["dose"].tolist() == [0.5, 10]


def test_an_empty_cell_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("well,compound,dose,never\nA1,,,\nA2,taxol,1,\n")
    values = read_plate_map(path).values
    assert list(values.columns) == ["compound", "dose"]
    assert values["compound"].isna().tolist() == [True, False]
    assert values["dose"].isna().tolist() == [True, False]


def test_rows_without_a_well_and_columns_without_a_title_are_named(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("well,compound,,\nA1,DMSO,x,\nA2,a,y,\nA3,a,,\nA4,a,,\nA5,a,,\nZ99,b,,\n,c,,\n")
    found = read_plate_map(path)
    assert found.wells.tolist() == ["A01", "A02", "A03", "A04", "A05"]
    assert "Rows 7, 8 of map.csv name no well ('Z99' is none); passed over." in found.notes
    assert "Column C of map.csv without a title passed over." in found.notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; write one row a well"),
        ("name,compound\nx,DMSO\n", "names no wells.*its first line is: name, compound"),
        ('"na\nme",compound\nx,DMSO\n', "names no wells.*its first line is: na me, compound"),
        ("A1,DMSO\nA2,taxol\n", "names no wells"),
        ("well,dose,dose\nA1,1,2\n", "two columns named 'dose'"),
        ("row,column,compound\n0,0,DMSO\n1,1,a\n", "names no wells"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=rf"map\.csv.*{said}"):
        read_plate_map(path)


def test_sheets_with_the_same_columns_are_plates(tmp_path: Path) -> None:
    rows = [["well", "compound"], ["A1", "DMSO"]]
    path = write_xlsx(
        tmp_path / "map.xlsx", {"P1": rows, "P2": [["well", "compound"], ["A1", "taxol"]], "Notes": [["by me"]]}
    )
    found = read_plate_map(path)
    assert found.plates is not None
    assert list(zip(found.plates, found.wells, found.values["compound"], strict=True)) == [
        ("P1", "A01", "DMSO"), ("P2", "A01", "taxol"),
    ]  # fmt: skip
    assert "The sheets of map.xlsx were taken for plates (P1, P2; guessed)." in found.notes
    assert "The sheet Notes of map.xlsx names no wells; passed over." in found.notes


def test_sheets_with_other_columns_say_more_of_the_same_wells(tmp_path: Path) -> None:
    sheets = {
        "what": [["well", "compound"], ["A1", "DMSO"], ["A2", "taxol"]],
        "how much": [["well", "dose"], ["A2", 0.5]],
        "compounds": [["compound", "smiles"], ["taxol", "CC"], ["other", "CCC"]],
    }
    found = read_plate_map(write_ods(tmp_path / "map.ods", sheets))
    assert found.plates is None
    assert found.wells.tolist() == ["A01", "A02"]
    assert found.values.fillna(-1).to_dict("list") == {
        "compound": ["DMSO", "taxol"], "dose": [-1, 0.5], "smiles": [-1, "CC"],
    }  # fmt: skip
    assert any(
        note.startswith("smiles from sheet compounds, by compound; it does not know DMSO") for note in found.notes
    )


def test_what_excel_makes_of_names_and_barcodes_is_said(tmp_path: Path) -> None:
    rows = [["well", "gene", "barcode"], ["A1", Date(46267), 12345678901234567], ["A2", "TP53", "x"]]
    notes = read_plate_map(write_xlsx(tmp_path / "map.xlsx", {"s": rows})).notes
    assert any("has dates in B2 (gene); where they were names such as SEPT2" in note for note in notes)
    assert any("more than 15 digits in C2 (barcode)" in note for note in notes)


def test_of_many_plates_those_with_images_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "well.csv"
    path.write_text("Metadata_Plate,Metadata_Well,Metadata_JCP2022\nP1,A01,a\nP2,A01,b\nP3,A01,c\n")
    found = read_plate_map(path, ["P2"])
    assert found.plates is not None
    assert found.plates.tolist() == ["P2"]
    assert "well.csv is of 2 plates more, of which there are no images." in found.notes
    assert len(read_plate_map(path, ["other"])) == 3


WORDS = st.sampled_from(
    ["well", "Well", "row", "column", "plate", "compound", "dose (nM)", "unit", "A1", "a01", "B02", "Z99", "1", "2",
     "3", "A", "B", "C", "DMSO", "dmso", "0E8", "1,5", "10 µM", "", "", "Plate: 1", "x" * 40, "=1+1", "\u200b", '"']
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.lists(WORDS, max_size=6), max_size=8))
def test_whatever_a_table_holds_it_is_a_map_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "map.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    try:
        found = read_plate_map(path)
        assert len(found.wells) == len(found.values) > 0
        table, report = join_plate_map(pd.DataFrame({"plate": ["1"], "well": ["C48"]}), found)
    except SourceError:  # no map, or one of other plates
        return
    assert len(table) == 1
    assert all("\n" not in said for said in report.sentences())
