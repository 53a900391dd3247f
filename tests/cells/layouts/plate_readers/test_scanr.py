"""ScanR: wells by number on a plate whose size is guessed or said, its description, its older names, damaged files."""

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
    """Two wells, 2 and 13, of two sites and three channels."""
    return write_plates(tmp_path / "plates", "scanr", stub_plate("BR1", ["A02", "B01"])) / "BR1"


def description(plate: Path) -> Path:
    return plate / "data" / "metadata.ome.xml"


def renamed(plate: Path) -> Path:
    """Files whose names say nothing, so that only the description does."""
    text = description(plate).read_text(encoding="utf-8")
    for number, file in enumerate(sorted((plate / "data").glob("*.tif"))):
        name = f"image_{number:03d}.tif"
        text = text.replace(file.name, name)
        file.rename(file.with_name(name))
    description(plate).write_text(text, encoding="utf-8")
    return plate


def test_of_numbered_wells_the_plate_is_guessed_and_said(plate: Path) -> None:
    source = open_source(renamed(plate), kind="fields")
    assert source.table["well"].tolist() == ["A02", "A02", "B01", "B01"]
    assert source.channels == ("DNA", "actin", "tubulin")
    assert source.pixel_size == 0.65
    assert source.table["position_x_um"].tolist() == [300.0, 600.0, 300.0, 600.0]
    assert source.notes == (
        "ScanR only numbers the wells, 2 to 13; a plate of 96 wells was taken (guessed), on which well 13 is B01; "
        "where it has another size, say so with --wells.",
    )


@pytest.mark.parametrize(("wells", "named"), [(24, ["A02", "C01"]), (48, ["A02", "B05"]), (384, ["A02", "A13"])])
def test_a_plate_whose_size_is_chosen(plate: Path, wells: int, named: list[str]) -> None:
    listing = list_source(renamed(plate), LayoutChoice(wells=wells))
    assert listing.table["well"].unique().tolist() == named
    assert not listing.notes


def test_a_chosen_plate_that_is_too_small_is_one_sentence(plate: Path) -> None:
    with pytest.raises(SourceError, match="A plate of 12 wells has no well 13, which ScanR numbers"):
        list_source(renamed(plate), LayoutChoice(wells=12))


def test_names_that_begin_with_the_well_leave_nothing_to_guess(plate: Path) -> None:
    listing = list_source(plate)
    assert listing.table["well"].unique().tolist() == ["A02", "B01"]
    assert not listing.notes


def test_a_plate_in_the_description_leaves_nothing_to_guess(plate: Path) -> None:
    renamed(plate)
    wells = "".join(
        f'<Well ID="Well:{number}" Row="{row}" Column="{column}"><WellSample ID="S{number}">'
        f'<ImageRef ID="Image:W{number}P1"/><ImageRef ID="Image:W{number}P2"/></WellSample></Well>'
        for number, row, column in ((2, 0, 4), (13, 5, 0))
    )
    text = description(plate).read_text(encoding="utf-8")
    text = text.replace("<Image ", f'<Plate ID="Plate:0">{wells}</Plate><Image ', 1)
    description(plate).write_text(text, encoding="utf-8")
    listing = list_source(plate)
    assert listing.table["well"].unique().tolist() == ["A05", "F01"]
    assert not listing.notes


def test_older_names_are_read_alone(plate: Path) -> None:
    description(plate).unlink()
    for file in (plate / "data").glob("*.tif"):
        file.rename(file.with_name(file.name[file.name.index("--W") :]))
    source = open_source(plate / "data", kind="fields")
    assert source.table["plate"].tolist() == ["BR1"] * 4
    assert source.table["well"].tolist() == ["A02", "A02", "B01", "B01"]
    assert (set(source.channels), source.pixel_size) == ({"DNA", "actin", "tubulin"}, None)
    assert "a plate of 96 wells was taken (guessed)" in source.notes[0]


def test_a_described_image_that_is_missing_is_said(plate: Path) -> None:
    renamed(plate)
    (plate / "data" / "image_011.tif").unlink()
    assert "data/metadata.ome.xml lists 1 image that is not there." in list_source(plate).notes


def test_what_is_not_described_is_passed_over(plate: Path) -> None:
    other = renamed(plate) / "data" / "overview.tif"
    other.write_bytes((plate / "data" / "image_000.tif").read_bytes())
    assert list_source(plate).skipped == {other: "not named as the images of this layout are"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("</OME>", "", r"metadata\.ome\.xml is damaged or half written"),
        ("W2P1", "Position 1", r"called 'Position 1 Image:Position 1', which says no well as ScanR does \(W1P1\)"),
        ('FirstC="1"', 'FirstC="x"', r"metadata\.ome\.xml has something else where a number belongs"),
        ("<OME ", "<!DOCTYPE OME><OME ", r"metadata\.ome\.xml defines a document type"),
        ("image_001.tif", "image_000.tif", r"metadata\.ome\.xml says that image_000\.tif holds several planes"),
    ],
)
def test_a_damaged_description_is_one_sentence(plate: Path, old: str, new: str, said: str) -> None:
    text = description(renamed(plate)).read_text(encoding="utf-8")
    assert old in text
    description(plate).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SourceError, match=said):
        list_source(plate)


@pytest.mark.parametrize(("label", "well"), [("Well A2", "A02"), ("siRNA5", "A05"), ("ctrl_1", "A05")])
def test_older_names_may_begin_with_any_label(tmp_path: Path, label: str, well: str) -> None:
    for channel in ("Cy5", "DAPI"):
        name = f"{label}--W00005--P00001--Z00000--T00000--{channel}.tif"
        tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint16))
    listing = list_source(tmp_path)
    assert listing.layout.startswith("ScanR")
    assert (listing.channels, listing.table["well"].tolist()) == (("Cy5", "DAPI"), [well])
