"""The join of images with a plate map: every image ends with one row, or is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_impa.cells.plate_maps import PlateMap, join_plate_map, read_plate_map
from napari_impa.cells.wells import Well
from napari_impa.errors import SourceError


def plate_map(rows: list[tuple[str, str, str]], *, plated: bool = True) -> PlateMap:
    """Of (plate, well, compound)."""
    values = pd.DataFrame({"compound": [row[2] for row in rows]}, dtype=object)
    wells = np.array([Well.parse(row[1]).name for row in rows], object)
    plates = np.array([row[0] for row in rows], object) if plated else None
    return PlateMap("map.csv", "rows", wells, plates, values)


def images(*wells: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"plate": [plate for plate, _ in wells], "well": [well for _, well in wells]}, dtype=object)


def test_images_get_what_the_map_says_of_their_well() -> None:
    table, report = join_plate_map(
        images(("P1", "a1"), ("P1", "A001"), ("P2", "A1"), ("P2", "B02")),
        plate_map([("P1", "A01", "DMSO"), ("P2", "A01", "taxol"), ("P2", "C01", "x"), ("P3", "A01", "y")]),
    )
    assert table["compound"].fillna("-").tolist() == ["DMSO", "DMSO", "taxol", "-"]
    assert table["well"].tolist() == ["a1", "A001", "A1", "B02"]
    assert report.wells == 2
    assert report.without_row == (("P2", "B02"),)
    assert report.images_without_row == 1
    assert report.without_images == (("P2", "C01"),)
    assert report.other_plates == ("P3",)
    assert report.sentences() == (
        "Plate map map.csv (rows): joined to 2 wells with images.",
        "1 image of 1 well has no row in it: B02.",
        "1 well of it has no images: C01.",
        "1 plate of it has no images: P3.",
    )


def test_a_map_without_plates_is_of_all_and_says_so() -> None:
    known = plate_map([("", "A01", "DMSO")], plated=False)
    table, report = join_plate_map(images(("P1", "A1"), ("P2", "A1")), known)
    assert table["compound"].tolist() == ["DMSO", "DMSO"]
    assert "It names no plate and was taken for all 2: P1, P2 (guessed)." in report.sentences()
    two = plate_map([("", "A01", "DMSO"), ("", "B01", "x"), ("", "C01", "y"), ("", "C1", "z")], plated=False)
    _, report = join_plate_map(images(("P1", "A1"), ("P2", "A1"), ("P2", "B1")), two)
    assert report.without_images == (("P1", "B01"), ("P1", "C01"), ("P2", "C01"))
    assert report.disagreeing == (("P1", "C01"), ("P2", "C01"))
    _, report = join_plate_map(images(("P1", "A1")), known)
    assert not any("guessed" in said for said in report.sentences())


def test_images_without_a_plate_take_a_map_of_one() -> None:
    known = plate_map([("BR1", "A01", "DMSO")])
    table, _ = join_plate_map(pd.DataFrame({"well": ["A01"]}), known)
    assert table["compound"].tolist() == ["DMSO"]
    two = plate_map([("BR1", "A01", "DMSO"), ("BR2", "A01", "taxol")])
    with pytest.raises(SourceError, match=r"plates BR1, BR2, and nothing says of which plate the images are.*--plate"):
        join_plate_map(pd.DataFrame({"well": ["A01"]}), two)


@pytest.mark.parametrize(("ours", "theirs"), [("001", "1"), ("plate_7", "Plate 7"), ("BR-1", "br1"), ("X", "Plate 1")])
def test_plates_that_are_written_otherwise_are_matched_and_said(ours: str, theirs: str) -> None:
    table, report = join_plate_map(images((ours, "A1")), plate_map([(theirs, "A01", "DMSO")]))
    assert table["compound"].tolist() == ["DMSO"]
    assert f"The plate {ours} was taken for {theirs} of the map (guessed)." in report.sentences()


def test_plates_are_not_matched_where_two_could_be() -> None:
    known = plate_map([("1", "A01", "a"), ("2", "A01", "b")])
    table, report = join_plate_map(images(("01", "A1"), ("001", "A1"), ("2", "A1")), known)
    assert table["compound"].fillna("-").tolist() == ["-", "-", "b"]
    assert report.unknown_plates == ("001", "01")
    with pytest.raises(SourceError, match=r"of the plates 1, 2, and the images are of X; name the plates alike"):
        join_plate_map(images(("X", "A1")), known)


def test_two_rows_of_an_imaged_well_that_disagree_are_refused_and_named() -> None:
    known = plate_map([("P1", "A01", "taxol"), ("P1", "a1", "DMSO"), ("P1", "B01", "x"), ("P1", "B01", "y")])
    with pytest.raises(SourceError, match=r"well P1 A01 that disagree \(compound: DMSO, taxol\); keep one row"):
        join_plate_map(images(("P1", "A1")), known)
    table, report = join_plate_map(images(("P1", "C1")), known)
    assert report.disagreeing == (("P1", "A01"), ("P1", "B01"))
    assert table["compound"].isna().all()


def test_rows_that_say_the_same_again_are_one(tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text("well,site,compound\nA1,1,DMSO\nA01,2,DMSO\nA1,1,DMSO\n")
    table, report = join_plate_map(images(("P1", "A1")), read_plate_map(tmp_path / "map.csv"))
    assert table.columns.tolist() == ["plate", "well", "compound"]
    assert not report.disagreeing


def test_columns_that_the_images_have_too_keep_both() -> None:
    given = images(("P1", "A1"), ("P1", "A2")).assign(compound=["DMSO", "other"])
    table, report = join_plate_map(given, plate_map([("P1", "A01", "DMSO"), ("P1", "A02", "taxol")]))
    assert table["compound"].tolist() == ["DMSO", "other"]
    assert table["compound_map"].tolist() == ["DMSO", "taxol"]
    assert (
        "The images say compound already, and otherwise; that of the map is called compound_map." in report.sentences()
    )
    same = given.assign(compound=["DMSO", "taxol"])
    table, report = join_plate_map(same, plate_map([("P1", "A01", "DMSO"), ("P1", "A02", "taxol")]))
    assert table.equals(same)


def test_images_without_wells_are_refused() -> None:
    with pytest.raises(SourceError, match="nothing says from which well each image is"):
        join_plate_map(pd.DataFrame({"condition": ["a"]}), plate_map([("", "A1", "x")], plated=False))


def test_spellings_are_said_and_those_of_the_control_are_one(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    rows = ["DMSO"] * 3 + [
        "dmso ",
        "\u200bDMSO",
        "tax 10 \u00b5M",
        "tax  10 \u03bcM",
        "Taxol",
        "taxol",
        "drug 1 0",
        "drug 10",
    ]
    path.write_text("well,compound\n" + "".join(f"A{n},{row}\n" for n, row in enumerate(rows, 1)), encoding="utf-8")
    table, report = join_plate_map(images(*(("P", f"A{n}") for n in range(1, 12))), read_plate_map(path))
    said = report.sentences()
    assert table["compound"].tolist() == [
        *["DMSO"] * 5, "tax 10 μM", "tax 10 μM", "Taxol", "taxol", "drug 1 0", "drug 10",
    ]  # fmt: skip
    assert "compound writes the control as DMSO and dmso; all are taken for DMSO (guessed)." in said
    assert "compound writes tax 10 μM in 2 ways that look alike; taken as one." in said
    assert "compound writes what may be one name in 2 ways: 'Taxol' (1), 'taxol' (1)." in said
    assert not any("drug" in text for text in said)


def test_wells_that_are_only_marked_as_controls_get_a_name(tmp_path: Path) -> None:
    path = tmp_path / "map.csv"
    path.write_text("well,broad_sample,solvent,control_type\nA1,,DMSO,negcon\nA2,BRD-1,DMSO,\nA3,,DMSO,poscon\n")
    found = read_plate_map(path)
    assert found.values["broad_sample"].fillna("-").tolist() == ["DMSO", "BRD-1", "-"]
    assert "1 well marked as controls name no broad_sample; called DMSO (guessed)." in found.notes


wells = st.tuples(st.sampled_from(["P1", "P2", "P3"]), st.sampled_from(["A01", "a1", "A2", "B001", "AA03", "H12"]))


@given(
    st.lists(wells, max_size=12),
    st.lists(st.tuples(wells, st.sampled_from("xyz")), min_size=1, max_size=12),
    st.randoms(),
)
def test_every_image_ends_with_one_row_or_is_reported_whatever_the_order(imaged, said, random) -> None:
    first = {}
    for (plate, well), compound in said:
        first.setdefault((plate, Well.parse(well).name), compound)
    rows = [(plate, well, compound) for (plate, well), compound in first.items()]
    if not {plate for plate, _ in imaged} & {plate for plate, _, _ in rows}:
        return  # no plate in common: one pair is guessed, several are refused
    given_table = images(*imaged).assign(number=range(len(imaged)))
    table, report = join_plate_map(given_table, plate_map(rows))
    expected = [first.get((plate, Well.parse(well).name)) for plate, well in imaged]
    assert [None if value != value else value for value in table["compound"]] == expected
    assert table["number"].tolist() == list(range(len(imaged)))
    missing = {(p, Well.parse(w).name) for (p, w), value in zip(imaged, expected, strict=True) if value is None}
    assert set(report.without_row) == missing
    assert report.images_without_row == expected.count(None)
    # neither the order of images nor of the map's rows, nor of any columns matters
    order = random.sample(range(len(imaged)), len(imaged))
    shuffled = given_table.iloc[order][random.sample(list(given_table.columns), 3)]
    again, same = join_plate_map(shuffled, plate_map(random.sample(rows, len(rows))))
    assert again.sort_values("number")["compound"].fillna("-").tolist() == [value or "-" for value in expected]
    assert same.sentences() == report.sentences()


@settings(max_examples=25)
@given(st.permutations(["well", "plate", "compound", "dose (nM)", "note"]), st.permutations(range(4)))
def test_the_order_of_rows_and_columns_of_a_file_changes_nothing(tmp_path_factory, columns, rows) -> None:
    whole = pd.DataFrame(
        {
            "well": ["A1", "A2", "B1", "B1"], "plate": ["1", "1", "1", "2"], "compound": ["DMSO", "a", "b", "a"],
            "dose (nM)": ["0", "1", "2", "1"], "note": ["", "x", "", ""],
        }
    )  # fmt: skip
    path = tmp_path_factory.mktemp("maps") / "map.csv"
    given_images = images(("1", "A01"), ("2", "B01"), ("1", "B02"))
    whole.to_csv(path, index=False)
    table, report = join_plate_map(given_images, read_plate_map(path))
    whole.iloc[list(rows)][columns].to_csv(path, index=False)
    again, same = join_plate_map(given_images, read_plate_map(path))
    pd.testing.assert_frame_equal(again[table.columns], table)
    assert same.sentences() == report.sentences()
