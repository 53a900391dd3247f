"""Cells cut around the centres of a table: of CSV, CellProfiler's files and its database, with their columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_impa.cells.folder import crop_source, read_cells
from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.cells.store import Cells
from napari_impa.errors import SourceError

CENTRES = [(12, 9), (30, 20), (21, 33)]  # y, x


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Two wells; each pixel says where it is."""
    folder = tmp_path / "P1"
    folder.mkdir()
    y, x = np.mgrid[:48, :40]
    for number, well in enumerate(("A01", "B02")):
        pixels = (1000 * number + 48 * x + y).astype(np.uint16)
        for channel in (1, 2):
            tifffile.imwrite(folder / f"P1_{well}_s1_w{channel}.tif", pixels + 5000 * (channel - 1))
    return folder


def rows(prefix: str = "", **more: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for well in ("A01", "B02"):
        for number, (y, x) in enumerate(CENTRES, 1):
            one: dict[str, object] = {f"{prefix}x": x + 0.3, f"{prefix}y": y - 0.4, "area": 10.5 * number}
            found.append({**one, **{name: value.format(well=well, number=number) for name, value in more.items()}})
    return found


def cut(plate: Path, table: Path) -> Cells:
    return crop_source(plate, size=8, choice=LayoutChoice(centres=str(table)))


def is_right(cells: Cells, labels: tuple[int, ...] = (1, 2, 3)) -> bool:
    """Whether each crop is centred on its row's place, and the columns are of the same row."""
    table = cells.table
    centre = cells.pixels[:, 0, 4, 4]
    second = table["well"].eq("B02").to_numpy()
    assert list(zip(table["y"], table["x"], strict=True)) == CENTRES * 2
    assert table["label"].tolist() == [*labels, *labels]
    assert table["area"].tolist() == [10.5, 21.0, 31.5] * 2
    return bool(np.all(centre == 48 * table["x"] + table["y"] + 1000 * second))


def test_by_wells_and_by_files(plate: Path, tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    pd.DataFrame(rows(Well="{well}", site="1")).to_csv(table, index=False)
    cells = cut(plate, table)
    assert is_right(cells)
    assert cells.history["read_with"] == {"centres": str(table)}
    assert "Well" not in cells.table
    pd.DataFrame(rows(file="D:\\x\\P1_{well}_s1_w2.TIF")[::-1]).to_csv(table, index=False)
    found = cut(plate, table).table.sort_values(["well", "area"])  # cells come in the order of their labels
    assert list(zip(found["y"], found["x"], strict=True)) == CENTRES * 2
    source = open_source(plate, choice=LayoutChoice(centres=str(table)))
    assert source.has_masks
    assert source.notes == ("Cells are cut around the 6 centres of cells.csv.",)


def test_cellprofilers_files(plate: Path, tmp_path: Path) -> None:
    objects = pd.DataFrame(rows("Location_Center_")).rename(columns=lambda name: name.replace("r_x", "r_X"))
    objects = objects.rename(columns={"Location_Center_y": "Location_Center_Y"})
    objects = objects.assign(ImageNumber=[7] * 3 + [9] * 3, ObjectNumber=[4, 5, 6] * 2)
    out = tmp_path / "out"
    out.mkdir()
    objects.to_csv(out / "Nuclei.csv", index=False)
    with pytest.raises(SourceError, match="does not say from which image each cell is"):
        cut(plate, out / "Nuclei.csv")
    names = {7: "P1_A01_s1_w1.tif", 9: "P1_B02_s1_w1.tif"}
    images = [{"ImageNumber": number, "FileName_DNA": name, "Count_Nuclei": 3} for number, name in names.items()]
    pd.DataFrame(images).to_csv(out / "Image.csv", index=False)
    cells = cut(plate, out / "Nuclei.csv")
    assert is_right(cells, (4, 5, 6))
    assert "Count_Nuclei" not in cells.table


def test_cellprofilers_database(plate: Path, tmp_path: Path) -> None:
    objects = pd.DataFrame(rows("Nuclei_Location_Center_")).rename(
        columns={f"Nuclei_Location_Center_{a}": f"Nuclei_Location_Center_{a.upper()}" for a in "xy"}
    )
    objects = objects.assign(TableNumber=1, ImageNumber=[1] * 3 + [2] * 3, ObjectNumber=[1, 2, 3] * 2)
    images = pd.DataFrame({
        "TableNumber": [1, 1, 2], "ImageNumber": [1, 2, 1], "Image_Metadata_Well": ["a1", "B2", "H12"],
        "Metadata_Site": [1, 1, 1], "Image_FileName_OrigDNA": ["r01c01.tiff", "r02c02.tiff", "r08c12.tiff"],
    })  # fmt: skip
    path = tmp_path / "P1.sqlite"
    with closing(sqlite3.connect(path)) as database:
        objects.to_sql("Nuclei", database, index=False)
        images.to_sql("Image", database, index=False)
        objects.iloc[:0].to_sql("Cells", database, index=False)
    cells = cut(plate, path)
    assert is_right(cells)
    (tmp_path / "no.sqlite").write_bytes(b"none")
    with pytest.raises(SourceError, match="cannot be read as a database"):
        cut(plate, tmp_path / "no.sqlite")


def test_cytotables_parquet(plate: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    objects = pd.DataFrame(rows("Nuclei_Location_Center_")).rename(
        columns={f"Nuclei_Location_Center_{a}": f"Nuclei_Location_Center_{a.upper()}" for a in "xy"}
    )
    files = ["P1_A01_s1_w1.tif"] * 3 + ["P1_B02_s1_w1.tif"] * 3
    objects = objects.assign(
        Metadata_ImageNumber=[1] * 3 + [2] * 3, Metadata_ObjectNumber=[1, 2, 3] * 2, Image_FileName_DNA=files,
        Image_PathName_DNA="/home/ubuntu", Image_Metadata_Well=["A01"] * 3 + ["B02"] * 3,
    )  # fmt: skip
    path = tmp_path / "cells.parquet"
    objects.to_parquet(path)
    cells = cut(plate, path)
    assert is_right(cells)
    assert "Image_PathName_DNA" not in cells.table
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"cells\.parquet cannot be read as a parquet table"):
        cut(plate, path)


def test_what_is_amiss_is_said(plate: Path, tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    given = rows(well="{well}")
    given += [{"x": "", "y": 3, "well": "A01", "area": 1.0}, {"x": 9, "y": 12, "well": "A01", "area": 2.0}]
    given += [{"x": 5, "y": 3, "well": "C07", "area": 1.0}]
    pd.DataFrame(given).to_csv(table, index=False)
    choice = LayoutChoice(centres=str(table))
    assert open_source(plate, choice=choice).notes == (
        "Cells are cut around the 6 centres of cells.csv; 1 more of images that are not here; 1 on the same pixel as "
        "another, left out; 1 without numbers.",
    )
    pd.DataFrame([*rows(well="{well}"), {"x": 44, "y": 3, "well": "A01"}]).to_csv(table, index=False)
    with pytest.raises(SourceError, match=r"a cell at x 44, y 3 of P1_A01_s1, which is 40 px wide and 48 high"):
        read_cells(plate, size=8, choice=choice)
    pd.DataFrame(rows(well="H{number}")).to_csv(table, index=False)
    with pytest.raises(SourceError, match=r"None of the cells of cells\.csv is of an image of this source"):
        open_source(plate, choice=choice)
    pd.DataFrame({"well": ["A01"], "area": [1]}).to_csv(table, index=False)
    with pytest.raises(SourceError, match=r"has no centres of cells: it needs columns x and y"):
        open_source(plate, choice=choice)
    with pytest.raises(SourceError, match="There is no table of cells"):
        open_source(plate, choice=LayoutChoice(centres="nowhere.csv"))


def test_fields_that_the_table_does_not_tell_apart_are_a_question(plate: Path, tmp_path: Path) -> None:
    for file in list(plate.iterdir()):
        (plate / file.name.replace("_s1", "_s2")).write_bytes(file.read_bytes())
    table = tmp_path / "cells.csv"
    pd.DataFrame(rows(well="{well}")).to_csv(table, index=False)
    with pytest.raises(SourceError, match=r"does not tell the fields P1_A01_s1 and P1_A01_s2 apart"):
        open_source(plate, choice=LayoutChoice(centres=str(table)))
