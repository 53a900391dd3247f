"""Images and masks of which something is odd: read right, refused in a sentence, or it is said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_impa.cells.crops import nucleus_centres, parted
from napari_impa.cells.folder import read_cells
from napari_impa.cells.source import open_source
from napari_impa.errors import ImpaError

SIDE, CROP = 270, 24
CONDITIONS = ("DMSO", "tax")


def field(seed: int, channels: int = 1, nuclei: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """(C, H, W) nuclei on a grid of three a row, wider from channel to channel, and their labels (H, W)."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((SIDE, SIDE), np.uint16)
    y, x = np.mgrid[:SIDE, :SIDE]
    for number, (top, left) in enumerate(list(np.ndindex(3, 3))[:nuclei], 1):
        labels[np.hypot(y - 50 - 85 * top, x - 50 - 85 * left) < 8 + rng.uniform(0, 2)] = number
    shown = [ndimage.gaussian_filter((labels > 0).astype(float), 1.5 + 3 * c) for c in range(channels)]
    return np.stack([300 + rng.normal(0, 10, (SIDE, SIDE)) + 3000 * one for one in shown]).astype(np.uint16), labels


def source(folder: Path, change: Callable[[np.ndarray, str, int], np.ndarray], channels: int = 1, **how: Any) -> Path:
    """Two fields of each of two conditions, each changed as a function of condition and number has it."""
    for condition in CONDITIONS:
        (folder / condition).mkdir(parents=True)
        for number in range(2):
            pixels = field(10 * CONDITIONS.index(condition) + number, channels)[0]
            kind = {"photometric": "minisblack"} | how
            tifffile.imwrite(folder / condition / f"{number}.tif", change(pixels, condition, number), **kind)
    return folder


def said_of(folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    with caplog.at_level(logging.WARNING, "napari_impa"):
        read_cells(folder, size=CROP, nuclei_channel=0)
    return "\n".join(caplog.messages)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p, c, n: np.concatenate([p[:1]] * 2), "channel 1 and channel 2 are the same to the bit"),
        (lambda p, c, n: p[::-1] if c == "tax" else p, "channel 1 and channel 2 look exchanged"),
        (
            lambda p, c, n: p * np.array([1, c != "tax"], "u2")[:, None, None],
            "In tax the channel channel 2 is one value",
        ),
        (
            lambda p, c, n: p * np.array([1, (c, n) != ("tax", 1)], "u2")[:, None, None],
            "In field tax/1.tif the channel",
        ),
        (lambda p, c, n: p // 16 if (c, n) == ("tax", 1) else p, "In field tax/1.tif all channels"),
    ],
)
def test_channels_that_are_no_images_of_their_own_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[..., np.ndarray], said: str
) -> None:
    assert said in said_of(source(tmp_path, change, 2), caplog)


def test_nothing_is_said_of_images_of_one_kind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = said_of(source(tmp_path, lambda p, c, n: p, 2, imagej=True, metadata={"axes": "CYX"}), caplog)
    assert not said


def test_a_sign_that_no_camera_wrote_is_refused(tmp_path: Path) -> None:
    source(tmp_path, lambda p, c, n: (p.astype(np.uint32) * 18).astype(np.uint16).view(np.int16))
    with pytest.raises(ImpaError, match="brightest pixels are negative; save it as uint16"):
        read_cells(tmp_path, size=CROP, nuclei_channel=0)


UM = {"axes": "CYX", "unit": "um"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"photometric": "miniswhite"}, "says that its smallest value is white"),
        ({"imagej": True, "resolution": (2, 1), "metadata": UM}, "has pixels 0.5 µm wide and 1 µm high"),
        ({"imagej": True, "resolution": (0.002, 0.002), "metadata": UM}, "says that a pixel is 500 µm wide"),
        ({"resolution": (20000, 10000), "resolutionunit": "CENTIMETER"}, "has pixels 0.5 µm wide and 1 µm high"),
    ],
)
def test_what_files_say_of_their_pixels(tmp_path: Path, how: dict[str, Any], said: str) -> None:
    notes = open_source(source(tmp_path, lambda p, c, n: p, **how)).notes
    assert [note for note in notes if said in note and note.startswith("0.tif (4 of 4 images looked at) ")]


def test_ome_pixels_that_are_no_squares(tmp_path: Path) -> None:
    about = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 1000.0, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", field(0)[0][0], metadata=about)
    assert any("0.5 µm wide and 1 µm high" in note for note in open_source(tmp_path / "a.ome.tif").notes)


def test_a_table_with_another_pixel_size_than_its_images(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", field(0)[0], imagej=True, resolution=(2, 2), metadata=UM)
    (tmp_path / "metadata.csv").write_text("file,compound,pixel_size_um\na.tif,DMSO,0.25")
    assert (
        "Pixels are 0.25 µm by metadata.csv, which is taken, and 0.5 µm by the images" in open_source(tmp_path).notes[0]
    )


def test_further_samples_of_colours_are_channels(tmp_path: Path) -> None:
    pixels = np.moveaxis((np.concatenate([field(0, 3)[0], field(1)[0]]) // 16).astype(np.uint8), 0, -1)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unspecified"])
    assert open_source(tmp_path).channels == ("red", "green", "blue", "channel 4")


@pytest.mark.parametrize("ending", ["_thumb.tif", " Preview.TIF", "_overlay.png", "-outlines.tiff"])
def test_images_made_of_others_are_passed_over(tmp_path: Path, ending: str) -> None:
    source(tmp_path, lambda p, c, n: p)
    made = tmp_path / "tax" / f"1{ending}"
    made.write_bytes(b"never read")
    opened = open_source(tmp_path)
    assert len(opened) == 4
    assert opened.skipped[made].startswith("made of another image by its name")


# ---- folders --------------------------------------------------------------------------------------------------------


def crops(folder: Path) -> Path:
    """Three ready crops of each of two conditions."""
    for condition in CONDITIONS:
        (folder / condition).mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(number + 10 * (condition == "tax")).integers(100, 900, (1, CROP, CROP))
            np.save(folder / condition / f"{number}.npy", pixels.astype(np.uint16))
    return folder


@pytest.mark.parametrize("name", ["1 (copy).npy", "1.tif"])
def test_images_that_are_there_twice_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    pixels = np.load(crops(tmp_path) / "tax" / "1.npy")
    copy = tmp_path / "tax" / name
    np.save(copy, pixels) if copy.suffix == ".npy" else tifffile.imwrite(copy, pixels)
    assert "Of the cells looked at, 1 of tax are there twice to the bit" in said_of(tmp_path, caplog)


def test_one_folder_around_all_is_said(tmp_path: Path) -> None:
    crops(tmp_path / "images")
    (note,) = open_source(tmp_path).notes
    assert note.startswith(
        "All images lie in the folder images, which was taken for their condition: where its folders"
    )
    assert "(DMSO, tax)" in note


def test_links_to_what_is_read_are_listed(tmp_path: Path) -> None:
    link = crops(tmp_path) / "taxol"
    link.symlink_to(tmp_path / "tax")
    opened = open_source(tmp_path)
    assert len(opened) == 6
    assert opened.skipped == {link: "a link to a folder that is read already"}


@pytest.mark.parametrize("name", ["metadata.tsv", "metadata.xlsx", "tax/metadata.csv"])
def test_tables_that_are_not_where_they_are_read_are_listed(tmp_path: Path, name: str) -> None:
    (crops(tmp_path) / name).write_text("file,compound")
    assert "is read where it is called metadata.csv" in open_source(tmp_path).skipped[tmp_path / name]


# ---- masks ----------------------------------------------------------------------------------------------------------


def with_masks(folder: Path, mask: Callable[[np.ndarray], np.ndarray], nuclei: int = 9) -> Path:
    for number, condition in enumerate(CONDITIONS):
        pixels, labels = field(number, nuclei=nuclei)
        (folder / condition).mkdir()
        tifffile.imwrite(folder / condition / "a.tif", pixels)
        tifffile.imwrite(folder / condition / "a_masks.tif", mask(labels))
    return folder


@pytest.mark.parametrize("turned", [np.transpose, np.flipud, lambda labels: np.roll(labels, (42, 42), (0, 1))])
def test_masks_of_another_image_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, turned: Callable[[np.ndarray], np.ndarray]
) -> None:
    said = said_of(with_masks(tmp_path, lambda labels: np.ascontiguousarray(turned(labels)), nuclei=6), caplog)
    assert "the masks of 2 fields (DMSO/a.tif) lie where the image shows nothing" in said


def test_outlines_are_no_masks(tmp_path: Path) -> None:
    with_masks(tmp_path, lambda labels: ((labels > 0) & ~ndimage.binary_erosion(labels > 0)).astype(np.uint8))
    with pytest.raises(ImpaError, match="holds outlines and not areas"):
        read_cells(tmp_path, size=CROP, nuclei_channel=0)


@pytest.mark.parametrize("again", [4, 1])
def test_numbers_that_begin_anew_are_of_several_cells(tmp_path: Path, again: int) -> None:
    cells = read_cells(with_masks(tmp_path, lambda labels: np.where(labels > 5, labels - again, labels)), size=CROP)
    assert len(cells) == 18
    centres = cells.table[cells.table["field"] == "tax/a.tif"][["y", "x"]].to_numpy() - 50
    assert np.abs(centres - 85 * np.rint(centres / 85)).max() <= 1


def test_parts_of_one_nucleus_stay_one() -> None:
    labels = np.zeros((90, 90), np.uint8)
    labels[10:30, 10:20], labels[10:30, 22:32] = 1, 1  # split in the middle
    labels[50:70, 10:30], labels[50:53, 70:73] = 2, 2  # and a speck far away
    labels[75:77, 5:85] = 3
    assert parted(labels) is labels
    labels[30:50, 60:80] = 1
    assert len(nucleus_centres(parted(labels.astype(np.int64) * 10**9))) == 4
