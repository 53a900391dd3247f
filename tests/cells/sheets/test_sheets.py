"""Tables in files of any kind: what they say stays as it is written."""

from __future__ import annotations

import builtins
import gzip
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workbooks import Date, write_ods, write_xlsx

from napari_impa.cells.sheets import SHEET_FORMATS, Sheet, is_table_file, read_sheets
from napari_impa.cells.sheets.delimited import TextForm
from napari_impa.cells.sheets.sheet import column_letters, listed_cells, text_of
from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.errors import MissingDependencyError, SourceError

ROWS = [["well", "compound", "dose (µM)"], ["A01", "0E8", "0,5"], ["A02", "12345678901234567", ""]]


def written(rows: list[list[str]], delimiter: str = ",") -> str:
    return "".join(delimiter.join(f'"{text}"' if delimiter in text else text for text in row) + "\r\n" for row in rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_encoding_and_delimiter_gives_the_same_texts(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "map.txt"
    path.write_bytes(written(ROWS, delimiter).encode(encoding))
    (sheet,) = read_sheets(path)
    assert sheet.name == "map"
    assert sheet.texts.tolist() == ROWS
    path.write_bytes(f"sep={delimiter}\r\n{written(ROWS, delimiter)}".encode(encoding))
    assert read_sheets(path)[0].texts.tolist() == ROWS


def test_commas_within_cells_are_no_delimiter() -> None:
    assert TextForm.of(b"well;dose\nA01;0,5\nA02;1,5\n").delimiter == ";"
    assert TextForm.of(b'well\tname\nA01\t"a;b;c"\nA02\tx, y\n').delimiter == "\t"
    assert TextForm.of(b'"well","a;b;c;d"\n"A01","x;y;z;w"\n').delimiter == ","
    assert TextForm.of(b"well\nA01\n").delimiter == ","


def test_rows_of_unequal_length_and_empty_lines_stay_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("\n\n,compound,1,2\n,A,x\n\n,B,y,z,,\n\n", encoding="utf-8")
    assert read_sheets(path)[0].texts.tolist() == [
        ["", "", "", ""],
        ["", "", "", ""],
        ["", "compound", "1", "2"],
        ["", "A", "x", ""],
        ["", "", "", ""],
        ["", "B", "y", "z"],
    ]


def test_packed_and_empty_text(tmp_path: Path) -> None:
    (tmp_path / "well.csv.gz").write_bytes(gzip.compress(written(ROWS).encode()))
    assert read_sheets(tmp_path / "well.csv.gz")[0].name == "well"
    assert read_sheets(tmp_path / "well.csv.gz")[0].texts.tolist() == ROWS
    (tmp_path / "none.csv").write_bytes(b"")
    assert read_sheets(tmp_path / "none.csv")[0].texts.size == 0
    (tmp_path / "bad.csv.gz").write_bytes(b"\x1f\x8bno")
    with pytest.raises(SourceError, match=r"bad\.csv\.gz cannot be read as a table"):
        read_sheets(tmp_path / "bad.csv.gz")
    (tmp_path / "quote.csv").write_text('a,b\n"1,2\n')
    with pytest.raises(SourceError, match=r"quote\.csv cannot be read"):
        read_sheets(tmp_path / "quote.csv")


@pytest.mark.parametrize("write", [write_xlsx, write_ods])
def test_workbooks_keep_texts_and_places(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(
        tmp_path / f"map.{write.__name__[-4:].strip('_')}",
        {"doses": [[None, None], [None, "0E8", 0.1 * 3]], "µ": [["001", 7]]},
    )
    doses, other = read_sheets(path)
    assert (doses.name, other.name) == ("doses", "µ")
    assert doses.texts.tolist() == [["", "", ""], ["", "0E8", "0.3"]]
    assert other.texts.tolist() == [["001", "7"]]


def test_what_a_workbook_has_made_of_names_is_seen(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "genes.xlsx", {"s": [["gene", "barcode"], [Date(46267), 12345678901234567]]})
    (sheet,) = read_sheets(path)
    assert sheet.texts[1].tolist() == ["2026-09-02", "12345678901234568"]
    assert sheet.dates == ((1, 0),)
    assert sheet.cut_short == ((1, 1),)
    assert listed_cells(sheet.dates) == "A2"


def test_a_damaged_workbook_is_named(tmp_path: Path) -> None:
    (tmp_path / "map.xlsx").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(SourceError, match=r"map\.xlsx cannot be read as a workbook"):
        read_sheets(tmp_path / "map.xlsx")


@pytest.mark.parametrize(("package", "name"), [("python_calamine", "map.xlsx"), ("pyarrow", "map.parquet")])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, name: str) -> None:
    real = builtins.__import__

    def without(wanted: str, *rest: object, **more: object) -> object:
        if wanted.partition(".")[0] == package:
            raise ImportError(wanted)
        return real(wanted, *rest, **more)  # type: ignore[arg-type]

    (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"pip install .*or save"):
        read_sheets(tmp_path / name)


def test_parquet_tables_have_their_titles_first(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pd.DataFrame({"well": ["A01"], "dose": [0.5], "seen": [None]}).to_parquet(tmp_path / "map.parquet")
    assert read_sheets(tmp_path / "map.parquet")[0].texts.tolist() == [["well", "dose", "seen"], ["A01", "0.5", ""]]


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file"):
        read_sheets(tmp_path / "map.csv")
    (tmp_path / "map.pdf").write_bytes(b"")
    with pytest.raises(SourceError, match=r"map\.pdf is no table; give one that ends in \.csv"):
        read_sheets(tmp_path / "map.pdf")
    assert is_table_file(Path("Map.XLSX"))
    assert not is_table_file(Path("a.tif"))
    assert all(one.name and one.endings for one in SHEET_FORMATS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"), (3.0, "3"), (0.1 + 0.2, "0.3"), (1e-07, "1e-07"), (" a ", "a"), (None, ""), (float("nan"), ""),
        (pd.NaT, ""), (True, "True"), (np.float32(0.5), "0.5"), (np.int64(7), "7"), (1e17, "100000000000000000"),
        (datetime(2026, 9, 2), "2026-09-02"), (datetime(2026, 9, 2, 12), "2026-09-02 12:00:00"), (b"a", "a"),
    ],
)  # fmt: skip
def test_values_are_written_as_their_cells_show_them(value: object, text: str) -> None:
    assert text_of(value) == text


def test_columns_are_named_as_in_spreadsheets() -> None:
    assert [column_letters(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
    assert listed_cells([(0, 0), (1, 0), (2, 0), (3, 0)]) == "A1, A2, A3 and 1 more"


TEXT = st.text(st.characters(exclude_categories=("C", "Z")), max_size=6)


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), min_size=2, max_size=6))
def test_texts_survive_the_disk(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    rows = [["well", "compound", "gene"], *rows]
    path = tmp_path_factory.mktemp("t") / "t.csv"
    pd.DataFrame(rows).to_csv(path, index=False, header=False)
    read = Sheet("t", read_sheets(path)[0].texts).texts
    padded = np.full((len(rows), 3), "", object)
    padded[: read.shape[0], : read.shape[1]] = read
    assert padded.tolist() == rows


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        (b"sep=;\nfile;compound\na.tif;DMSO\n", ["file", "compound"]),
        ("file\tcompound\na.tif\tDMSO\n".encode("utf-16"), ["file", "compound"]),
        (b'"file","compound"\n"1","a.tif","DMSO"\n', ["file", "compound"]),
        (b' file,"a;b;c"\na.tif,x\n', ["file", "a;b;c"]),
    ],
    ids=["sep", "utf-16", "row names of R", "semicolons in a title"],
)
def test_tables_that_excel_and_r_write(tmp_path: Path, data: bytes, columns: list[str]) -> None:
    path = tmp_path / "metadata.csv"
    path.write_bytes(data)
    table = read_table(path)
    assert list(table.columns) == columns
    assert table["file"].tolist() == ["a.tif"]


def test_between_semicolons_a_comma_is_a_decimal_sign(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text("file;dose;names;both\na.tif;0,5;a,b;1,5\nb.tif;;c;1.5\n")
    table = read_table(path)
    np.testing.assert_array_equal(table["dose"], [0.5, np.nan])
    assert table["names"].tolist() == ["a,b", "c"]
    assert table["both"].tolist() == ["1,5", "1.5"]  # one of the two is no number


def test_ids_that_look_like_powers_of_ten_stay_names(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text("compound,barcode,dose\n0E8,12345678901234567,1e-05\n1E3,00000000000000001,2.5E3\n")
    table = read_table(path)
    assert table["compound"].tolist() == ["0E8", "1E3"]
    assert table["barcode"].tolist() == ["12345678901234567", "00000000000000001"]
    assert table["dose"].tolist() == [1e-05, 2500.0]


def test_merged_cells_say_the_same_in_each_of_them_and_titles_once(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Screen of May", None, None, None],
        ["well", "compound", None, None],
        ["A1", "DMSO", None, None],
        ["A2", None, None, None],
        [None, 1, 2, 3],
        ["A", "taxol", None, "x"],
        ["B", None, None, "y"],
    ]
    path = write_xlsx(tmp_path / "map.xlsx", {"s": rows}, ["A1:D1", "B3:B4", "B6:C7"])
    (sheet,) = read_sheets(path)
    assert sheet.texts.tolist() == [
        ["Screen of May", "", "", ""],
        ["well", "compound", "", ""],
        ["A1", "DMSO", "", ""],
        ["A2", "DMSO", "", ""],
        ["", "1", "2", "3"],
        ["A", "taxol", "taxol", "x"],
        ["B", "taxol", "taxol", "y"],
    ]
