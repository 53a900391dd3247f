from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_impa.cells import layouts
from napari_impa.cells.layouts import AS_FOUND, LAYOUTS, Fit, FolderLayout, LayoutChoice, SourceFiles, list_source
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


def put(folder: Path, *names: str, shape: tuple[int, ...] = (20, 30)) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, np.zeros(shape, np.uint8))


def write(folder: Path, name: str, *lines: str) -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / name


def test_a_row_a_field(tmp_path: Path) -> None:
    put(tmp_path, "i/a.npy", "i/b.npy", "m/a.npy", "i/other.npy")
    write(tmp_path, "notes.txt", "x")
    write(tmp_path, "Metadata.csv", "File,mask_file,plate,label", "i/a.npy,m/a.npy,001,x", "i\\b.npy,,001,y")
    listing = list_source(tmp_path)
    assert [entry.name for entry in listing.entries] == ["i/a.npy", "i/b.npy"]
    assert [entry.masks for entry in listing.entries] == [tmp_path / "m/a.npy", None]
    assert listing.table.to_dict("list") == {"plate": ["001", "001"], "label_given": ["x", "y"]}
    assert [file.name for file in listing.skipped] == ["notes.txt", "other.npy"]


def test_a_row_a_file_of_one_channel(tmp_path: Path) -> None:
    put(tmp_path, *(f"{well}_{channel}.npy" for well in "AB" for channel in "12"))
    rows = ["A_1.npy,A,GFP,x,9", "A_2.npy,A,DAPI,x,8", "B_2.npy,B,DAPI,y,8", "B_1.npy,B,GFP,y,9"]
    # of what differs between the channels of a field, its first row is kept
    write(tmp_path, "metadata.csv", "file,well,channel,compound,exposure", *rows)
    listing = list_source(tmp_path)
    assert listing.channels == ("GFP", "DAPI")
    assert [[file.name for file in entry.files] for entry in listing.entries] == [
        ["A_1.npy", "A_2.npy"], ["B_1.npy", "B_2.npy"],
    ]  # fmt: skip
    assert [entry.name for entry in listing.entries] == ["A", "B"]
    assert listing.table["compound"].tolist() == ["x", "y"]
    assert listing.table["exposure"].tolist() == [9, 8]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["file,plate", "a.npy,1", "gone.npy,1", "lost.npy,1"], r"metadata\.csv names gone\.npy and 1 more, not found"),
        (["file,mask_file", "a.npy,gone.npy"], r"names gone\.npy, not found"),
        (["image,plate", "a.npy,1"], "needs a column 'file'.*image, plate"),
        (["file,plate"], "no rows"),
        (["file,plate", ",1"], "no file in row 2"),
        (["file,plate", "a.npy,1", "a.npy,2"], r"names a\.npy in two rows"),
        (["file,well,channel", "a.npy,A,x", "b.npy,A,x"], r"a\.npy and b\.npy as the same channel 'x'.*by well"),
        (["file,well,channel", "a.npy,A,x", "b.npy,B,y"], "no file for channel 'y' of field A"),
        (["file,well,channel", "a.npy,A,x", "b.npy,A,"], "no channel in row 3"),
    ],
)
def test_a_table_that_does_not_fit_says_what_to_mend(tmp_path: Path, lines: list[str], says: str) -> None:
    put(tmp_path, "a.npy", "b.npy")
    write(tmp_path, "metadata.csv", *lines)
    with pytest.raises(SourceError, match=says) as caught:
        list_source(tmp_path)
    assert "\n" not in str(caught.value)


def test_one_subfolder_a_condition(tmp_path: Path) -> None:
    put(tmp_path, "DMSO/a.npy", "taxol/day 1/b.npy", "top.npy", "old.cells/pixels.npy", ".hidden/c.npy")
    write(tmp_path, "DMSO/readme.txt", "x")
    listing = list_source(tmp_path)
    assert [entry.name for entry in listing.entries] == ["DMSO/a.npy", "taxol/day 1/b.npy"]
    assert listing.table["condition"].tolist() == ["DMSO", "taxol"]
    assert [file.name for file in listing.skipped] == ["top.npy", "readme.txt"]


def test_what_macos_and_hidden_folders_leave_is_no_image(tmp_path: Path) -> None:
    put(tmp_path, "DMSO/a.npy", "taxol/b.npy")
    for name in ("DMSO/._a.npy", "._b.npy", "._metadata.csv", "taxol/._.csv", ".Trashes/c.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    listing = list_source(tmp_path)
    assert [entry.name for entry in listing.entries] == ["DMSO/a.npy", "taxol/b.npy"]
    # what begins with ._ is said to be passed over; other hidden files and folders are nobody's business
    assert [file.name for file in listing.skipped] == ["._b.npy", "._metadata.csv", "._a.npy", "._.csv"]
    assert set(listing.skipped.values()) == {"what macOS leaves beside a file (._)"}
    assert open_source(tmp_path).table["condition"].tolist() == ["DMSO", "taxol"]


OF_FOLDERS = [layout for layout in LAYOUTS if layout.name in ("image", "metadata", "impa", "subfolders", "flat")]
"""Those of plates are tried by `test_plates`."""


@pytest.mark.parametrize("layout", OF_FOLDERS, ids=lambda layout: layout.name)
def test_each_layout_is_taken_where_it_alone_fits(tmp_path: Path, layout: FolderLayout) -> None:
    put(tmp_path, *(["DMSO/a.npy", "taxol/b.npy"] if layout.name == "subfolders" else ["a.npy", "b.npy"]))
    if layout.name == "metadata":
        write(tmp_path, "metadata.csv", "file,plate", "a.npy,1", "b.npy,2")
    elif layout.name == "impa":
        write(tmp_path, "index.csv", "SAMPLE_KEY,plate", "a,1", "b,2")
    path = tmp_path / "a.npy" if layout.name == "image" else tmp_path
    assert max(LAYOUTS, key=lambda one: one.fits(SourceFiles(path))) is layout
    listing = list_source(path)
    assert listing.layout.startswith(layout.title)
    assert list_source(path, LayoutChoice(layout=layout.name)).layout == listing.layout
    assert len(listing.entries) == len(listing.table) == (1 if path.is_file() else 2)
    for entry in listing.entries:
        assert entry.image().pixels.shape == entry.probe().pixels.shape == (1, 20, 30)
        assert entry.labels() is None


def test_a_table_of_files_comes_before_an_index(tmp_path: Path) -> None:
    put(tmp_path, "a.npy", "b.npy")
    write(tmp_path, "index.csv", "SAMPLE_KEY,plate", "a,1")
    write(tmp_path, "metadata.csv", "file,plate", "a.npy,1", "b.npy,2")
    assert len(list_source(tmp_path).entries) == 2
    assert len(list_source(tmp_path / "index.csv").entries) == 1


def test_files_that_differ_only_in_the_channel_number_are_joined(tmp_path: Path) -> None:
    put(tmp_path, *(f"{c}/A0{s}_s1_w{w}.npy" for c in ("DMSO", "taxol") for s in (1, 2) for w in (1, 2, 3)))
    listing = list_source(tmp_path)
    assert len(listing.entries) == 4
    assert listing.channels == ("channel 1", "channel 2", "channel 3")
    assert [file.name for file in listing.entries[0].files] == ["A01_s1_w1.npy", "A01_s1_w2.npy", "A01_s1_w3.npy"]
    assert [entry.name for entry in listing.entries][:2] == ["DMSO/A01_s1.npy", "DMSO/A02_s1.npy"]


def test_the_last_number_of_a_name_is_its_channel(tmp_path: Path) -> None:
    put(tmp_path, *(f"c1_A0{s}_ch{c}.npy" for s in (1, 2) for c in (1, 2)))
    listing = list_source(tmp_path)
    assert [entry.name for entry in listing.entries] == ["c1_A01.npy", "c1_A02.npy"]
    assert listing.channels == ("channel 1", "channel 2")


def test_files_that_say_what_their_channels_are_need_no_numbers(tmp_path: Path) -> None:
    for site in (1, 2):
        for number, name in enumerate(("actin", "DAPI"), 1):
            tifffile.imwrite(
                tmp_path / f"cell{site}_w{number}.ome.tif", np.zeros((20, 30), np.uint16), ome=True,
                metadata={"axes": "YX", "Channel": {"Name": name}},
            )  # fmt: skip
    source = open_source(tmp_path, kind="fields")
    assert source.channels == ("actin", "DAPI")
    assert len(source) == 2


def test_a_field_that_lacks_a_channel_is_left_out_and_said(tmp_path: Path) -> None:
    put(tmp_path, *(f"DMSO/cell{s}_w{w}.npy" for s in (1, 2) for w in (1, 2)), "DMSO/overview.npy")
    (tmp_path / "DMSO/cell2_w2.npy").unlink()
    listing = list_source(tmp_path)
    assert [entry.name for entry in listing.entries] == ["DMSO/cell1.npy"]
    assert listing.channels == ("channel 1", "channel 2")
    assert listing.notes == ("Left out for want of a channel file: DMSO/cell2.npy has no channel 2.",)
    assert {file.name: why for file, why in listing.skipped.items()} == {
        "cell2_w1.npy": "a field without channel 2",
        "overview.npy": "not named as the images of this layout are",
    }


def test_files_that_hold_channels_are_not_joined(tmp_path: Path) -> None:
    put(tmp_path, *(f"DMSO/A0{s}_w{w}.npy" for s in (1, 2) for w in (1, 2)), shape=(3, 20, 30))
    listing = list_source(tmp_path)
    assert len(listing.entries) == 4
    assert listing.channels is None


@pytest.mark.parametrize("names", [("w1", "w2"), ("C01", "C02")])
def test_a_name_that_is_nothing_but_a_well_is_no_channel(tmp_path: Path, names: tuple[str, str]) -> None:
    put(tmp_path, *(f"{folder}/{name}.npy" for folder in ("DMSO", "taxol") for name in names))
    listing = list_source(tmp_path)
    assert len(listing.entries) == 4
    assert listing.channels is None


def test_more_than_eight_channels(tmp_path: Path) -> None:
    put(tmp_path, *(f"cell{s}_w{w}.npy" for s in (1, 2) for w in range(1, 13)))
    listing = list_source(tmp_path)
    assert [len(entry.files) for entry in listing.entries] == [12, 12]
    assert listing.channels == tuple(f"channel {w}" for w in range(1, 13))


def test_a_folder_that_is_a_link_is_read_and_a_circle_is_not_endless(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/b.npy", "source/DMSO/a.npy")
    (tmp_path / "source/taxol").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "source/DMSO/up").symlink_to(tmp_path / "source")
    listing = list_source(tmp_path / "source")
    assert listing.table["condition"].tolist() == ["DMSO", "taxol"]


def test_a_layout_is_chosen_by_hand(tmp_path: Path) -> None:
    put(tmp_path, "DMSO/a.npy", "taxol/b.npy")
    assert list_source(tmp_path, LayoutChoice(layout="flat")).table.columns.tolist() == []
    with pytest.raises(SourceError, match=r"no layout 'flatt'; there are: image, metadata, "):
        list_source(tmp_path, LayoutChoice(layout="flatt"))


def test_two_layouts_that_fit_equally_are_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.npy")
    other = FolderLayout("other", "another way", lambda source: Fit.ANYTHING, layouts.FLAT_FOLDER.entries)
    monkeypatch.setattr(layouts, "LAYOUTS", (*LAYOUTS, other))
    with pytest.raises(SourceError, match=r"as a flat folder \(--layout flat\) or another way \(--layout other\)"):
        list_source(tmp_path)
    assert len(list_source(tmp_path, LayoutChoice(layout="other")).entries) == 1


def test_a_choice_is_plain_values_and_back() -> None:
    choice = LayoutChoice(layout="phenix", z=2, time="all")
    assert choice.changed == {"layout": "phenix", "z": 2, "time": "all"}
    assert LayoutChoice.of({**choice.changed, "later": 1}) == choice
    assert AS_FOUND.changed == {}
    for wrong in ({"z": "mean"}, {"time": "last"}, {"wells": 100}, {"z": True}):
        with pytest.raises(SourceError, match=r"max, sharpest|first, all|wells"):
            LayoutChoice(**wrong)


def test_a_flat_folder_and_a_single_image(tmp_path: Path) -> None:
    put(tmp_path, "a.npy", "b.npy")
    assert len(list_source(tmp_path).entries) == 2
    assert [entry.name for entry in list_source(tmp_path / "b.npy").entries] == ["b.npy"]


@pytest.mark.parametrize(
    "files",
    [
        ["Week1_22123_1_11_3.0.npy", "Week1_22123_1_12_3.0.npy"],
        ["all/Week1/22123/1_11_3.0.npy", "all/Week1/22123/1_12_3.0.npy"],
        ["Week1_22123/1/11_3.0.npy", "Week1_22123/1/12_3.0.npy"],
        ["data/Week1-22123-1-11_3.0.npy", "data/Week1-22123-1-12_3.0.npy"],
    ],
)
def test_impas_layout(tmp_path: Path, files: list[str]) -> None:
    put(tmp_path, *files, "data/unused_1.npy")
    header = ",SAMPLE_KEY,CPD_NAME,STATE,SPLIT,DOSE,ANNOT"
    rows = ["0,Week1_22123_1_12_3.0,taxol,trt,train,3.0,mt", "1,Week1_22123_1_11_3.0,DMSO,control,test,0.0,"]
    (tmp_path / "metadata").mkdir()
    path = write(tmp_path, "metadata/index.csv", header, *rows)
    for source in (tmp_path, path):
        listing = list_source(source)
        assert [entry.files[0] for entry in listing.entries] == [tmp_path / files[1], tmp_path / files[0]]
        assert listing.table["CPD_NAME"].tolist() == ["taxol", "DMSO"]
        assert listing.table["SPLIT"].tolist() == ["train", "test"]
    write(tmp_path, "metadata/index.csv", header, *rows, "2,Week9_1_1_1_1,x,trt,train,1,")
    with pytest.raises(SourceError, match=r"the sample Week9_1_1_1_1, of which there is no \.npy file"):
        list_source(tmp_path)


def test_impas_layout_with_an_unclear_key(tmp_path: Path) -> None:
    put(tmp_path, "a/1_1.npy", "b/1_1.npy")
    write(tmp_path, "index.csv", "SAMPLE_KEY,CPD_NAME", "1_1,x")
    with pytest.raises(SourceError, match=r"Two \.npy files"):
        list_source(tmp_path)
    write(tmp_path, "second.csv", "SAMPLE_KEY,CPD_NAME", "a_1_1,x")
    with pytest.raises(SourceError, match=r"several index tables \(index\.csv and second\.csv\)"):
        list_source(tmp_path)
    assert [entry.name for entry in list_source(tmp_path / "second.csv").entries] == ["a/1_1.npy"]


def test_what_is_no_source_is_said(tmp_path: Path) -> None:
    write(tmp_path, "notes.txt", "x")
    with pytest.raises(SourceError, match=r"holds no images \(TIFF, PNG, NPY, ND2, CZI or LIF\)"):
        list_source(tmp_path)
    with pytest.raises(SourceError, match="There is no folder"):
        list_source(tmp_path / "gone")
    with pytest.raises(SourceError, match="is no source"):
        list_source(tmp_path / "notes.txt")
