from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_impa.cells.folder import crop_source
from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.cells.source.source import channel_titles
from napari_impa.cells.store import Cells
from napari_impa.errors import CellsError, SourceError


def ome(path: Path, pixels: np.ndarray, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX", "Channel": {"Name": list(names)}}, ome=True)


def test_small_square_images_are_crops_and_it_is_said(tmp_path: Path) -> None:
    for i in range(3):
        np.save(tmp_path / f"{i}.npy", np.zeros((68, 68, 3), np.uint16))
    (tmp_path / "notes.txt").write_text("x")
    source = open_source(tmp_path)
    assert source.kind == "crops"
    assert source.describe() == (
        f"{tmp_path.name}: 3 ready crops of 68×68 px with 3 channels (channel 1, channel 2, channel 3), "
        "found by a flat folder; 1 other file passed over."
    )
    assert open_source(tmp_path, kind="fields").kind == "fields"
    assert open_source(tmp_path, channels=["DNA", "actin", "tubulin"]).channels == ("DNA", "actin", "tubulin")
    with pytest.raises(SourceError, match="3 channels; give 3 different names"):
        open_source(tmp_path, channels=["DNA"])


def test_square_images_of_several_sizes_are_crops_cut_to_the_smallest(tmp_path: Path) -> None:
    for i, side in enumerate((160, 150, 160)):
        np.save(tmp_path / f"{i}.npy", np.full((1, side, side), i + 1, np.uint16) + np.eye(side, dtype=np.uint16))
    source = open_source(tmp_path)
    assert (source.kind, source.shape) == ("crops", (150, 150))
    assert source.notes == (
        "Images differ in size: 150×150 to 160×160 px. They were taken for ready crops, and are cut to 150 px or less "
        "around their centre; where they are whole fields, say how nuclei are found (--segment nuclei).",
    )
    cells = crop_source(source)
    assert cells.pixels.shape == (3, 1, 150, 150)
    assert (cells.pixels[0, 0] == np.eye(150) + 1).all(), "cut around the centre"
    assert open_source(tmp_path, kind="fields").notes == ("Images differ in size: 150×150 to 160×160 px.",)


def test_crops_are_cut_to_the_smallest_of_all(tmp_path: Path) -> None:
    for i in range(40):  # not all of which are looked at when they are of one size
        np.save(tmp_path / f"{i:02}.npy", np.eye(60 if i == 2 else 80 + i % 5, dtype=np.uint16)[None] + i)
    source = open_source(tmp_path)
    assert source.shape == (60, 60)
    assert "60×60 to 84×84 px. They were taken for ready crops, and are cut to 60 px" in source.notes[0]
    assert crop_source(source).size == 60


def test_small_images_that_are_not_square_are_fields(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 60, 60), np.uint16))
    np.save(tmp_path / "b.npy", np.zeros((1, 60, 80), np.uint16))
    assert open_source(tmp_path).kind == "fields"


@pytest.mark.parametrize("shape", [(1, 300, 300), (1, 60, 80)])
def test_other_images_are_fields(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint16))
    assert open_source(tmp_path).kind == "fields"


def test_cells_are_a_source(tmp_path: Path) -> None:
    table = pd.DataFrame({"compound": ["a", "b"]})
    Cells(np.zeros((2, 1, 8, 8), np.uint8), table, ("DNA",)).save(tmp_path / "x.cells")
    source = open_source(tmp_path / "x.cells")
    assert (source.kind, source.name, len(source), source.shape) == ("cells", "x", 2, (8, 8))
    (tmp_path / "y.cells").mkdir()
    with pytest.raises(CellsError, match=r"y\.cells is not a \.cells folder"):
        open_source(tmp_path / "y.cells")


def test_different_channel_counts_name_two_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 40, 50), np.uint8))
    np.save(tmp_path / "b.npy", np.zeros((3, 40, 50), np.uint8))
    with pytest.raises(SourceError, match=r"a\.npy has 2 channels and .*b\.npy has 3;"):
        open_source(tmp_path)


def test_different_channel_counts_are_found_among_many_files(tmp_path: Path) -> None:
    for i in range(70):
        np.save(tmp_path / f"{i:02}.npy", np.zeros((2 + (i == 35), 40, 50), np.uint8))
    source = open_source(tmp_path)
    with pytest.raises(SourceError, match=r"00\.npy has 2 channels and .*35\.npy has 3;"):
        [source.field(row) for row in range(len(source))]


def test_different_types_name_two_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 40, 50), np.uint8))
    np.save(tmp_path / "b.npy", np.zeros((2, 40, 50), np.uint16))
    with pytest.raises(SourceError, match=r"b\.npy is uint16 and .*a\.npy is uint8"):
        open_source(tmp_path).field(1)


def test_channels_are_put_in_the_order_of_the_first_file(tmp_path: Path) -> None:
    pixels = np.stack([np.full((40, 50), value, np.uint8) for value in (1, 2)])
    ome(tmp_path / "a.tif", pixels, "DAPI", "GFP")
    ome(tmp_path / "b.tif", pixels[::-1].copy(), "GFP", "DAPI")
    source = open_source(tmp_path, channels=["x", "y"])
    for field in map(source.field, range(len(source))):
        assert field.pixels[:, 0, 0].tolist() == [1, 2]
        assert field.channels == ("x", "y")


def test_channels_of_other_names_are_refused_and_named(tmp_path: Path) -> None:
    pixels = np.zeros((2, 300, 300), np.uint8)
    ome(tmp_path / "DMSO" / "a.ome.tif", pixels, "DAPI", "GFP")
    ome(tmp_path / "taxol" / "a.ome.tif", pixels, "GFP", "RFP")
    with pytest.raises(SourceError, match=r"DMSO.a\.ome\.tif has the channels DAPI, GFP and .*taxol.* has GFP, RFP; "):
        open_source(tmp_path)
    assert open_source(tmp_path, channels=["nuclei", "other"]).channels == ("nuclei", "other")  # by place, as asked


@pytest.mark.parametrize(
    ("names", "others", "said"),
    [(("DAPI", "GFP"), ("GFP", "RFP"), "GFP, RFP"), (("DAPI", ""), ("GFP", ""), "GFP, one without a name")],
)
def test_channels_of_other_names_are_refused_in_whichever_file(
    tmp_path: Path, names: tuple[str, str], others: tuple[str, str], said: str
) -> None:
    pixels = np.zeros((2, 40, 50), np.uint8)
    for number in range(40):  # not all of which are looked at when the folder is opened
        ome(tmp_path / f"{number:02}.ome.tif", pixels, *(others if number == 2 else names))
    source = open_source(tmp_path)
    assert source.field(3).channels[0] == "DAPI"
    with pytest.raises(SourceError, match=rf"02\.ome\.tif has {said}"):
        source.field(2)
    assert open_source(tmp_path, channels=["a", "b"]).field(2).channels == ("a", "b")  # by place, as asked


def test_pages_that_nobody_names_are_said_to_be_guessed(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 99, (5, 300, 300), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "plain.tif", stack, metadata=None, photometric="minisblack")
    (note,) = open_source(tmp_path).notes
    assert note.startswith(
        "plain.tif has 5 pages and does not say what they are; they were taken for channels (guessed)"
    )
    assert not open_source(tmp_path, channels=list("abcde")).notes
    (tmp_path / "plain.tif").unlink()
    ome(tmp_path / "named.ome.tif", stack, *"abcde")
    assert not open_source(tmp_path).notes


def test_one_file_a_channel(tmp_path: Path) -> None:
    for name, value in (("d", 1), ("g", 2)):
        np.save(tmp_path / f"{name}.npy", np.full((40, 50), value, np.uint8))
    (tmp_path / "metadata.csv").write_text("file,channel,well,compound\ng.npy,GFP,A01,x\nd.npy,DAPI,A01,x\n")
    field = open_source(tmp_path).field(0)
    assert field.channels == ("GFP", "DAPI")
    assert field.pixels[:, 0, 0].tolist() == [2, 1]
    assert (field.name, field.table) == ("A01", {"well": "A01", "compound": "x"})
    np.save(tmp_path / "g.npy", np.zeros((41, 50), np.uint8))
    with pytest.raises(SourceError, match="differ in size or type"):
        open_source(tmp_path)
    np.save(tmp_path / "g.npy", np.zeros((2, 40, 50), np.uint8))
    with pytest.raises(SourceError, match=r"g\.npy has 2 channels, where one file a channel"):
        open_source(tmp_path)


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """A field with three nuclei, and masks of cells, nuclei and nucleoli."""
    rows, columns = np.mgrid[:80, :120]
    cell, nucleus, nucleolus = (np.zeros((80, 120), np.uint16) for _ in range(3))
    for number, x in enumerate((20, 60, 100), 1):
        distance = np.hypot(rows - 40, columns - x)
        cell[distance < 18], nucleus[distance < 9], nucleolus[distance < 3] = number, number, number
    dna = 100 + 900 * (nucleus > 0) - 300 * (nucleolus > 0)
    ome(tmp_path / "a.tif", np.stack([dna // 2 + 50, dna]).astype(np.uint16), "actin", "DAPI")
    ome(tmp_path / "m.tif", np.stack([cell, nucleus, nucleolus]), "cell", "nuclei labels", "nucleoli labels")
    (tmp_path / "metadata.csv").write_text("file,mask_file\na.tif,m.tif\n")
    np.save(tmp_path / "truth.npy", nucleus)
    return tmp_path


def test_the_plane_of_nuclei_is_chosen_by_name_by_likeness_or_as_asked(masked: Path) -> None:
    planes, truth = tifffile.imread(masked / "m.tif"), np.load(masked / "truth.npy")
    assert np.array_equal(open_source(masked).field(0).labels, truth)
    assert np.array_equal(open_source(masked, mask_channel="cell").field(0).labels, planes[0])
    assert np.array_equal(open_source(masked, mask_channel=2).field(0).labels, planes[2])
    assert open_source(masked).field(0, masks=False).labels is None
    with pytest.raises(SourceError, match="no plane 'cyto'; its planes are: cell, nuclei labels, nucleoli labels"):
        open_source(masked, mask_channel="cyto").field(0)
    tifffile.imwrite(masked / "m.tif", planes, photometric="minisblack")
    assert np.array_equal(open_source(masked).field(0, nuclei_channel="DAPI").labels, truth)


@pytest.mark.parametrize("other", ["tissue", "classes", "probability"])
def test_of_planes_of_masks_only_the_one_of_nuclei_has_to_be_labels(masked: Path, other: str) -> None:
    truth = np.load(masked / "truth.npy")
    rows, columns = np.mgrid[:80, :120]
    plane = {
        "tissue": np.ones(truth.shape), "classes": 1 + (rows // 8 + columns // 8) % 2,
        "probability": np.hypot(rows, columns) / 200,
    }[other].astype(np.float32 if other == "probability" else np.uint16)  # fmt: skip
    pixels = np.stack([plane, truth.astype(plane.dtype)])
    tifffile.imwrite(masked / "m.tif", pixels, imagej=True, metadata={"axes": "CYX", "Labels": [other, "nuclei"]})
    assert np.array_equal(open_source(masked).field(0).labels, truth)
    assert np.array_equal(open_source(masked, mask_channel="nuclei").field(0).labels, truth)
    with pytest.raises(SourceError, match=rf"m\.tif \({other}\) is no label image"):
        open_source(masked, mask_channel=other).field(0)


def test_masks_of_another_size_are_refused(masked: Path) -> None:
    tifffile.imwrite(masked / "m.tif", np.eye(80, 121, dtype=np.uint16))
    with pytest.raises(SourceError, match="80×121 px but its image 80×120 px"):
        open_source(masked).field(0)


def test_the_nuclear_channel(masked: Path) -> None:
    source = open_source(masked)
    assert [source.nuclei_channel(name) for name in (None, "dapi", "actin", 0, "1")] == [1, 1, 0, 0, 1]
    for wrong in ("Hoechst", 2, -1):
        with pytest.raises(CellsError, match="its channels are: actin, DAPI"):
            source.nuclei_channel(wrong)
    with pytest.raises(CellsError, match="say which one does: one, two"):
        open_source(masked, channels=["one", "two"]).nuclei_channel()


def test_real_sources(shared: Path) -> None:
    kinds = {
        "bbbc014_tnfa": ("fields", 2, 2),
        "bbbc021_cycloheximide": ("crops", 3050, 3),
        "bbbc022_u2os": ("fields", 10, 5),
    }
    for name, (kind, rows, channels) in kinds.items():
        source = open_source(shared / "data" / name)
        assert (source.kind, len(source), len(source.channels)) == (kind, rows, channels)
    source = open_source(shared / "data" / "bbbc022_u2os")
    assert source.pixel_size == pytest.approx(0.656)
    fields = map(source.field, range(len(source)))
    assert [len(np.unique(field.labels)) - 1 for field in fields] == source.table["n_cells_in_mask"].tolist()


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (LayoutChoice(z=3), "has no Z plane 3: its images have one plane each"),
        (LayoutChoice(time=2), "has no time 2: its images have one plane each"),
    ],
)
def test_a_plane_or_time_of_a_folder_without_any_is_refused(tmp_path: Path, choice: LayoutChoice, said: str) -> None:
    for condition in ("DMSO", "taxol"):
        (tmp_path / condition).mkdir()
        tifffile.imwrite(tmp_path / condition / "a.tif", np.zeros((8, 8), np.uint16))
    with pytest.raises(SourceError, match=said):
        open_source(tmp_path, choice=choice)
    with pytest.raises(SourceError, match=said):
        open_source(tmp_path / "DMSO" / "a.tif", choice=choice)
    assert len(open_source(tmp_path, choice=LayoutChoice(z=1, time=1))) == 2


def test_channels_without_names_are_numbered_however_many_there_are() -> None:
    began = time.process_time()
    titles = channel_titles(("DNA", "", "DNA", *[""] * 60_000))
    assert time.process_time() - began < 2
    assert titles[:3] == ("DNA (1)", "channel 2", "DNA (3)")
    assert len(set(titles)) == len(titles)
