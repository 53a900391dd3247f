from __future__ import annotations

import csv
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.tables import (
    condition_names,
    guess_control,
    guess_labels,
    shortest,
)
from napari_impa.errors import ConditionError, SourceError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (50.0, "50"), (np.float32(0.5), "0.5"), (np.int64(7), "7"), ("0.10", "0.1"), ("1e-3", "0.001"),
        (" DMSO ", "DMSO"),        ("001", "001"), ("-01", "-01"), ("1_000", "1_000"),
        ("0E8", "0E8"), ("1E3", "1E3"), ("12345678901234567", "12345678901234567"),
        ("nan", "nan"), ("inf", "inf"), ("٣", "٣"), ("", ""),
        (None, ""), (float("nan"), ""), (pd.NA, ""), (True, "True"), (-0.0, "0"), (1e300, "1e+300"),
    ],
)  # fmt: skip
def test_shortest(value: object, text: str) -> None:
    assert shortest(value) == text


@given(st.one_of(st.text(), st.floats(), st.integers(-(10**14), 10**14), st.none(), st.booleans()))
def test_shortest_of_a_short_name_is_the_name(value: object) -> None:
    name = shortest(value)
    assert shortest(name) == name


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_shortest_keeps_every_digit(number: float) -> None:
    assert float(shortest(number)) == number
    assert shortest(repr(number)) == shortest(number)


def test_a_row_in_which_any_label_is_the_control_is_a_control() -> None:
    table = pd.DataFrame({"compound": ["DMSO", "DMSO", "taxol"], "dose": [0.0, 1.0, 0.5]})
    assert list(condition_names(table, ["compound", "dose"], "DMSO")) == ["DMSO", "DMSO", "taxol 0.5"]
    assert list(condition_names(table, ["dose", "compound"], "DMSO")) == ["DMSO", "DMSO", "0.5 taxol"]
    assert list(condition_names(table, ["compound", "dose"])) == ["DMSO 0", "DMSO 1", "taxol 0.5"]


def test_conditions_of_numbers_and_their_texts_are_the_same() -> None:
    numbers, texts = pd.DataFrame({"dose": [1.0, 0.25]}), pd.DataFrame({"dose": ["1", "0.250"]})
    assert list(condition_names(numbers, ["dose"])) == list(condition_names(texts, ["dose"])) == ["1", "0.25"]


def test_a_missing_label_column_names_the_columns_there_are() -> None:
    with pytest.raises(ConditionError, match=r"no column 'drug'.*compound"):
        condition_names(pd.DataFrame({"compound": ["a"]}), ["drug"])
    with pytest.raises(ConditionError, match="No label column"):
        condition_names(pd.DataFrame({"compound": ["a"]}), [])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            ["plate", "well", "Metadata_Site", "time", "label"],
            r"only where cells are \(plate, well, Metadata_Site",
        ),
        ([], "the images do not say it"),
    ],
)
def test_a_table_that_says_only_where_cells_are_asks_for_a_plate_map(columns: list[str], says: str) -> None:
    with pytest.raises(ConditionError, match=says) as caught:
        condition_names(pd.DataFrame([["a"] * len(columns)], columns=columns), [])
    assert "give a plate map (--plate-map FILE on the command line) or a metadata.csv" in str(caught.value)


def test_plates_with_leading_zeros_and_compounds_called_none_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("plate,site,dose,compound,dead\n001,1,0.5,None,True\n012,2,,NA,False\n", encoding="utf-8")
    table = read_table(path)
    assert list(table["plate"]) == ["001", "012"]
    assert table["site"].dtype == np.int64
    assert table["dose"].isna().tolist() == [False, True]
    assert table["dose"].dtype == float
    assert list(table["compound"]) == ["None", "NA"]
    assert table["dead"].dtype == bool


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_as_spreadsheet_programs_write_them(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(f" file {delimiter}dose (µM)\r\na.tif{delimiter}1\r\n".encode("latin-1"))
    assert list(read_table(path).columns) == ["file", "dose (µM)"]
    path.write_bytes(f"file{delimiter}dose\na.tif{delimiter}1\n".encode("utf-8-sig"))
    assert read_table(path).to_dict("list") == {"file": ["a.tif"], "dose": [1]}


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2,3,4\n1\n1,2,3,4,5\n", b'a,b\n"1,2\n', b"a,a\n1,2\n"],
    ids=["empty", "ragged", "quote", "twice"],
)
def test_a_table_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"t\.csv"):
        read_table(path)


TEXT = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8)
VALUE = st.one_of(
    TEXT, st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**14), 10**14).map(str), st.just("007")
)


@given(st.lists(st.tuples(VALUE, st.floats(allow_infinity=False)), min_size=1, max_size=6))
def test_conditions_survive_the_disk(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, float]]
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    table = pd.DataFrame(rows, columns=["compound", "dose"])
    table.to_csv(path, index=False)
    again = read_table(path)
    assert list(condition_names(again, ["compound", "dose"])) == list(condition_names(table, ["compound", "dose"]))


def test_labels_are_guessed_from_the_usual_names() -> None:
    doses = {"dose_um": [0, 5, 50]}
    assert guess_labels(pd.DataFrame({"Compound": ["DMSO", "a", "a"], **doses})) == ["Compound", "dose_um"]
    assert guess_labels(pd.DataFrame({"CPD_NAME": ["x", "x", "EMPTY"], "DOSE": [1, 2, 0]})) == ["CPD_NAME", "DOSE"]
    assert guess_labels(pd.DataFrame({"condition": ["a", "b", "c"], "drug": ["x", "x", "y"]})) == ["condition"]
    assert guess_labels(pd.DataFrame({"well": ["A01"], "dosed_by": ["me"]})) == []


def test_a_dose_that_only_tells_control_from_treated_is_no_label() -> None:
    table = pd.DataFrame({"compound": ["DMSO", "a", "b"], "dose": [0, 5, 5]})
    assert guess_labels(table) == ["compound"]


def test_a_column_of_another_name_is_a_label_where_a_control_stands_in_it() -> None:
    wells = {"well": ["A01", "A02", "A03"], "solvent": ["DMSO", "DMSO", "water"], "Remark": ["", "none", "late"]}
    table = pd.DataFrame({**wells, "Content of well": ["dmso ", "taxol", "taxol"], "dose": [0, 1, 2]})
    assert (guess_labels(table), guess_control(table, "Content of well")) == (["Content of well", "dose"], "dmso")
    assert guess_labels(pd.DataFrame({**wells, "Content": ["a", "b", "c"]})) == []


def test_an_empty_column_is_no_label_while_another_says_more() -> None:
    table = pd.DataFrame({"compound": ["", None, ""], "Sample Name": ["DMSO", "a", "b"], "dose": [0, 1, 2]})
    assert guess_labels(table) == ["Sample Name", "dose"]
    assert guess_labels(table.drop(columns="Sample Name")) == ["compound"]  # to be filled in, not conditions of doses


def test_the_batch_is_guessed() -> None:
    assert guess_labels(pd.DataFrame({"Plate": [1], "compound": ["a"]}), task="batch") == ["Plate"]


def test_of_several_marked_as_controls_the_commonest_is_the_control() -> None:
    names = ["nocodazole", "water", "water", "a", "a", "a"]
    for marks in (["Control"] * 3 + ["trt"] * 3, ["TRUE"] * 3 + [""] * 3, ["Negcon"] * 3 + ["poscon"] * 3):
        assert guess_control(pd.DataFrame({"compound": names, "control_type": marks}), "compound") == "water"


def test_the_control_is_not_looked_for_among_doses() -> None:
    table = pd.DataFrame({"compound": [1, 7, 7, 8], "dose": [1.0, 1.0, 10.0, 1.0]})
    assert condition_names(table, ["compound", "dose"], "1").tolist() == ["1", "7 1", "7 10", "8 1"]
    assert condition_names(table, ["dose"], "1").tolist() == ["1", "1", "10", "1"]
    none = pd.DataFrame({"compound": ["a", "b"], "dose": ["none", "1"]})
    assert guess_control(none, ["compound", "dose"]) is None


def test_of_several_spellings_of_the_control_the_commonest_is_guessed() -> None:
    assert guess_control(pd.DataFrame({"compound": ["dmso", "DMSO", "DMSO", "a"]}), "compound") == "DMSO"
    assert guess_control(pd.DataFrame({"compound": ["dmso", "dmso", "DMSO", "a"]}), "compound") == "dmso"


def test_the_column_that_marks_controls_most_exactly_decides() -> None:
    table = pd.DataFrame(
        {
            "compound": ["DMSO", "AMG900", "AMG900", "x"],
            "pert_type": ["control", "control", "control", "trt"],
            "control_type": ["negcon", "poscon_cp", "poscon_cp", None],
        }
    )
    assert guess_control(table, "compound") == "DMSO"
    empty = pd.DataFrame({"compound": ["water", "a", "b"], "well_type": ["empty", "trt", "trt"]})
    assert guess_control(empty, "compound") == "water"


def test_a_name_that_every_row_has_is_the_label() -> None:
    table = pd.DataFrame({"Metadata_Symbol": ["TP53", None], "Metadata_JCP2022": ["JCP2022_1", "JCP2022_033924"]})
    assert guess_labels(table) == ["Metadata_JCP2022"]
    assert guess_control(table, ["Metadata_JCP2022"]) == "JCP2022_033924"
    assert guess_labels(pd.DataFrame({"compound": ["a", None], "gene": [None, "b"]})) == ["compound"]


def test_the_control_is_guessed_from_its_column_or_its_name() -> None:
    table = pd.DataFrame({"compound": ["water", "water", "a"], "control": [1, 1, 0]})
    assert guess_control(table, "compound") == "water"
    assert guess_control(pd.DataFrame({"CPD_NAME": ["x", "y"], "STATE": ["trt", "control"]}), ["CPD_NAME"]) == "y"
    assert guess_control(pd.DataFrame({"compound": ["b", "Untreated", "dmso"]}), "compound") == "dmso"
    assert guess_control(pd.DataFrame({"compound": ["b", "c"]}), "compound") is None
    assert guess_control(pd.DataFrame({"compound": ["b", "c"]}), "gene") is None


WRITTEN = re.compile(
    r"[+-]?(((0|[1-9][0-9]{0,14})\.[0-9]{0,25}|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?|(0|[1-9][0-9]{0,14})([eE][+-][0-9]{1,2})?)"
)
values = st.lists(
    st.one_of(
        st.integers(-99, 99).map(str),
        st.floats(-1e9, 1e9).map(repr),
        st.sampled_from(
            ["", "007", "1.", ".5", "1e3", "1e-3", "1\n2", "NA", "True", "inf", "1_0", "٣", "-0", "+4", "0x1", "a"]
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(values)
def test_a_column_is_numbers_only_where_every_value_is_written_as_one(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["name", "value"], *(["x", text] for text in texts)])
        column = read_table(path)["value"]
    present = [text for text in texts if text]
    if present and all(WRITTEN.fullmatch(text) for text in present):
        assert column.dtype.kind in "if"
        np.testing.assert_array_equal(column, [float(text) if text else np.nan for text in texts])
    elif set(texts) == {"True"}:
        assert column.tolist() == [True] * len(texts)
    else:
        assert column.dtype == object
        assert [text if isinstance(text, str) else "" for text in column] == texts


@given(
    st.lists(st.tuples(*[st.sampled_from(["a", "b c", "1.0", "1", "", "DMSO", "b", "c 1", "a | b"])] * 2), min_size=1)
)
def test_names_of_two_columns_are_joined_row_by_row_and_told_apart(rows: list[tuple[str, str]]) -> None:
    table = pd.DataFrame(rows, columns=["drug", "line"])
    names = condition_names(table, ["drug", "line"], "DMSO").tolist()
    pairs = ["DMSO" if "DMSO" in row else tuple(map(shortest, row)) for row in rows]
    assert len(set(names)) == len(set(pairs)) == len(set(zip(names, pairs, strict=True)))  # a name for each, one each
    plain = {pair: pair if pair == "DMSO" else " ".join(pair).strip() for pair in pairs}
    for name, pair in zip(names, pairs, strict=True):
        if list(plain.values()).count(plain[pair]) == 1:
            assert name in (plain[pair], f"{plain[pair]} |")


def test_joined_names_that_would_be_one_are_told_apart() -> None:
    rows = [("DMSO", 0), ("drug 1", 0.5), ("drug", "1 0.5"), ("IL 1", None), ("IL", 1), ("x", 10)]
    table = pd.DataFrame(rows, columns=["compound", "dose"])
    names = ["DMSO", "drug 1 | 0.5", "drug | 1 0.5", "IL 1", "IL | 1", "x 10"]
    assert condition_names(table, ["compound", "dose"], "DMSO").tolist() == names
    control = condition_names(table.replace({"dose": {None: 0}}), ["compound", "dose"], "IL 1").tolist()
    assert control[3:5] == ["IL 1", "IL 1 |"]  # the dose 1 of IL is not the control called IL 1


def test_names_that_look_alike_are_one() -> None:
    names = ["tax 10 \u00b5M", "tax 10 \u03bcM", "tax  10 \u00b5M ", "\uff54ax 10 \u00b5M", "t\u200bax\u00a010 \u00b5M"]
    assert set(condition_names(pd.DataFrame({"drug": names}), ["drug"])) == {"tax 10 \u03bcM"}
    assert shortest("10\u00b2") != shortest("102")
    assert shortest("\u00bd") != shortest("1/2")


def test_the_control_is_known_in_any_spelling() -> None:
    table = pd.DataFrame({"drug": ["DMSO", "dmso", "\u200bDMSO", "Non-targeting", "nontargeting", "A-1", "A1", ""]})
    assert condition_names(table, ["drug"], "DMSO").tolist()[:3] == ["DMSO"] * 3
    assert condition_names(table, ["drug"], "non targeting").tolist()[3:5] == ["non targeting"] * 2
    assert condition_names(table, ["drug"], "A-1").tolist()[5:] == ["A-1", "A1", ""]  # not a usual name: as written
