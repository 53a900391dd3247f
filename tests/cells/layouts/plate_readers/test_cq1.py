"""CQ1 and CQ3K: numbered wells with and without files that say which they are, projections, damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest
from stub_plates import stub_plate, write_plates

from napari_impa.cells.layouts import LayoutChoice, list_source
from napari_impa.cells.simulated.plate_writers.cq1 import write_projections
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Two wells of two sites and three channels."""
    return write_plates(tmp_path / "plates", "cq1", stub_plate("BR1", ["A02", "B01"])) / "BR1"


def without_files(plate: Path) -> Path:
    for file in plate.glob("*.*"):
        file.unlink()
    return plate


def ome(plate: Path, wells: bool = True, channels: tuple[str, ...] = ("CH1", "CH2", "CH3")) -> str:
    """What a CQ1 writes as MeasurementResult.ome.xml, of all images of the plate."""
    images, places = [], []
    for number, (row, column, site) in enumerate([(0, 1, 1), (0, 1, 2), (1, 0, 1), (1, 0, 2)]):
        well = row * 12 + column + 1
        data = "".join(
            f'<TiffData FirstC="{c}" FirstZ="0" FirstT="0" IFD="0" PlaneCount="1">'
            f'<UUID FileName="Image/W{well:04d}F{site:04d}T0001Z001C{c + 1}.tif">urn:uuid:{number}{c}</UUID></TiffData>'
            for c in range(3)
        )
        named = "".join(f'<Channel ID="Channel:{c}" Name="{name}"/>' for c, name in enumerate(channels))
        images.append(
            f'<Image ID="Image:{number}" Name="W{well}(R{row + 1}C{column + 1}),A1,F{site}"><Pixels SizeX="8" '
            f'PhysicalSizeX="325" PhysicalSizeXUnit="nm">{named}{data}'
            f'<Plane TheC="0" PositionX="{site}.5" PositionXUnit="µm" PositionY="2" PositionYUnit="µm"/>'
            "</Pixels></Image>"
        )
        places.append(
            f'<Well ID="Well:{number}" Row="{row}" Column="{column}"><WellSample ID="S{number}" Index="0">'
            f'<ImageRef ID="Image:{number}"/></WellSample></Well>'
        )
    plate_ = f'<Plate ID="Plate:0">{"".join(places)}</Plate>' if wells else ""
    return f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2013-06">{plate_}{"".join(images)}</OME>'


def test_without_any_file_the_plate_is_guessed_and_can_be_said(plate: Path) -> None:
    without_files(plate)
    source = open_source(plate, kind="fields")
    assert source.table["well"].tolist() == ["A02", "A02", "B01", "B01"]
    assert source.channels == ("channel 1", "channel 2", "channel 3")
    assert any("a plate of 96 wells was taken (guessed), on which well 13 is B01" in note for note in source.notes)
    chosen = list_source(plate, LayoutChoice(wells=24))
    assert chosen.table["well"].tolist() == ["A02", "A02", "C01", "C01"]
    assert not chosen.notes


@pytest.mark.parametrize("wells", [True, False])
def test_an_ome_file_says_wells_channels_sizes_and_positions(plate: Path, wells: bool) -> None:
    without_files(plate)
    (plate / "MeasurementResult.ome.xml").write_text(ome(plate, wells), encoding="utf-8")
    source = open_source(plate, kind="fields")
    assert source.table["well"].tolist() == ["A02", "A02", "B01", "B01"]
    assert source.table["position_x_um"].tolist() == [1.5, 2.5, 1.5, 2.5]
    assert (source.channels, source.pixel_size) == (("CH1", "CH2", "CH3"), 0.325)
    assert not source.notes
    assert not source.skipped


def test_wells_of_a_large_plate_are_numbered_along_its_own_rows(tmp_path: Path) -> None:
    root = write_plates(tmp_path, "cq1", stub_plate("BR1", ["A24", "D01"], sites=1))
    assert list_source(root).table["well"].tolist() == ["A24", "D01"]
    assert list_source(without_files(root / "BR1"), LayoutChoice(wells=384)).table["well"].tolist() == ["A24", "D01"]


def test_an_ome_file_that_names_channels_alike_leaves_numbers(plate: Path) -> None:
    without_files(plate)
    (plate / "00013603.ome.xml").write_text(ome(plate, channels=("CH", "CH", "CH")), encoding="utf-8")
    assert open_source(plate, kind="fields").channels == ("channel 1", "channel 2", "channel 3")


def test_an_ome_file_that_lists_more_than_there_is_says_so(plate: Path) -> None:
    without_files(plate)
    (plate / "00013603.ome.xml").write_text(ome(plate), encoding="utf-8")
    (plate / "Image" / "W0013F0002T0001Z001C3.tif").unlink()
    assert "00013603.ome.xml lists 1 image that is not there." in list_source(plate).notes


def test_projections_are_read_in_place_of_planes_unless_a_plane_is_chosen(tmp_path: Path) -> None:
    stub = stub_plate("BR1", ["A01"], z=3)
    root = write_plates(tmp_path, "cq1", stub)
    write_projections(root, stub)
    listing = list_source(root)
    assert "the microscope's own projection" in listing.layout
    assert {file.parent.name for entry in listing.entries for file in entry.files} == {"Projection"}
    assert list(listing.skipped.values()) == ["another Z plane"] * 18
    assert not any("guessed" in note for note in listing.notes)  # the list of the planes says which well a number is
    assert {file.name[15:19] for file in list_source(root, LayoutChoice(z=2)).entries[0].files} == {"Z002"}
    projections = list_source(root / "BR1" / "Projection", LayoutChoice(wells=96))
    assert (len(projections.entries), set(projections.table["plate"])) == (2, {"BR1"})


def test_projections_are_of_the_wells_that_the_records_of_their_planes_say(tmp_path: Path) -> None:
    """By number alone well 73 would be G01 of 96 wells; it is D01 of 384."""
    stub = stub_plate("BR1", ["A24", "D01"], sites=1, z=2)
    root = write_plates(tmp_path, "cq1", stub)
    write_projections(root, stub)
    for file in root.rglob("*.ome.xml"):  # which not all versions write
        file.unlink()
    for file in root.rglob("Projection/*Z001*"):
        file.rename(file.with_name(file.name.replace("Z001", "Z000")))  # as others number what is of no plane
    listing = list_source(root)
    assert {file.parent.name for entry in listing.entries for file in entry.files} == {"Projection"}
    assert listing.table["well"].tolist() == ["A24", "D01"]


def test_a_half_written_ome_file_is_one_sentence(plate: Path) -> None:
    text = ome(plate)
    path = plate / "MeasurementResult.ome.xml"
    path.write_text(text[: len(text) // 2], encoding="utf-8")
    with pytest.raises(SourceError, match=r"MeasurementResult\.ome\.xml is damaged or half written"):
        list_source(plate)
    path.write_text(text.replace('FirstC="1"', 'FirstC="green"'), encoding="utf-8")
    with pytest.raises(SourceError, match=r"MeasurementResult\.ome\.xml has something else where a number belongs"):
        list_source(plate)
    path.write_text(text.replace("C2.tif", "C1.tif"), encoding="utf-8")
    with pytest.raises(SourceError, match=r"says that W0002F0001T0001Z001C1\.tif holds several planes"):
        list_source(plate)


def test_the_folder_of_images_alone_is_read_by_the_files_around_it(plate: Path) -> None:
    whole, part = open_source(plate, kind="fields"), open_source(plate / "Image", kind="fields")
    assert whole.pixel_size
    assert (part.pixel_size, part.channels) == (whole.pixel_size, whole.channels)
    assert part.table.equals(whole.table)
    assert part.layout == whole.layout
    (plate / "Image" / "W0013F0002T0001Z001C3.tif").unlink()
    assert "BR1/MeasurementData.mlf lists 1 image (in B01) that is not there." in list_source(plate.parent).notes
    assert not any("is not there" in note for note in list_source(plate / "Image").notes)  # it may be elsewhere
    without_files(plate)
    (plate / "MeasurementResult.ome.xml").write_text(ome(plate), encoding="utf-8")
    assert open_source(plate / "Image", kind="fields").pixel_size == 0.325
    assert not any("is not there" in note for note in list_source(plate / "Image").notes)
