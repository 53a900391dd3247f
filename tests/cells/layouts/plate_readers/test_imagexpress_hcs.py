"""ImageXpress HCS.ai: its description and table, further folders of a run, several runs, damaged files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from stub_plates import stub_plate, write_plates

from napari_impa.cells.layouts import LayoutChoice, list_source
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two wells of two sites and three channels: the folder that holds `experiment`."""
    root = write_plates(tmp_path / "plates", "imagexpress-hcs", stub_plate("BR1", ["A01", "B02"]))
    return next(root.glob("BR1/*"))


def test_everything_is_counted_from_0_as_the_files_are(run: Path) -> None:
    table = list_source(run).table
    assert table.to_dict("list") == {
        "plate": ["BR1"] * 4,
        "well": ["A01", "A01", "B02", "B02"],
        "site": [0, 1, 0, 1],
        "position_x_um": [300.0, 600.0, 300.0, 600.0],
        "position_y_um": [0.0] * 4,
    }


def test_by_names_alone_channels_are_numbered(run: Path) -> None:
    for file in (*run.rglob("*.jdce"), *run.rglob("*.csv"), *run.rglob("*.mxprotocol")):
        file.unlink()
    source = open_source(run.parent, kind="fields")
    assert source.channels == ("channel 0", "channel 1", "channel 2")
    assert set(source.table["plate"]) == {"CellPainting_5-2-2026-160251"}
    assert source.pixel_size is None


def test_a_stack_is_read_and_not_what_was_saved_beside_it_nor_a_montage(tmp_path: Path) -> None:
    root = write_plates(tmp_path, "imagexpress-hcs", stub_plate("BR1", ["A01"], z=3))
    run = next(root.glob("BR1/*"))
    (run / "experiment").rename(run / "experiment_z_stack")
    for name in ("experiment", "experiment_montage"):
        (run / name / "timepoint0").mkdir(parents=True)
        for file in (run / "experiment_z_stack" / "timepoint0").glob("*_z0.tif"):
            shutil.copy(file, run / name / "timepoint0")
    listing = list_source(root)
    assert "maximum projection of 3 Z planes" in listing.layout
    reasons = {file.parent.parent.name: why for file, why in listing.skipped.items()}
    assert reasons == {
        "experiment": "the one plane or projection that was saved beside the whole stack, which is read instead",
        "experiment_montage": "a montage of the fields, which are read instead",
    }
    assert len(list_source(run / "experiment_montage").entries) == 2


def test_two_runs_of_one_plate_are_acquisitions_and_said(run: Path) -> None:
    shutil.copytree(run, run.with_name("Second_5-3-2026"))
    listing = list_source(run.parent)
    assert listing.table.groupby("acquisition").size().to_dict() == {
        "CellPainting_5-2-2026-160251": 4,
        "Second_5-3-2026": 4,
    }
    assert set(listing.table["plate"]) == {"BR1"}
    assert "have one plate ID, BR1, and were taken for acquisitions of one plate (guessed)" in listing.notes[0]


def test_channels_of_one_filter_are_told_apart(run: Path) -> None:
    path = next(run.rglob("*.jdce"))
    about = json.loads(path.read_text())
    for wave in about["ImageStack"]["AutoLeadAcquisitionProtocol"]["Wavelengths"][:2]:
        wave["EmissionFilter"]["Name"] = "FITC"
    path.write_text(json.dumps(about), encoding="utf-8-sig")
    assert list_source(run).channels == ("FITC (w0)", "FITC (w1)", "tubulin")


def test_a_sparse_description_leaves_open_what_it_does_not_say(run: Path) -> None:
    next(run.rglob("*.jdce")).write_text('{"ImageStack": {}}')
    source = open_source(run, kind="fields")
    assert (source.channels, source.pixel_size) == (("channel 0", "channel 1", "channel 2"), None)


def test_a_listed_image_that_is_missing_is_said(run: Path) -> None:
    next(run.rglob("*_B02_s1_w2_z0.tif")).unlink()
    notes = list_source(run).notes
    assert "image_metadata lists 1 image that is not there." in notes
    assert "1 site left out for want of a channel file: BR1 B02 site 1 lacks channel tubulin." in notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"ImageStack": {"Plate', "is damaged or half written"),
        ("[1, 2]", "describes no images of ImageXpress HCS.ai"),
        ('{"Version": "1"}', "describes no images of ImageXpress HCS.ai"),
        ('{"ImageStack": {"AutoLeadAcquisitionProtocol": {"Wavelengths": 3}}}', "describes no images"),
    ],
)
def test_a_damaged_description_is_one_sentence(run: Path, text: str, said: str) -> None:
    next(run.rglob("*.jdce")).write_text(text)
    with pytest.raises(SourceError, match=rf"CellPainting\.jdce {said}.*read by their names alone\)\.$"):
        list_source(run)


def test_a_chosen_z_plane_is_called_as_in_the_names(tmp_path: Path) -> None:
    root = write_plates(tmp_path, "imagexpress-hcs", stub_plate("BR1", ["A01"], z=3))
    names = {file.name[-6:] for file in list_source(root, LayoutChoice(z=0)).entries[0].files}
    assert names == {"z0.tif"}
