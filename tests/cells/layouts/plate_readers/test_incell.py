"""InCell: all forms of its names, its `.xdce`, damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from stub_plates import stub_plate, write_plates

from napari_impa.cells.layouts import LayoutChoice, list_source
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Two wells of two sites and three channels."""
    return write_plates(tmp_path / "plates", "incell", stub_plate("BR1", ["A01", "B02"])) / "BR1"


def written(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        tifffile.imwrite(folder / name, np.zeros((8, 8), np.uint16))
    return folder


@pytest.mark.parametrize(
    ("names", "well", "site", "channels"),
    [
        (["A - 01(fld 1 wv 390 - Blue).tif", "A - 01(fld 1 wv 473 - G).tif"], "A01", 1, ("390 - Blue", "473 - G")),
        (["A - 1(fld 12 wv DAPI - DAPI).tif", "A - 1(fld 12 wv Cy5 - Cy5).tif"], "A01", 12, ("Cy5", "DAPI")),
        (["P - 24(fld 3 wv Green - dsRed z 1).tif"], "P24", 3, ("Green - dsRed",)),
        (["AB - 03(fld 1 wv Cy3 - Cy3).TIFF"], "AB03", 1, ("Cy3",)),
        (["C - 2(wv DAPI - DAPI).tif", "C - 2(wv FITC - FITC).tif"], "C02", 1, ("DAPI", "FITC")),
        (["Plate1_B - 01(fld 01 wv 390 - Blue).tif"], "B01", 1, ("390 - Blue",)),
        (["B - 4(fld 1 wv CFP - CFP- time 1 - 0 ms).tif"], "B04", 1, ("CFP",)),
        (
            ["B - 03(fld 2 wv TL-Brightfield - Cy3 wix 2).tif", "B - 03(fld 2 wv TL-Phase Contrast - Cy3 wix 1).tif"],
            "B03", 2, ("TL-Phase Contrast - Cy3", "TL-Brightfield - Cy3"),
        ),
    ],
)  # fmt: skip
def test_all_forms_of_names(tmp_path: Path, names: list[str], well: str, site: int, channels: tuple[str, ...]) -> None:
    listing = list_source(written(tmp_path / "BR1", *names))
    assert listing.table.to_dict("list") == {"plate": ["BR1"], "well": [well], "site": [site]}
    assert listing.channels == channels
    assert listing.layout == "InCell Analyzer (1 plate, 1 well)"


def test_z_and_time_of_a_name_are_told_from_its_wavelengths(tmp_path: Path) -> None:
    names = [f"A - 1(fld 1 wv DAPI - DAPI z {z} - time {t} - {t * 60000} ms).tif" for z in (1, 2, 3) for t in (1, 2)]
    root = written(tmp_path / "BR1", *names)
    assert "the first of 2 times; maximum projection of 3 Z planes" in list_source(root).layout
    entry = list_source(root, LayoutChoice(z=2, time=2)).entries[0]
    assert [file.name for file in entry.files] == ["A - 1(fld 1 wv DAPI - DAPI z 2 - time 2 - 120000 ms).tif"]


def test_several_plates_in_one_folder_are_told_by_what_comes_before_the_well(tmp_path: Path) -> None:
    names = [f"{plate}_B - 01(fld 1 wv 390 - Blue).tif" for plate in ("P1", "P2")]
    assert list_source(written(tmp_path / "all", *names)).table["plate"].tolist() == ["P1", "P2"]


def test_the_order_of_channels_is_that_of_the_description(plate: Path) -> None:
    file = plate / "BR1.xdce"
    text = file.read_text()
    file.write_text(text.replace('wave_index="0"', 'wave_index="5"'))
    assert open_source(plate, kind="fields").channels == ("actin", "tubulin", "DNA")


def test_positions_are_those_of_the_image_or_else_of_the_plan(plate: Path) -> None:
    assert list_source(plate).table["position_x_um"].tolist() == [0.0, 300.0, 0.0, 300.0]
    file = plate / "BR1.xdce"
    file.write_text(file.read_text().replace("</Image>", '<PlatePosition_um x="7.5" y="9"/></Image>'))
    table = list_source(plate).table
    assert set(table["position_x_um"]) == {7.5}
    assert set(table["position_y_um"]) == {9.0}


def test_by_names_alone_there_is_no_pixel_size(plate: Path) -> None:
    (plate / "BR1.xdce").unlink()
    source = open_source(plate, kind="fields")
    assert (set(source.channels), source.pixel_size) == ({"DNA", "actin", "tubulin"}, None)
    assert source.table["well"].tolist() == ["A01", "A01", "B02", "B02"]


def test_a_listed_image_that_is_missing_is_said(plate: Path) -> None:
    (plate / "B - 02(fld 2 wv tubulin - tubulin).tif").unlink()
    assert "The .xdce lists 1 image that is not there." in list_source(plate).notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<ImageStack><Image", "is damaged or half written"),
        ("<html/>", "describes no images of InCell"),
        ('<ImageStack><ObjectiveCalibration pixel_width="wide"/></ImageStack>', "has something else where a number"),
    ],
)
def test_a_damaged_description_is_one_sentence(plate: Path, text: str, said: str) -> None:
    (plate / "BR1.xdce").write_text(text)
    with pytest.raises(SourceError, match=rf"BR1\.xdce {said}"):
        list_source(plate)
