"""Tables of image sets: LoadData's columns, files named as on another computer, JUMP's and BBBC021's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.layouts.file_tables.found_files import local_path
from napari_impa.cells.source import Source, open_source
from napari_impa.cells.tables import guess_control, guess_labels
from napari_impa.errors import MissingDependencyError, SourceError


def image(path: Path, value: int, size: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full((size, size), value, np.uint16))
    return path


def table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def values(source: Source) -> list[list[int]]:
    return [source.image(row).pixels[:, 0, 0].tolist() for row in range(len(source))]


def plate(folder: Path, wells: Sequence[str] = ("A01", "A02"), first: int = 0) -> list[dict[str, object]]:
    """Images of DNA and ER in a folder, and what each row says of their wells and files' names."""
    rows: list[dict[str, object]] = []
    for number, well in enumerate(wells, first + 1):
        for channel, value in (("DNA", 10 * number), ("ER", 10 * number + 1)):
            image(folder / f"{well}-{channel}.tif", value)
        names = {f"FileName_Orig{channel}": f"{well}-{channel}.tif" for channel in ("DNA", "ER")}
        rows.append({**names, "Metadata_Well": well, "Metadata_Site": "1"})
    return rows


def test_a_plate_of_another_computer_is_found_and_that_is_said(tmp_path: Path) -> None:
    rows = plate(tmp_path / "images" / "BR001" / "Images")
    for row in rows:
        row |= {f"PathName_Orig{channel}": r"D:\screens\2021\BR001\Images" for channel in ("DNA", "ER")}
        row |= {"Metadata_Plate": "BR001", "Metadata_Compound": "DMSO", "Metadata_Batch": "007"}
    table(tmp_path / "load_data.csv", rows)
    source = open_source(tmp_path, kind="fields")
    assert source.channels == ("OrigDNA", "OrigER")
    assert source.nuclei_channel() == 0
    assert values(source) == [[10, 11], [20, 21]]
    assert source.table.to_dict("list") == {
        "plate": ["BR001"] * 2, "well": ["A01", "A02"], "site": [1, 1], "Compound": ["DMSO"] * 2, "Batch": ["007"] * 2,
    }  # fmt: skip
    assert source.notes == (
        f"load_data.csv is of another computer: took D:/screens/2021 for {tmp_path}/images (guessed).",
    )
    assert not source.skipped
    assert source.layout.startswith("load_data.csv (1 plate, 2 wells")
    alone = open_source(tmp_path / "load_data.csv", kind="fields")
    assert values(alone) == values(source)


def test_of_files_of_one_name_the_longest_common_end_of_the_path_counts(tmp_path: Path) -> None:
    rows = []
    for number, name in enumerate(("BR001", "BR002")):
        here = plate(tmp_path / "scope" / name / "Images", first=2 * number)
        for row in here:
            row |= {f"URL_Orig{c}": f"s3://bucket/x/{name}/Images/{row[f'FileName_Orig{c}']}" for c in ("DNA", "ER")}
            row["Metadata_Plate"] = name
        rows += here
    table(tmp_path / "load_data.csv", rows)
    assert values(open_source(tmp_path, kind="fields")) == [[10, 11], [20, 21], [30, 31], [40, 41]]


def test_the_files_of_a_plate_that_is_not_there_are_not_those_of_another(tmp_path: Path) -> None:
    rows = []
    for name in ("BR001", "BR002"):
        here = plate(tmp_path / name)
        rows += [row | {"PathName_OrigDNA": f"/x/{name}", "PathName_OrigER": f"/x/{name}"} for row in here]
    for file in (tmp_path / "BR002").iterdir():
        file.unlink()
    for row, name in zip(rows, ("BR001", "BR001", "BR002", "BR002"), strict=True):
        row["Metadata_Plate"] = name
    table(tmp_path / "load_data.csv", rows)
    source = open_source(tmp_path, kind="fields")
    assert source.table["plate"].tolist() == ["BR001", "BR001"]
    assert (
        "2 of 4 rows left out for want of a file: load_data.csv names in row 4 /x/BR002/A01-DNA.tif" in source.notes[0]
    )
    for file in (tmp_path / "BR001").iterdir():
        file.rename(tmp_path / file.name)
    with pytest.raises(
        SourceError, match=r"names /x/BR001/A01-DNA.tif in row 2 and /x/BR002/A01-DNA.tif in row 4, and b"
    ):
        open_source(tmp_path)


def test_a_name_that_fits_two_files_is_a_question(tmp_path: Path) -> None:
    rows = plate(tmp_path / "a")
    plate(tmp_path / "b")
    table(tmp_path / "load_data.csv", rows)
    with pytest.raises(SourceError, match=r"in row 2 A01-DNA.tif, and 2 files end so: a/A01-DNA.tif, b/A01-DNA.tif; g"):
        open_source(tmp_path)


def test_files_that_are_nowhere_are_said_by_row(tmp_path: Path) -> None:
    rows = plate(tmp_path / "images")
    for row in rows:
        row |= {f"URL_Orig{c}": f"s3://gallery/{row[f'FileName_Orig{c}']}" for c in ("DNA", "ER")}
    path = table(tmp_path / "load_data.csv", rows)
    (tmp_path / "images" / "A01-ER.tif").unlink()
    source = open_source(tmp_path, kind="fields")
    assert source.table["well"].tolist() == ["A02"]
    assert source.notes[0] == (
        f"1 of 2 rows left out for want of a file: load_data.csv names in row 2 s3://gallery/A01-ER.tif, which is not "
        f"there and nothing below {tmp_path} is called so; download the images into that folder first, as nothing is "
        "fetched from there."
    )
    (tmp_path / "images" / "A02-DNA.tif").unlink()
    with pytest.raises(SourceError, match=r"names in row 2 s3://gallery/A01-ER\.tif.*download the images"):
        open_source(path)
    # images of another kind beside a table that is of none of them
    with pytest.raises(SourceError, match=r"in row 2"):
        open_source(tmp_path)
    assert len(open_source(tmp_path, kind="fields", choice=LayoutChoice(layout="subfolders"))) == 2


def test_paths_that_are_there_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = plate(tmp_path / "far" / "away images")
    for row in rows:
        row["PathName_OrigDNA"] = str(tmp_path / "far" / "away images")
        row["URL_OrigER"] = (tmp_path / "far" / "away images" / str(row.pop("FileName_OrigER"))).as_uri()
    table(tmp_path / "tables" / "load_data.csv", rows)
    source = open_source(tmp_path / "tables" / "load_data.csv", kind="fields")
    assert values(source) == [[10, 11], [20, 21]]
    assert not source.notes
    assert not source.skipped


def test_jump_keeps_tables_and_images_apart(tmp_path: Path) -> None:
    rows = plate(tmp_path / "source_4" / "images" / "2021_batch" / "images" / "BR001__2021" / "Images")
    for row in rows:
        base = "s3://cellpainting-gallery/cpg0016-jump/source_4/images/2021_batch/images/BR001__2021/Images"
        row |= {f"URL_Orig{c}": f"{base}/{row.pop(f'FileName_Orig{c}')}" for c in ("DNA", "ER")}
        row |= {f"URL_Illum{c}": f"s3://cellpainting-gallery/illum/BR001_Illum{c}.npy" for c in ("DNA", "ER")}
        row |= {"Metadata_Plate": "BR001", "Metadata_Source": "source_4"}
    folder = tmp_path / "source_4" / "workspace" / "load_data_csv" / "2021_batch" / "BR001"
    table(folder / "load_data_with_illum.csv", rows)
    table(folder / "load_data.csv", [{k: v for k, v in row.items() if "Illum" not in k} for row in rows])
    for given in (folder, folder / "load_data.csv", tmp_path, tmp_path / "source_4"):
        source = open_source(given, kind="fields")
        assert source.channels == ("OrigDNA", "OrigER")
        assert values(source) == [[10, 11], [20, 21]]
        assert source.table["plate"].tolist() == ["BR001", "BR001"]
    told = open_source(tmp_path, kind="fields").skipped
    assert told == {
        folder / "load_data.csv": f"says no more than {(folder / 'load_data_with_illum.csv').relative_to(tmp_path)}"
    }


def test_bbbc021(tmp_path: Path) -> None:
    rows = []
    for number, (compound, dose) in enumerate([("DMSO", 0.0), ("taxol", 0.3), ("taxol", 3.0)], 1):
        row: dict[str, object] = {"TableNumber": 4, "ImageNumber": 200 + number}
        for channel, w in (("DAPI", 1), ("Tubulin", 2), ("Actin", 4)):
            name = f"Week1_150607_B02_s{number}_w{w}5A1B2C3D-0000-0000-0000-00000000000{number}.tif"
            image(tmp_path / "Week1" / "Week1_22123" / name, 10 * number + w)
            row |= {f"Image_FileName_{channel}": name, f"Image_PathName_{channel}": "Week1/Week1_22123"}
            row |= {f"Image_Metadata_Plate_{channel}": "Week1_22123", f"Image_Metadata_Well_{channel}": "B02"}
        rows.append(row | {"Replicate": 1, "Image_Metadata_Compound": compound, "Image_Metadata_Concentration": dose})
    table(tmp_path / "BBBC021_v1_image.csv", rows)
    table(tmp_path / "BBBC021_v1_moa.csv", [{"compound": "taxol", "concentration": 0.3, "moa": "stabilizer"}])
    source = open_source(tmp_path, kind="fields")
    assert source.channels == ("DAPI", "Tubulin", "Actin")
    assert values(source) == [[11, 12, 14], [21, 22, 24], [31, 32, 34]]
    found = source.table
    assert found["plate"].tolist() == ["Week1_22123"] * 3
    assert found["site"].tolist() == [1, 2, 3]
    assert found["Compound"].tolist() == ["DMSO", "taxol", "taxol"]
    assert found["Concentration"].tolist() == [0.0, 0.3, 3.0]
    assert guess_labels(found) == ["Compound", "Concentration"]
    assert guess_control(found, ["Compound"]) == "DMSO"
    assert [name for name in found if "Plate" in name or "Well" in name] == []


def test_frames_of_one_file_and_masks(tmp_path: Path) -> None:
    rows = []
    for number in (1, 2):
        stack = np.stack([np.full((8, 8), 10 * number + page, np.uint16) for page in range(3)])
        tifffile.imwrite(tmp_path / f"{number}.tif", stack, photometric="minisblack")
        labels = np.zeros((8, 8), np.uint16)
        labels[2:5, 2:5], labels[6:, 6:] = 1, 2
        tifffile.imwrite(tmp_path / f"{number}_nuclei.tif", labels)
        row: dict[str, object] = {f"FileName_{name}": f"{number}.tif" for name in ("ER", "DNA")}
        row |= {"Frame_ER": 2, "Frame_DNA": 0, "Series_DNA": 0, "Metadata_Well": f"A{number}"}
        rows.append(row | {"ObjectsFileName_Nuclei": f"{number}_nuclei.tif", "ObjectsFileName_Cells": "none.tif"})
    table(tmp_path / "sets.csv", rows)
    source = open_source(tmp_path)
    assert source.kind == "fields"
    assert source.channels == ("ER", "DNA")
    assert values(source) == [[12, 10], [22, 20]]
    assert source.has_masks
    labels_found = source.field(1).labels
    assert labels_found is not None
    assert labels_found.max() == 2
    table(tmp_path / "sets.csv", [row | {"Frame_ER": 3} for row in rows])
    with pytest.raises(SourceError, match=r"has 3 frames, and its table asks for frame 3 \(from 0\)"):
        open_source(tmp_path)


def test_wells_by_row_and_column_and_sites_by_their_order(tmp_path: Path) -> None:
    rows = plate(tmp_path, ["x1", "x2", "x3"])
    for row, column in zip(rows, (1, 1, 12), strict=True):
        row.pop("Metadata_Site")
        row.pop("Metadata_Well")
        row |= {"Metadata_Row": 2, "Metadata_Col": column, "Metadata_PlaneID": 1}
    path = table(tmp_path / "load_data.csv", rows)
    found = open_source(path, kind="fields").table
    assert found["well"].tolist() == ["B01", "B01", "B12"]
    assert found["site"].tolist() == [1, 2, 1]
    bare = [{key: value for key, value in row.items() if "Metadata" not in key} for row in rows]
    source = open_source(table(tmp_path / "load_data.csv", bare), kind="fields")
    assert source.table["site"].tolist() == ["x1-DNA", "x2-DNA", "x3-DNA"]
    again = table(tmp_path / "load_data.csv", [*rows, rows[0]])
    with pytest.raises(SourceError, match=r"has x1-DNA\.tif in rows 2 and 5; keep one row"):
        open_source(again, choice=LayoutChoice(layout="load_data"))


def test_a_field_in_two_rows_is_refused(tmp_path: Path) -> None:
    rows = plate(tmp_path, ["A01", "A02"])
    rows[1]["Metadata_Well"] = "a1"
    path = table(tmp_path / "load_data.csv", rows)
    with pytest.raises(SourceError, match=r"has A01 site 1 in rows 2 and 3"):
        open_source(path)


def test_tables_of_cells_and_of_other_images_are_no_source(tmp_path: Path) -> None:
    plate(tmp_path, ["x1", "x2"])
    table(tmp_path / "Nuclei.csv", [{"Image_FileName_DNA": "x1-DNA.tif", "Location_Center_X": 3, "ObjectNumber": 1}])
    assert open_source(tmp_path, kind="fields").layout == "a flat folder"
    with pytest.raises(SourceError, match="needs a column 'file'"):
        open_source(tmp_path / "Nuclei.csv")
    with pytest.raises(SourceError, match="holds no table of image sets"):
        open_source(tmp_path, choice=LayoutChoice(layout="load_data"))
    table(tmp_path / "load_data.csv", [{"FileName_DNA": "left.tif", "PathName_DNA": "/over"}])
    with pytest.raises(SourceError, match=r"names in row 2 /over/left\.tif, which is not there"):
        open_source(tmp_path)  # and not the images without the table that they may belong to


def test_a_plate_is_called_as_chosen(tmp_path: Path) -> None:
    rows = [row | {"Metadata_Compound": "DMSO"} for row in plate(tmp_path)]
    found = open_source(table(tmp_path / "load_data.csv", rows), choice=LayoutChoice(plate="BR9")).table
    assert found["plate"].tolist() == ["BR9", "BR9"]
    assert found["Compound"].tolist() == ["DMSO", "DMSO"]


def test_addresses_and_paths_of_both_systems() -> None:
    assert local_path("file:/data/a.tif") == "/data/a.tif"
    assert local_path("file:///C:/a%20b/c.tif") == "C:/a b/c.tif"
    assert local_path(r"\\server\share\a.tif") == "//server/share/a.tif"
    assert local_path("C:\\x\\y.tif") == "C:/x/y.tif"
    assert local_path("https://host/a.tif") is None


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_a_parquet_table_says_what_reads_it(tmp_path: Path) -> None:
    image(tmp_path / "a.tif", 1)
    (tmp_path / "load_data.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingDependencyError, match="pip install pyarrow"):
        open_source(tmp_path)
    table(tmp_path / "load_data.csv", plate(tmp_path))
    source = open_source(tmp_path, kind="fields")
    assert len(source) == 2
    assert "pyarrow reads" in source.skipped[tmp_path / "load_data.parquet"]


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_a_parquet_table_is_read_as_csv_is(tmp_path: Path) -> None:
    rows = pd.DataFrame(plate(tmp_path)).assign(Metadata_Plate="001")
    rows.to_parquet(tmp_path / "load_data.parquet")
    source = open_source(tmp_path, kind="fields")
    assert values(source) == [[10, 11], [20, 21]]
    assert source.table["plate"].tolist() == ["001", "001"]
