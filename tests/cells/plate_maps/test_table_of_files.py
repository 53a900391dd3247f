"""The joined table as metadata.csv: edited, and given back as the source of the same cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from stub_plates import stub_plate, write_plates

from napari_impa.cells.folder import crop_source
from napari_impa.cells.layouts import AS_FOUND, LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.errors import CellsError, SourceError

MAP = "well,compound,dose (nM)\nA1,DMSO,0\nA2,0E8,0.5\nB1,1E3,1e-05\nB2,001,2\n"


@pytest.fixture
def plate_map(tmp_path: Path) -> Path:
    path = tmp_path / "layout.csv"
    path.write_text(MAP)
    return path


@pytest.mark.parametrize(
    ("depth", "choice"), [(1, AS_FOUND), (3, AS_FOUND), (3, LayoutChoice(z=2)), (3, LayoutChoice(z="sharpest"))]
)
def test_it_gives_the_same_cells(tmp_path: Path, plate_map: Path, depth: int, choice: LayoutChoice) -> None:
    images = stub_plate("BR1", ("A01", "A02", "B01", "B02"), z=depth)
    rng = np.random.default_rng(0)
    noisy = replace(images, pixels=lambda *at: images.pixels(*at) + rng.integers(0, 99, (3, 8, 8), dtype=np.uint16))
    folder = write_plates(tmp_path / "screen", "imagexpress", noisy)
    source = open_source(folder, choice=choice, plate_map=plate_map)
    out = tmp_path / "elsewhere" / "metadata.csv"
    source.save_table(out)
    expected = crop_source(replace(source, kind="crops"))
    edited = pd.read_csv(out, dtype=str, keep_default_na=False)
    edited.sample(frac=1, random_state=0).sort_values(["well", "site", "channel"]).to_csv(out, index=False)
    cells = crop_source(out, kind="crops", choice=LayoutChoice(z=choice.z) if choice.z == "sharpest" else AS_FOUND)
    assert np.array_equal(cells.pixels, expected.pixels)
    assert cells.conditions.tolist() == expected.conditions.tolist()
    assert sorted(set(cells.conditions)) == ["001 2", "0E8 0.5", "1E3 1e-05", "DMSO"]
    assert (cells.channels, cells.pixel_size) == (expected.channels, expected.pixel_size)
    assert list(cells.table.columns) == list(expected.table.columns)
    assert cells.table["field"].tolist() == expected.table["field"].tolist()


def test_files_of_all_channels_and_masks(tmp_path: Path, plate_map: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for well in ("A01", "A02"):
        tifffile.imwrite(
            folder / f"{well}.tif",
            np.arange(128, dtype=np.uint16).reshape(2, 8, 8),
            imagej=True,
            metadata={"axes": "CYX"},
        )
        tifffile.imwrite(folder / f"{well}_mask.tif", np.ones((8, 8), np.uint16))
    rows = "".join(f"{well}.tif,{well},{well}_mask.tif,x\n" for well in ("A01", "A02"))
    (folder / "metadata.csv").write_text(f"file,well,mask_file,label\n{rows}")
    table = open_source(folder, plate_map=plate_map).save_table(tmp_path / "out.csv")
    assert table.columns.tolist() == ["field_name", "file", "mask_file", "well", "label", "compound", "dose (nM)"]
    assert table["file"].tolist() == ["in/A01.tif", "in/A02.tif"]
    again = open_source(tmp_path / "out.csv")
    assert again.has_masks
    assert [entry.name for entry in again.entries] == ["A01.tif", "A02.tif"]


def test_nothing_known_leaves_a_column_to_fill_in_and_nothing_is_overwritten(tmp_path: Path, plate: Path) -> None:
    source, out = open_source(plate), tmp_path / "metadata.csv"
    assert set(source.save_table(out)["compound"]) == {""}
    out.write_text("edited")
    with pytest.raises(CellsError, match=r"metadata\.csv exists, perhaps edited.*--overwrite"):
        source.save_table(out)
    assert out.read_text() == "edited"
    source.save_table(out, overwrite=True)
    assert len(open_source(out)) == len(source)
    crop_source(plate, tmp_path / "x.cells", kind="crops")
    with pytest.raises(SourceError, match="is cells already"):
        open_source(tmp_path / "x.cells").save_table(tmp_path / "other.csv")


def test_pixel_sizes_and_planes_that_make_no_sense(tmp_path: Path, plate: Path) -> None:
    out = tmp_path / "metadata.csv"
    table = open_source(plate).save_table(out)
    table["pixel_size_um"] = np.arange(len(table)) + 1.0
    table.to_csv(out, index=False)
    with pytest.raises(SourceError, match="gives 1, 2 as pixel_size_um; give one size"):
        open_source(out)
    table["pixel_size_um"], table["z"] = 0.5, np.tile([1, 2, 3], len(table) // 3)
    table.to_csv(out, index=False)
    assert open_source(out).table["z"].tolist() == [1] * 8  # one plane a channel: it is a position, and no stack


def test_small_fields_stay_fields(tmp_path: Path, plate: Path) -> None:
    open_source(plate).save_table(tmp_path / "metadata.csv")
    again = open_source(tmp_path / "metadata.csv")
    assert (again.kind, again.shape) == ("fields", (8, 8))
    table = (
        pd.read_csv(tmp_path / "metadata.csv").drop(columns=["field_name", "site"]).drop_duplicates(["well", "channel"])
    )
    table.to_csv(tmp_path / "crops.csv", index=False)
    assert open_source(tmp_path / "crops.csv").kind == "crops"


def test_no_column_to_fill_in_beside_what_a_map_says(tmp_path: Path, plate: Path) -> None:
    layout = tmp_path / "layout.csv"
    layout.write_text("Treatments,1,2\nA,DMSO,taxol\nB,DMSO,x\n\nConcentration (nM)\n,1,2\nA,0,10\nB,0,1\n")
    table = open_source(plate, plate_map=layout).save_table(tmp_path / "metadata.csv")
    assert table.columns.tolist()[-2:] == ["Treatments", "Concentration (nM)"]
