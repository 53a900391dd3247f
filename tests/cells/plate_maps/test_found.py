"""The plate map of a folder of images: given, found, chosen among several, left out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from workbooks import write_xlsx

from napari_impa.cells.folder import crop_source, crop_summary, read_cells
from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.plate_maps.found import NO_PLATE_MAP
from napari_impa.cells.plate_maps.plate_map import read_plate_map
from napari_impa.cells.source import open_source
from napari_impa.errors import ConditionError, SourceError

MAP = "well,compound\nA1,DMSO\nA2,DMSO\nB1,taxol\n"


def given(folder: Path, name: str = "layout.csv", text: str = MAP) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_plate_map_says_what_is_in_the_wells(plate: Path, tmp_path: Path) -> None:
    source = open_source(plate, plate_map=given(tmp_path))
    table = source.table.drop_duplicates("well")
    assert dict(zip(table["well"], table["compound"].fillna("-"), strict=True)) == {
        "A01": "DMSO", "A02": "DMSO", "B01": "taxol", "B02": "-",
    }  # fmt: skip
    assert source.plate_map is not None
    assert source.plate_map.without_row == (("BR1", "B02"),)
    said = source.describe().splitlines()
    assert "Plate map layout.csv (3 wells in rows): joined to 3 wells with images." in said
    assert "2 images of 1 well have no row in it: B02." in said
    assert source.choice.changed == {"plate_map": str((tmp_path / "layout.csv").absolute())}


def test_wells_of_several_plates_are_counted_apart(plate: Path, tmp_path: Path) -> None:
    rows = [f"{plate},{well},DMSO" for plate in ("BR1", "BR2") for well in ("A1", "A2", "B1")]
    source = open_source(plate, plate_map=given(tmp_path, text="\n".join(["plate,well,compound", *rows])))
    assert source.plate_map is not None
    assert source.plate_map.sentences()[0].startswith("Plate map layout.csv (3 wells in rows)")  # BR2 has no images
    two = read_plate_map(given(tmp_path, text="\n".join(["plate,well,compound", *rows])))
    assert two.form == "6 wells of 2 plates in rows"


def test_images_of_wells_without_a_row_are_left_out_and_counted(plate: Path, tmp_path: Path) -> None:
    cells = crop_source(plate, tmp_path / "x.cells", kind="crops", plate_map=given(tmp_path))
    assert sorted(set(cells.conditions)) == ["DMSO", "taxol"]
    assert cells.control == "DMSO"
    assert cells.history["left_out_without_label"] == 2
    assert "2 images without a label left out" in crop_summary(cells)
    kept = read_cells(plate, kind="crops", plate_map=tmp_path / "layout.csv", unlabelled="keep")
    assert sorted(set(kept.conditions)) == ["", "DMSO", "taxol"]
    assert np.array_equal(kept.pixels[kept.conditions != ""], cells.pixels[:])
    other = given(tmp_path, text="well,compound\nH12,DMSO\nC1,x\n")
    with pytest.raises(SourceError, match=r"layout.csv fits none of the wells .* are A01, A02, B01, B02, .* C01, H12;"):
        read_cells(plate, kind="crops", plate_map=other, label="compound")
    unknown = given(tmp_path, text="well,compound,dose\nA1,,1\nH12,DMSO,2\n")
    with pytest.raises(ConditionError, match=r"No image of screen has a label \(compound is empty\)"):
        read_cells(plate, kind="crops", plate_map=unknown, label="compound")


def test_the_only_table_that_fits_is_found_and_said(plate: Path) -> None:
    write_xlsx(plate / "layout.xlsx", {"s": [["well", "drug"], ["A1", "DMSO"], ["A2", "a"], ["B1", "b"], ["B2", "c"]]})
    given(plate, "notes.txt", "made by me\n")
    given(plate, "other.csv", "well,compound\nG1,x\nG2,y\n")
    source = open_source(plate)
    assert source.table["drug"].tolist() == ["DMSO", "DMSO", "a", "a", "b", "b", "c", "c"]
    assert any(
        "Plate map layout.xlsx found in the folder (guessed; another one, or none" in note for note in source.notes
    )
    tables = sorted(path.name for path in source.skipped if path.suffix != ".TIF" and path.suffix != ".HTD")
    assert tables == ["notes.txt", "other.csv"]
    without = open_source(plate, plate_map=NO_PLATE_MAP)
    assert "drug" not in without.table
    assert without.plate_map is None


def test_of_two_that_fit_none_is_used(plate: Path) -> None:
    given(plate, "a.csv")
    given(plate, "b.csv")
    source = open_source(plate)
    assert "compound" not in source.table
    assert any("a.csv and b.csv may be plate maps of it, and none was used" in note for note in source.notes)
    chosen = open_source(plate, choice=LayoutChoice(plate_map="b.csv"))  # a name in the folder is enough
    assert "compound" in chosen.table


def test_what_is_said_already_is_not_looked_for(tmp_path: Path, plate: Path) -> None:
    open_source(plate, plate_map=given(tmp_path)).save_table(tmp_path / "metadata.csv")
    given(tmp_path, "layout.csv", MAP.replace("taxol", "other"))
    source = open_source(tmp_path / "metadata.csv")
    assert source.plate_map is None
    assert "taxol" in set(source.table["compound"])
    again = open_source(tmp_path / "metadata.csv", plate_map=tmp_path / "layout.csv")
    assert "other" in set(again.table["compound_map"])


def test_a_map_that_is_given_has_to_fit(tmp_path: Path, plate: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no file .*missing\.csv"):
        open_source(plate, plate_map=tmp_path / "missing.csv")
    with pytest.raises(SourceError, match="of the plates X, Y, and the images are of BR1"):
        open_source(plate, plate_map=given(tmp_path, text="plate,well,compound\nX,A1,a\nY,A1,b\n"))


def test_cells_that_were_cut_before_take_a_plate_map_too(plate: Path, tmp_path: Path) -> None:
    crop_source(plate, tmp_path / "x.cells", kind="crops")
    cells = read_cells(tmp_path / "x.cells", plate_map=given(tmp_path), label="compound")
    assert len(cells) == 8
    assert cells.control == "DMSO"
    assert np.sum(cells.conditions == "taxol") == 2


def test_a_table_of_the_microscope_is_no_plate_map(plate: Path) -> None:
    given(plate, "stage.csv", "well,x,y\nA1,1,2\nA2,3,4\nB1,5,6\nB2,7,8\n")
    source = open_source(plate)
    assert source.plate_map is None
    assert "stage.csv" in {path.name for path in source.skipped}


def test_barcodes_are_found_before_the_maps_that_they_name(plate: Path) -> None:
    given(plate, "barcode_platemap.csv", "Assay_Plate_Barcode,Plate_Map_Name\nBR1,M\nBR2,M\n")
    (plate / "platemap").mkdir()
    given(plate / "platemap", "M.txt", "well_position\tbroad_sample\nA01\tDMSO\nA02\tx\nB01\ty\nB02\tz\n")
    source = open_source(plate)
    assert source.plate_map is not None
    assert source.plate_map.name == "barcode_platemap.csv"
    assert source.table["broad_sample"].tolist() == ["DMSO", "DMSO", "x", "x", "y", "y", "z", "z"]


def test_a_workbook_that_nothing_can_read_is_said(plate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_xlsx(plate / "layout.xlsx", {"s": [["well", "drug"], ["A1", "DMSO"]]})
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    assert any(
        "layout.xlsx may be a plate map: layout.xlsx is a workbook, which python-calamine reads: pip install" in note
        for note in open_source(plate).notes
    )


def test_the_table_of_plates_of_a_project_is_found_however_deep_it_lies(plate: Path) -> None:
    deep = plate / "workspace" / "metadata" / "platemaps" / "2021_04_26_Batch1"
    (deep / "platemap").mkdir(parents=True)
    given(deep / "platemap", "map_1.txt", MAP.replace(",", "\t"))
    given(deep, "barcode_platemap.csv", "Assay_Plate_Barcode,Plate_Map_Name\nBR1,map_1\n")
    source = open_source(plate)
    assert source.plate_map is not None
    assert (
        "workspace/metadata/platemaps/2021_04_26_Batch1/barcode_platemap.csv found in the folder (guessed"
        in " ".join(source.notes)
    )
