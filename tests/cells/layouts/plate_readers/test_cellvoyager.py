"""CellVoyager: what Yokogawa's files add to the names, variants of both, and what damaged ones say."""

from __future__ import annotations

from pathlib import Path

import pytest
import skimage.io
import tifffile
from stub_plates import stub_plate, write_plates

from napari_impa.cells.layouts import LayoutChoice, list_source
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Two wells of two sites and three channels."""
    return write_plates(tmp_path / "plates", "cellvoyager", stub_plate("BR1", ["A01", "B02"])) / "BR1"


def edited(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8-sig")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8-sig")


def image(plate: Path, well: str, site: int, channel: int) -> Path:
    return plate / f"BR1_{well}_T0001F{site:03d}L01A{channel:02d}Z01C{channel:02d}.tif"


def test_by_names_alone_channels_are_numbered(plate: Path) -> None:
    for file in (*plate.glob("*.m?f"), *plate.glob("*.mes")):
        file.unlink()
    source = open_source(plate, kind="fields")
    assert source.channels == ("channel 1", "channel 2", "channel 3")
    assert source.table["well"].tolist() == ["A01", "A01", "B02", "B02"]
    assert source.pixel_size is None
    assert "CellVoyager (1 plate, 2 wells)" in source.layout


def test_positions_of_the_stage_are_kept_with_the_sites(plate: Path) -> None:
    table = list_source(plate).table
    assert table["position_x_um"].tolist() == [300.0, 600.0, 300.0, 600.0]
    assert set(table["position_y_um"]) == {-300.0}


def test_a_plate_that_is_called_otherwise_keeps_its_positions(plate: Path) -> None:
    table = list_source(plate, LayoutChoice(plate="BR7")).table
    assert set(table["plate"]) == {"BR7"}
    assert table["position_x_um"].tolist() == [300.0, 600.0, 300.0, 600.0]


def test_frames_for_correction_are_passed_over_and_said(plate: Path) -> None:
    skipped = {file.name: why for file, why in list_source(plate).skipped.items()}
    assert skipped == {
        **{f"DC_sCMOS_CAM{number}.tif": "a dark frame of the camera (DC_)" for number in (1, 2, 3)},
        **{f"SC_BP_{number}.tif": "an image for shading correction (SC_)" for number in (1, 2, 3)},
    }


def test_where_no_stain_was_written_down_a_channel_is_called_by_its_filter(plate: Path) -> None:
    edited(plate / "BR1.mes", 'bts:Target="actin"', "")
    edited(plate / "BR1.mes", 'bts:Target="tubulin" bts:Acquisition="BP445/45"', 'bts:Acquisition="BP600/37"')
    assert list_source(plate).channels == ("DNA", "BP445/45", "BP600/37")


def test_channels_of_one_name_are_told_apart_by_number(plate: Path) -> None:
    edited(plate / "BR1.mes", 'bts:Target="actin"', 'bts:Target="DNA"')
    assert list_source(plate).channels == ("DNA (1)", "DNA (2)", "tubulin")


def test_settings_that_were_not_copied_along_leave_numbers(plate: Path) -> None:
    (plate / "BR1.mes").rename(plate / "other.mes")
    source = open_source(plate, kind="fields")
    assert source.channels == ("channel 1", "channel 2", "channel 3")
    assert source.pixel_size == 0.65


def test_errors_of_the_microscope_are_said_with_their_wells(plate: Path) -> None:
    record = '<bts:MeasurementRecord bts:Type="ERR" bts:Column="3" bts:Row="3">AF</bts:MeasurementRecord>\n'
    edited(plate / "MeasurementData.mlf", "</bts:MeasurementData>", record + "</bts:MeasurementData>")
    assert list_source(plate).notes == (
        "MeasurementData.mlf notes 1 error (in C03) of the microscope in place of an image.",
    )


def test_a_listed_image_that_is_missing_is_said(plate: Path) -> None:
    image(plate, "B02", 2, 3).unlink()
    notes = list_source(plate).notes
    assert "MeasurementData.mlf lists 1 image (in B02) that is not there." in notes
    assert "1 site left out for want of a channel file: BR1 B02 site 2 lacks channel tubulin." in notes


def test_a_list_of_tif_names_files_that_were_saved_as_png(plate: Path) -> None:
    for file in plate.glob("BR1_*.tif"):
        skimage.io.imsave(file.with_suffix(".png"), tifffile.imread(file), check_contrast=False)
        file.unlink()
    listing = list_source(plate)
    assert len(listing.entries) == 4
    assert not listing.notes


def test_the_microscopes_own_projection_is_read_and_said(plate: Path) -> None:
    edited(
        plate / "MeasurementData.mlf", "<bts:MeasurementRecord ", '<bts:MeasurementRecord bts:ZImageProcessing="MIP" '
    )
    assert "the microscope's own projection" in list_source(plate).layout


def test_wells_of_timelines_of_their_own_are_all_at_their_first_time(plate: Path) -> None:
    for file in sorted(plate.glob("BR1_B02_*.tif")):
        file.rename(file.with_name(file.name.replace("T0001", "T0002")))
    (plate / "MeasurementData.mlf").unlink()
    listing = list_source(plate)
    assert listing.table["well"].tolist() == ["A01", "A01", "B02", "B02"]
    assert listing.notes == ("Wells were imaged in timelines of their own; times are counted from 1 in each well.",)


def test_plates_whose_names_begin_alike_are_called_after_their_folders(plate: Path) -> None:
    (plate.parent / "BR2").mkdir()
    for file in plate.glob("BR1_*.tif"):
        (plate.parent / "BR2" / file.name).write_bytes(file.read_bytes())
    listing = list_source(plate.parent)
    assert listing.table["plate"].tolist() == ["BR1"] * 4 + ["BR2"] * 4
    assert listing.channels == ("DNA", "actin", "tubulin")
    assert listing.notes[0] == (
        "No file with channel names belongs to BR2; the channels are called as those of the other images (guessed)."
    )


@pytest.mark.parametrize("folder", ["20210614T091326_BR1", "20210614_091326_BR1", "20210614-BR1"])
def test_a_folder_called_by_date_and_plate_is_that_plate(plate: Path, folder: str) -> None:
    plate.rename(plate.with_name(folder))
    assert set(list_source(plate.with_name(folder)).table["plate"]) == {"BR1"}
    assert set(list_source(plate.parent).table["plate"]) == {"BR1"}


@pytest.mark.parametrize("name", ["MeasurementData.mlf", "MeasurementDetail.mrf", "BR1.mes"])
def test_a_half_written_file_is_one_sentence_that_names_it(plate: Path, name: str) -> None:
    text = (plate / name).read_bytes()
    (plate / name).write_bytes(text[: len(text) // 2])
    with pytest.raises(SourceError, match=rf"{name} is damaged or half written .*read by their names alone\)\.$"):
        list_source(plate)
    (plate / name).write_text("<html/>", encoding="utf-8")
    with pytest.raises(SourceError, match=rf"{name} is another kind of file than its name says \(it holds html"):
        list_source(plate)


def test_a_record_without_a_well_is_one_sentence(plate: Path) -> None:
    edited(plate / "MeasurementData.mlf", 'bts:Row="1"', 'bts:Row="99"')
    with pytest.raises(SourceError, match=r"MeasurementData\.mlf: Row 99, column 1 is no well"):
        list_source(plate)
