"""Plates as disks and people leave them: each fault is one sentence that names file or well, and the rest is read."""

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
    """Two wells of two sites, three channels, as ImageXpress writes them."""
    return write_plates(tmp_path / "plates", "imagexpress", stub_plate("BR1", ["A01", "B02"])) / "BR1"


def image(plate: Path, name: str) -> Path:
    return plate / "TimePoint_1" / f"BR1_{name}.TIF"


def test_a_site_that_lacks_a_channel_file_is_left_out_and_named(plate: Path) -> None:
    image(plate, "B02_s2_w3").unlink()
    source = open_source(plate, kind="fields")
    assert source.table[["well", "site"]].values.tolist() == [["A01", 1], ["A01", 2], ["B02", 1]]
    assert source.notes == ("1 site left out for want of a channel file: BR1 B02 site 2 lacks channel tubulin.",)
    why = {file.name: reason for file, reason in source.skipped.items()}
    assert why["BR1_B02_s2_w1.TIF"] == "of BR1 B02 site 2, which lacks channel tubulin"
    assert source.describe().splitlines()[-1] == source.notes[0]


def test_where_no_site_is_whole_the_first_is_named(plate: Path) -> None:
    for well, channel in (("A01", 1), ("B02", 3)):
        for site in (1, 2):
            image(plate, f"{well}_s{site}_w{channel}").unlink()
    with pytest.raises(
        SourceError, match=r"No site in .* has all channels \(DNA, actin, tubulin\): BR1 A01 site 1 lacks"
    ):
        list_source(plate)


def test_a_channel_that_few_sites_have_is_passed_over(plate: Path) -> None:
    tifffile.imwrite(image(plate, "A01_s1_w4"), np.zeros((8, 8), np.uint16))
    source = open_source(plate, kind="fields")
    assert len(source) == 4
    assert source.skipped[image(plate, "A01_s1_w4")] == "of channel 4, which only 1 of 4 sites have"


def test_an_extra_z_plane_of_one_site_is_said(tmp_path: Path) -> None:
    root = write_plates(tmp_path, "imagexpress", stub_plate("BR1", ["A01", "B02"], z=2))
    here = root / "BR1" / "TimePoint_1"
    (here / "ZStep_3").mkdir()
    for channel in (1, 2, 3):
        (here / "ZStep_3" / f"BR1_A01_s1_w{channel}.TIF").write_bytes(
            (here / "ZStep_2" / f"BR1_A01_s1_w{channel}.TIF").read_bytes()
        )
    listing = list_source(root)
    assert len(listing.entries) == 4
    assert listing.notes == ("Sites differ in their Z planes: BR1 A01 site 1 has 3 planes, the others 2.",)
    third = list_source(root, LayoutChoice(z=3))
    assert [entry.name for entry in third.entries] == ["BR1_A01_s1"]
    assert "3 sites left out for want of Z plane 3: BR1 A01 site 2, BR1 B02 site 1, BR1 B02 site 2." in third.notes


def test_a_half_written_file_is_named_and_without_it_the_rest_is_read(plate: Path) -> None:
    half = image(plate, "A01_s2_w1")
    half.write_bytes(half.read_bytes()[:60])
    with pytest.raises(SourceError, match=r"BR1_A01_s2_w1\.TIF cannot be read: the file is damaged.*mend or remove it"):
        open_source(plate, kind="fields")
    half.unlink()
    assert len(open_source(plate, kind="fields")) == 3


def test_thumbnails_and_what_macos_leaves_are_passed_over_and_said(plate: Path) -> None:
    for file in list(plate.rglob("*.TIF")):
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7")
    (plate / "Thumbs").mkdir()
    source = open_source(plate, kind="fields")
    assert len(source) == 4
    reasons = list(source.skipped.values())
    assert reasons.count("a thumbnail") == 6
    assert reasons.count("what macOS leaves beside a file (._)") == 18
    assert len(reasons) == 24


def test_a_table_beside_the_images_may_be_a_plate_map_and_is_named(plate: Path) -> None:
    (plate / "compounds.csv").write_text("well,compound\nA01,DMSO\n", encoding="utf-8")
    (plate / "notes.docx").write_bytes(b"x")
    skipped = {file.name: why for file, why in list_source(plate).skipped.items() if "thumb" not in file.name}
    assert skipped == {
        "compounds.csv": "a table that may say what is in the wells; give it as a plate map",
        "notes.docx": "no image that can be read",
    }


def test_channels_of_two_sizes_are_refused_by_name(plate: Path) -> None:
    tifffile.imwrite(image(plate, "A01_s1_w2"), np.zeros((9, 8), np.uint16))
    with pytest.raises(SourceError, match=r"BR1_A01_s1_w2\.TIF is 9×8 px but .*_w1\.TIF 8×8 px, .*field BR1_A01_s1;"):
        open_source(plate, kind="fields")


def test_channels_of_two_bit_depths_are_refused_by_name(plate: Path) -> None:
    tifffile.imwrite(image(plate, "A01_s1_w2"), np.zeros((8, 8), np.uint8))
    with pytest.raises(
        SourceError, match=r"_w2\.TIF is uint8 but .*_w1\.TIF uint16, and both are of the field BR1_A01_s1"
    ):
        open_source(plate, kind="fields")


def test_sites_of_two_bit_depths_are_refused_and_of_two_sizes_said(plate: Path) -> None:
    for channel in (1, 2, 3):
        tifffile.imwrite(image(plate, f"B02_s2_w{channel}"), np.zeros((9, 12), np.uint16))
    source = open_source(plate, kind="fields")
    assert source.notes[0] == "Images differ in size: 8×8 to 9×12 px."
    for channel in (1, 2, 3):
        tifffile.imwrite(image(plate, f"B02_s2_w{channel}"), np.zeros((8, 8), np.uint8))
    with pytest.raises(
        SourceError, match=r"B02_s2_w1\.TIF is uint8 and .*A01_s1_w1\.TIF is uint16; save all images as one"
    ):
        open_source(plate, kind="fields")


def test_other_pixel_sizes_are_said(tmp_path: Path) -> None:
    for name, size in (("a", 0.65), ("b", 0.325)):
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif", np.zeros((8, 9), np.uint16), metadata={"axes": "YX", "PhysicalSizeX": size}
        )
    source = open_source(tmp_path)
    assert source.notes[0].startswith(
        "Images differ in pixel size, 0.325 to 0.65 µm, so that cells of some look larger"
    )


def test_a_plane_of_a_plate_without_several_is_refused(plate: Path) -> None:
    with pytest.raises(SourceError, match=r"has no Z plane 7; its images have one plane"):
        open_source(plate, choice=LayoutChoice(z=7))
    assert len(open_source(plate, choice=LayoutChoice(z=1, time=1))) == 4


def test_one_plane_in_two_files_is_a_question(plate: Path) -> None:
    first = image(plate, "A01_s1_w1")
    first.with_name("BR1_A01_s1_w1.tiff").write_bytes(first.read_bytes())
    with pytest.raises(
        SourceError, match=r"_w1\.TIF and .*_w1\.tiff are both channel DNA of BR1 A01 site 1; remove one"
    ):
        list_source(plate)


def test_folders_called_as_a_control_are_conditions_and_may_be_said_to_be_none(tmp_path: Path) -> None:
    for number, name in enumerate(("DMSO", "taxol"), 1):
        write_plates(tmp_path, "imagexpress", stub_plate(name, ["A01"], sites=1, plate=number))
    listing = list_source(tmp_path)
    assert listing.table.to_dict("list") == {"condition": ["DMSO", "taxol"], "well": ["A01", "A01"], "site": [1, 1]}
    listing = list_source(tmp_path, LayoutChoice(folders="plates"))
    assert listing.table.to_dict("list") == {"plate": ["DMSO", "taxol"], "well": ["A01", "A01"], "site": [1, 1]}
    assert listing.notes[0].startswith(
        "Folders were taken for 2 plates (DMSO, taxol; guessed); where they are conditions"
    )


def test_a_name_for_several_plates_is_refused(tmp_path: Path) -> None:
    write_plates(tmp_path, "imagexpress", stub_plate("BR1"), stub_plate("BR2", plate=2))
    with pytest.raises(SourceError, match=r"holds 2 plates \(BR1, BR2\), which cannot all be called X"):
        list_source(tmp_path, LayoutChoice(plate="X"))
    assert set(list_source(tmp_path / "BR1", LayoutChoice(plate="X")).table["plate"]) == {"X"}
    assert set(list_source(tmp_path / "BR1" / "TimePoint_1").table["plate"]) == {"BR1"}


def test_a_site_that_lacks_the_chosen_time_is_named(tmp_path: Path) -> None:
    plate = write_plates(tmp_path / "plates", "cellvoyager", stub_plate("BR1", ["A01", "B02"], sites=1, times=2))
    for file in plate.rglob("*B02_T0001*"):
        file.unlink()
    for beside in plate.rglob("*.mlf"):
        beside.unlink()
    source = open_source(plate, kind="fields", choice=LayoutChoice(time=1))
    assert source.table["well"].tolist() == ["A01"]
    assert any(note == "1 site left out for want of time 1: BR1 B02 site 1." for note in source.notes)
