"""Sources that are not what they seem: each is read right, refused in a sentence, or what was done is said."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from scipy import ndimage

from napari_impa.cells.folder import read_cells
from napari_impa.cells.source import open_source
from napari_impa.errors import ImpaError

SIDE, CROP = 270, 24
CONDITIONS = ("DMSO", "tax")


def field(seed: int = 0, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(C, H, W) nine nuclei of 40 to 60 times the noise, and their labels (H, W)."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((SIDE, SIDE), np.uint16)
    y, x = np.mgrid[:SIDE, :SIDE]
    for number, (top, left) in enumerate(np.ndindex(3, 3), 1):
        labels[np.hypot(y - 50 - 85 * top, x - 50 - 85 * left) < 8 + rng.uniform(0, 2)] = number
    blur = ndimage.gaussian_filter((labels > 0).astype(float), 1.5)
    return np.stack([200 + rng.normal(0, 10, (SIDE, SIDE)) + 3000 / (c + 1) * blur for c in range(channels)]).astype(
        np.uint16
    ), labels


def write(path: Path, pixels: np.ndarray, **how: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        PIL.Image.fromarray(pixels).save(path)
    elif path.suffix == ".npy":
        np.save(path, pixels)
    else:
        tifffile.imwrite(path, pixels, **how)


def lines_of(folder: Path, caplog: pytest.LogCaptureFixture, **how: Any) -> list[str]:
    """What a script is told of a source."""
    with caplog.at_level(logging.WARNING, "napari_impa"):
        read_cells(folder, nuclei_channel=0, **{"size": CROP, **how})
    return caplog.messages


# ---- masks ----------------------------------------------------------------------------------------------------------


def masked(folder: Path, mask: Callable[[np.ndarray], np.ndarray], name: str = "{}_masks.tif") -> None:
    for number, condition in enumerate(CONDITIONS):
        pixels, labels = field(number)
        write(folder / condition / f"{number}.tif", pixels[0])
        write(folder / condition / name.format(number), mask(labels))


def probability(labels: np.ndarray) -> np.ndarray:
    return (255 * ndimage.gaussian_filter((labels > 0).astype(float), 3)).astype(np.uint8)


def classes(labels: np.ndarray) -> np.ndarray:
    inside = ndimage.binary_erosion(labels > 0)
    return np.where(inside, 1, 2 * (labels > 0)).astype(np.uint8)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (probability, "most neighbouring pixels have other numbers"),
        (classes, "as classes have; number each nucleus by itself"),
        (lambda labels: labels + 1, "the number 1 covers 9. % of it and touches all its borders"),
        (lambda labels: np.where(labels > 0, labels, 65535).astype(np.uint16), "give the background the number 0"),
        (lambda labels: (labels == 0).astype(np.uint8) * 255, "the number 255 covers"),
        (lambda labels: (labels / 100).astype(np.float32), "its values are not whole numbers"),
        (lambda labels: labels[::2, ::2].copy(), "use masks of the image"),
    ],
)
def test_masks_that_are_none_are_refused(tmp_path: Path, mask: Callable[[Any], Any], said: str) -> None:
    masked(tmp_path, mask)
    with pytest.raises(ImpaError, match=said):
        read_cells(tmp_path, size=CROP, nuclei_channel=0)


@pytest.mark.parametrize("ground", [0, 255])
def test_masks_in_colours_are_read_by_colour(tmp_path: Path, ground: int) -> None:
    colours = np.array([[ground] * 3, *([200, 10, shade] for shade in range(9))], np.uint8)  # of one red and green
    masked(tmp_path, lambda labels: colours[labels], "{}_masks.png")
    cells = read_cells(tmp_path, size=CROP, nuclei_channel=0)
    assert len(cells) == 18
    assert "segmenter" in cells.history
    assert cells.history["segmenter"] == "labels"


def test_masks_of_some_fields_in_a_table_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = []
    for number in range(4):
        pixels, labels = field(number)
        write(tmp_path / f"{number}.npy", pixels)
        write(tmp_path / f"m{number}.npy", labels)
        rows.append(f"{number}.npy,{f'm{number}.npy' if number % 2 else ''},{CONDITIONS[number // 2]}")
    (tmp_path / "metadata.csv").write_text("\n".join(["file,mask_file,compound", *rows]))
    assert any("Only 2 of 4 fields have masks, 0.npy for one has none" in line for line in lines_of(tmp_path, caplog))


def test_labels_taken_for_images_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    masked(tmp_path, lambda labels: labels, "nuclei_{}.tif")
    assert any("2 look like labels and not like an image" in line for line in lines_of(tmp_path, caplog))


def test_a_condition_that_gave_no_cell_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    masked(tmp_path, lambda labels: labels)
    write(tmp_path / "tax" / "1_masks.tif", np.zeros((SIDE, SIDE), np.uint16))
    assert any("No cell was found of tax" in line for line in lines_of(tmp_path, caplog))


# ---- channels, planes, times ----------------------------------------------------------------------------------------


def each(folder: Path, draw: Callable[[Path, int], None]) -> Path:
    for number, condition in enumerate(CONDITIONS):
        draw(folder / condition, number)
    return folder


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((("_DAPI", "_GFP"), ("_DAPI", "_RFP")), "of the channels DAPI, GFP, RFP, and no field has them all"),
        ((("_DAPI", "_GFP"), ("_RFP", "_Cy5")), "of the channels Cy5, DAPI, GFP, RFP, and no field has them all"),
        ((("_w1", "_w2"), ("_w1", "_w3")), "of the channels 1, 2, 3, and no field has them all"),
    ],
)
def test_channel_files_of_other_channels_are_refused(tmp_path: Path, names: Any, said: str) -> None:
    each(tmp_path, lambda path, number: [write(path / f"a{one}.tif", field(number)[0][0]) for one in names[number]])
    with pytest.raises(ImpaError, match=said):
        read_cells(tmp_path, size=CROP, nuclei_channel=0)


def test_numbers_that_no_two_fields_share_are_no_channels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = (("w1", "w2"), ("w3", "w4"))
    each(tmp_path, lambda path, i: [write(path / f"slide_{one}.tif", field(i)[0][0]) for one in names[i]])
    lines = lines_of(tmp_path, caplog)
    assert any("DMSO/slide.tif has 1, 2 and tax/slide.tif has 3, 4): each file was taken" in line for line in lines)
    assert len(open_source(tmp_path)) == 4


def test_stains_are_channels_in_any_case(tmp_path: Path) -> None:
    names = (("DAPI", "GFP"), ("dapi", "gfp"))
    each(tmp_path, lambda path, i: [write(path / f"a_{one}.tif", field(i)[0][0]) for one in names[i]])
    source = open_source(tmp_path)
    assert (len(source), source.channels) == (2, ("DAPI", "GFP"))


def test_files_of_stains_are_channels_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        for name in ("GFP", "DAPI") if number else ("DAPI",):
            write(tmp_path / CONDITIONS[number % 2] / f"{number}_{name}.tif", field(number)[0][0])
    cells = read_cells(tmp_path, size=CROP)
    assert cells.channels == ("DAPI", "GFP")
    assert len(cells) == 18
    assert any("Left out for want of a channel file: DMSO/0.tif has no channel GFP" in line for line in caplog.messages)


@pytest.mark.parametrize(
    ("form", "what"), [("a_z{}.tif", "Z planes"), ("a_t{:02}.tif", "times"), ("time {}/a.tif", "times")]
)
def test_files_that_differ_by_a_plane_or_time_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str, what: str
) -> None:
    each(tmp_path, lambda path, number: [write(path / form.format(one), field(number)[0][0]) for one in range(2)])
    assert any(f"differ by a number of {what}" in line for line in lines_of(tmp_path, caplog))


@pytest.mark.parametrize("folders", [("T1", "T2"), ("time 24", "time 48"), ("z1/a_1", "z2/a_1")])
def test_conditions_called_as_times_are_conditions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folders: tuple[str, str]
) -> None:
    for number, folder in enumerate(folders):
        write(tmp_path / folder / "a.tif", field(number)[0][0])
    assert not any("differ by a number" in line for line in lines_of(tmp_path, caplog))


def test_stacks_say_what_is_taken_of_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def draw(path: Path, number: int) -> None:
        write(path / "a.tif", np.stack([field(number)[0]] * 3), imagej=True, metadata={"axes": "TCYX"})

    assert any("the first of 3 times a file" in line for line in lines_of(each(tmp_path, draw), caplog))


def test_channels_that_only_some_images_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def draw(path: Path, number: int) -> None:
        names = {"Labels": ["DAPI", "GFP"]} if number else {}
        write(path / "a.tif", field(number, 2)[0], imagej=True, metadata={"axes": "CYX", **names})

    lines = lines_of(each(tmp_path, draw), caplog)
    assert any("1 of 2 images looked at do not name their channels" in line for line in lines)


def test_channels_that_are_named_in_part_must_not_contradict(tmp_path: Path) -> None:
    def draw(path: Path, number: int) -> None:
        names = {"Channel": {"Name": (["DAPI", ""], ["GFP", ""])[number]}}
        write(path / "a.ome.tif", field(number, 2)[0], ome=True, metadata={"axes": "CYX", **names})

    with pytest.raises(ImpaError, match=r"channels DAPI, one without a name and .* has GFP, one without a name"):
        read_cells(each(tmp_path, draw), size=CROP, nuclei_channel=0)


# ---- pixels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scaled", "factor"),
    [
        (lambda pixels, number: pixels // (16 if number else 1), "16"),
        (lambda pixels, number: (pixels / (1 if number else 65535)).astype(np.float32), "6.55e+04"),
    ],
)
def test_another_bit_depth_in_a_source_is_said_with_its_factor(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scaled: Any, factor: str
) -> None:
    each(tmp_path, lambda path, number: write(path / "a.tif", scaled(field(number)[0][0], number)))
    (line,) = [line for line in lines_of(tmp_path, caplog) if "another bit depth" in line]
    assert f"are about {factor[:2]}" in line
    assert "times as bright as in the others" in line


def test_a_brighter_stain_is_no_other_bit_depth(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def draw(path: Path, number: int) -> None:
        pixels = field(number)[0][0].astype(int)
        write(path / "a.tif", (200 + (pixels - 200) * (6 if number else 1)).clip(0).astype(np.uint16))

    assert not any("bit depth" in line for line in lines_of(each(tmp_path, draw), caplog))


def test_pixel_sizes_that_only_some_images_say(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def draw(path: Path, number: int) -> None:
        how = {"imagej": True, "resolution": (2, 2), "metadata": {"unit": "um"}} if number else {}
        write(path / "a.tif", field(number)[0][0], **how)

    lines = lines_of(each(tmp_path, draw), caplog)
    assert any("1 of 2 images looked at do not say their pixel size, the others 0.5 µm" in line for line in lines)


def test_one_image_under_two_conditions_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    each(tmp_path, lambda path, number: write(path / "a.tif", field(0)[0][0]))
    assert any("Cells of DMSO and tax are the same to the bit" in line for line in lines_of(tmp_path, caplog))


# ---- tables ---------------------------------------------------------------------------------------------------------


def crops(folder: Path, text: str) -> Path:
    """Six ready crops, and a table of them."""
    for number in range(6):
        np.save(folder / f"{number}.npy", np.random.default_rng(number).integers(0, 999, (1, CROP, CROP)).astype("u2"))
    (folder / "metadata.csv").write_text(text, encoding="utf-8")
    return folder


def named(*names: str) -> str:
    return "\n".join(["file,compound", *(f"{number}.npy,{name}" for number, name in enumerate(names))])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("DMSO", "DMSO", "untreated", "tax", "tax", "tax"), "'untreated' (1) is called as a control is"),
        (("DMSO 0.1%", "DMSO 0.1%", "0.1% DMSO", "tax", "tax", "tax"), "'0.1% DMSO' (1) is called as a control is"),
        (("DMSO", "DMSO", "#N/A", "#REF!", "tax", "tax"), "#N/A and #REF! is how spreadsheets write an error"),
        (("DMSO", "DMSO", "2-Sep", "Mar-01", "tax", "tax"), "2-Sep and Mar-01 look like what spreadsheets make"),
        (("DMSO", "DMSO", "01.Mrz", "2024-03-01", "3/1/2024", "tax"), "01.Mrz, 2024-03-01 and 3/1/2024 look like what"),
        (("DMSO", "DMSO", "tax 1 Âµm", "tax", "tax", "tax"), "'tax 1 Âμm' ('tax 1 μm'?) looks like UTF-8 that"),
        (
            ("DMSO", "DMSO", "dimethyl sulfoxide", "tax", "tax", "tax"),
            "'dimethyl sulfoxide' (1) is called as a control",
        ),
        (("0", "0", "1", "1", "2", "2"), "No untreated control is known among the conditions (0, 1 and 2)"),
        (("DMSO", "DMSO", "", "tax", "tax", "tax"), "1 images without a label left out"),
        (("DMSO", "DMSO", "dmso", "tax", "tax", "tax"), "are taken for spellings of one control"),
        (("DMSO", "DMSO", "Tax", "tax", "tax", "tax"), "may be one condition in 2 spellings"),
        (("DMSO", "DMSO", "IL-1β", "IL-1ß", "IL-1b", "tax"), "may be one condition in 3 spellings"),
        (("DMSO", "DMSO", "Y-27632", "Y–27632", "Y−27632", "tax"), "may be one condition in 3 spellings"),
        (("DMSO", "DMSO", "A23187", "\u041023187", "tax", "tax"), "may be one condition in 2 spellings"),
        (("DMSO", "DMSO", "5'-AZA", "5’-AZA", "tax", "tax"), "may be one condition in 2 spellings"),
        (("DMSO", "DMSO", "tax", "tax", "tax"), "Passed over: 5.npy (not in metadata.csv)"),
    ],
)
def test_names_that_are_doubtful_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: tuple[str, ...], said: str
) -> None:
    lines = lines_of(crops(tmp_path, named(*names)), caplog)
    assert any(said in line for line in lines), lines


def test_a_control_with_its_concentration_is_known(tmp_path: Path) -> None:
    assert read_cells(crops(tmp_path, named(*["tax"] * 3, "DMSO 0.1%", "DMSO (0.1 %)", "DMSO 0.1%"))).control == (
        "DMSO 0.1%"
    )


DOSES = "file,compound,dose\n0.npy,DMSO,{}\n1.npy,tax,{}\n2.npy,tax,{}\n3.npy,tax,{}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (DOSES.format("-", "1 µM", "1000 nM", "1e-6 M"), "DMSO tax tax tax"),
        (DOSES.format("-", "1 µM", "10nM", "0.01uM"), "DMSO,tax 1,tax 0.01,tax 0.01"),
        (DOSES.format("", '"0,5"', '"1,5"', '"0,5"'), "DMSO,tax 0.5,tax 1.5,tax 0.5"),
        (DOSES.format("", "0.3", "0.30000000000000004", "1"), "DMSO,tax 0.3,tax 0.3,tax 1"),
        (named("DMSO", "1.1", "1.10", "1.2"), "DMSO,1.1,1.10,1.2"),
        (named("1.1", "1.10", "1.2", "DMSO").replace("DMSO", "1.3"), "1.1,1.10,1.2,1.3"),
        (named("DMSO", '"=""001"""', "001", "1"), "DMSO,001,001,1"),
        (named("DMSO,", "tax,", "tax,", "tax,"), "DMSO tax tax tax"),
        ("# exported, 2024\n#\n" + named("DMSO", "tax", "tax", "tax"), "DMSO tax tax tax"),
        (named("DMSO", "tax", "tax", "tax").replace("npy", "NPY"), "DMSO tax tax tax"),
    ],
)
def test_tables_that_programs_write_are_read(tmp_path: Path, text: str, names: str) -> None:
    cells = read_cells(crops(tmp_path, text))
    assert list(cells.conditions) == names.split("," if "," in names else " ")


def test_files_are_found_in_any_unicode_form(tmp_path: Path) -> None:
    np.save(tmp_path / unicodedata.normalize("NFC", "zellé.npy"), np.ones((1, CROP, CROP), np.uint16))
    (tmp_path / "metadata.csv").write_text(unicodedata.normalize("NFD", "file,compound\nzellé.npy,tax"), "utf-8")
    assert len(open_source(tmp_path)) == 1


@pytest.mark.parametrize(("encoding", "name"), [("mac_roman", "Bétà"), ("shift_jis", "薬剤A"), ("gbk", "药物A")])
def test_encodings_that_are_not_known_are_refused(tmp_path: Path, encoding: str, name: str) -> None:
    crops(tmp_path, "")
    (tmp_path / "metadata.csv").write_bytes(named("DMSO", name).encode(encoding))
    with pytest.raises(ImpaError, match=r"neither in UTF-8 nor in Windows-1252: choose 'CSV UTF-8'"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DOSES.format("", "0.5", '"0,5"', "1"), "'dose' has the number 0,5, of which the comma may"),
        (DOSES.format("", "1000", '"1,000"', "1"), "'dose' has the number 1,000, of which the comma may"),
        (named("DMSO", "a, b"), r"line 3 has 3 cells and the first 2: put texts with commas"),
        ("file,compound,Compound\n0.npy,DMSO,x\n1.npy,tax,y", "the columns 'compound' and 'Compound'"),
        ("file,compound\n0.npy,DMSO\n./0.npy,tax", r"names \./0\.npy in two rows"),
        ("file,compound\n0.npy,DMSO\n{}/0.npy,tax", r"0\.npy in two rows"),
    ],
)
def test_tables_that_say_two_things_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ImpaError, match=said):
        read_cells(crops(tmp_path, text.format(tmp_path)))
