"""Plates that are read by the names of their files, as people and programs name them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from stub_plates import stub_plate, write_plates

from napari_impa.cells.layouts import LayoutChoice, Listing, list_source
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError

GUID = "0A1B2C3D-1111-2222-3333-0123456789AB"


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / name)
        else:
            tifffile.imwrite(folder / name, np.zeros((4, 6), np.uint16), metadata=None)


def said(listing: Listing) -> tuple[str, list[list[object]], tuple[str, ...] | int]:
    """Layout, rows of the table, and channels: their names, or how many files a field has."""
    names = listing.channels or len(listing.entries[0].files)
    return listing.layout.partition(" (")[0], listing.table.values.tolist(), names


@pytest.mark.parametrize(
    ("names", "layout", "rows", "channels"),
    [
        (["A01_s1_DNA.tif", "A01_s1_actin.tif"], "wells in the names of files", [["p", "A01", 1]], ("actin", "DNA")),
        (["x_b7_f02_ch1.tif", "x_b7_f02_ch2.tif"], "", [], ()),  # b7 in lower case may be anything
        (["x_B7_f02_ch1.tif", "x_B7_f02_ch2.tif"], "wells in the names of files", [["p", "B07", 2]], 2),
        (["A01-DAPI.tif", "A01-GFP.tif", "B01-DAPI.tif", "B01-GFP.tif"], "wells in the names of files",
         [["p", "A01", 1], ["p", "B01", 1]], ("DAPI", "GFP")),
        (["C01.tif", "C02.tif"], "wells in the names of files", [["p", "C01", 1], ["p", "C02", 1]], 1),
        (["B02_s1_w1.png", "B02_s1_w2.png"], "wells in the names of files", [["p", "B02", 1]], 2),
        ([f"exp_B02_s1_w{w}{GUID}.tif" for w in (1, 2)], "ImageXpress", [["p", "B02", 1]], 2),
        ([f"exp_B02_w{w}.TIF" for w in (1, 2)], "ImageXpress", [["p", "B02", 1]], 2),
        (["exp_B02_s1.TIF", "exp_B02_s2.TIF"], "ImageXpress", [["p", "B02", 1], ["p", "B02", 2]], 1),
        ([f"{p}_B02_s1_w{w}.TIF" for p in ("P1", "P2") for w in (1, 2)], "ImageXpress",
         [["P1", "B02", 1], ["P2", "B02", 1]], 2),
        ([f"exp_MMStack_A{c}-Site_0.ome.tif" for c in (1, 2)], "Micro-Manager", [["p", "A01", 0], ["p", "A02", 0]], 1),
        ([f"Pos{p}/img_000000000_{c}_000.tif" for p in (0, 1) for c in ("DAPI", "GFP")], "Micro-Manager",
         [["p", 0], ["p", 1]], ("DAPI", "GFP")),
        (["r01c02f03p01-ch1sk1fk1fl1.tiff", "r01c02f03p01-ch2sk1fk1fl1.tiff"], "Opera Phenix or Operetta",
         [["p", "A02", 3]], 2),
    ],
)  # fmt: skip
def test_names(
    tmp_path: Path, names: list[str], layout: str, rows: list[list[object]], channels: tuple[str, ...] | int
) -> None:
    put(tmp_path / "p", *names)
    if layout:
        assert said(list_source(tmp_path / "p")) == (layout, rows, channels)
    else:
        assert list_source(tmp_path / "p").layout == "a flat folder"


@pytest.mark.parametrize(
    "names",
    [
        ["A01_cell1.tif", "A01_cell2.tif", "A02_cell3.tif"],  # words that are no channels: each is there once
        ["day1/img.tif", "day2/img.tif"],
        ["w1.tif", "w2.tif"],
    ],
)
def test_names_that_say_something_else(tmp_path: Path, names: list[str]) -> None:
    put(tmp_path, *names)
    listing = list_source(tmp_path)
    assert not {"plate", "well"} & set(listing.table)
    assert [len(entry.files) for entry in listing.entries] == [1] * len(names)


@pytest.mark.parametrize("folder", ["DMSO", "untreated"])
def test_wells_below_folders_of_conditions(tmp_path: Path, folder: str) -> None:
    put(tmp_path, *(f"{c}/B02_s{s}_w{w}.tif" for c in (folder, "taxol") for s in (1, 2) for w in (1, 2)))
    put(tmp_path, "taxol/overview.tif")
    listing = list_source(tmp_path)
    assert sorted(listing.table["condition"]) == sorted([folder] * 2 + ["taxol"] * 2)
    assert {file.name for file in listing.skipped} == {"overview.tif"}


def test_what_was_guessed_from_names_is_said(tmp_path: Path) -> None:
    put(tmp_path, "A01_s1_DNA.tif", "A01_s1_actin.tif")
    (note,) = list_source(tmp_path).notes
    assert note == "Wells and sites were read from names (guessed): A01_s1_DNA.tif is well A01, site 1, channel DNA."


def test_twelve_channels_are_in_order(tmp_path: Path) -> None:
    put(tmp_path, *(f"exp_A01_s1_w{w}.tif" for w in range(1, 13)))
    source = open_source(tmp_path, kind="fields")
    assert source.channels == tuple(f"channel {w}" for w in range(1, 13))
    assert [file.stem.rpartition("w")[2] for file in source.entries[0].files] == [str(w) for w in range(1, 13)]


def test_rxrx1_has_what_its_table_says_of_a_site(tmp_path: Path) -> None:
    write_plates(tmp_path, "rxrx1", stub_plate(wells=["B02"]), stub_plate(wells=["B02"], plate=2))
    table = pd.read_csv(tmp_path / "metadata.csv").assign(well_type="treatment", sirna="s21721", sirna_id=7)
    table[table["site"] == 1].to_csv(tmp_path / "metadata.csv", index=False)
    listing = list_source(tmp_path)
    assert listing.table["plate"].tolist() == ["HUVEC-01_Plate1"] * 2 + ["HUVEC-01_Plate2"] * 2
    assert listing.table["sirna"].fillna("").tolist() == ["s21721", "", "s21721", ""]
    assert listing.table["cell_type"].fillna("").tolist() == ["HUVEC", "", "HUVEC", ""]
    assert listing.notes == ("metadata.csv says nothing of 2 sites, the first being HUVEC-01_Plate1 B02 site 2.",)
    alone = list_source(tmp_path / "images" / "HUVEC-01")
    assert alone.layout.startswith("RxRx1")
    assert set(alone.table["plate"]) == {"HUVEC-01_Plate1", "HUVEC-01_Plate2"}


def test_cellomics_own_format_asks_for_an_export(tmp_path: Path) -> None:
    (tmp_path / "MFGTMP_1_A01f00d0.C01").write_bytes(b"x")
    with pytest.raises(
        SourceError, match=r"A01f00d0\.C01 is in the format of Cellomics itself; export the plate as TIFF"
    ):
        list_source(tmp_path)


def test_overlays_of_cellomics_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "M_A01f00d0.TIF", "M_A01f00d1.TIF", "M_A01f00o1.TIF")
    listing = list_source(tmp_path)
    assert [len(entry.files) for entry in listing.entries] == [2]
    assert list(listing.skipped.values()) == ["an overlay of what the instrument found"]


def test_a_layout_may_be_forced_on_other_names(tmp_path: Path) -> None:
    put(tmp_path, "exp_A01_s1_w1.TIF", "exp_A01_s1_w2.TIF")
    listing = list_source(tmp_path, LayoutChoice(layout="names"))
    assert said(listing)[0] == "wells in the names of files"
    with pytest.raises(SourceError, match=r"holds no image that Cellomics names so; choose the folder of a plate"):
        list_source(tmp_path, LayoutChoice(layout="cellomics"))


@pytest.mark.parametrize(("site", "kind"), [("s1", "fields"), ("1", "crops")])
def test_what_is_called_a_site_is_a_field_however_small(tmp_path: Path, site: str, kind: str) -> None:
    for channel in ("DNA", "Actin"):
        tifffile.imwrite(tmp_path / f"A01_{site}_{channel}.tif", np.zeros((8, 8), np.uint16))
    assert open_source(tmp_path).kind == kind


def test_a_time_of_imagexpress_alone_has_the_channels_that_the_plate_names(tmp_path: Path) -> None:
    plate = write_plates(tmp_path, "imagexpress", stub_plate("BR1", ["A01"], sites=1)) / "BR1"
    whole, part = list_source(plate), list_source(plate / "TimePoint_1")
    assert whole.channels == part.channels == ("DNA", "actin", "tubulin")
    assert part.table["plate"].tolist() == ["BR1"]
    (plate / "TimePoint_1").rename(plate / "mine")
    assert list_source(plate / "mine").channels is None  # what lies around a folder of any name is not its own
