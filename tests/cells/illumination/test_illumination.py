"""Illumination: what a channel is divided by, from files, Harmony's profiles and estimated; off where not asked for."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray
from stub_plates import stub_plate, write_plates

from napari_impa.cells.folder import crop_source
from napari_impa.cells.illumination import FunctionFile, HarmonyProfile, NoFunction, divided, estimated_functions
from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError

SIDE = 64


def vignette(side: int = SIDE) -> NDArray[np.float64]:
    """Bright in the middle, and brighter to the right than to the left."""
    y, x = np.mgrid[:side, :side] / (side - 1) - 0.5
    return 1.4 - 1.2 * (x**2 + y**2) + 0.2 * x


def function_file(path: Path, values: NDArray[np.float64]) -> FunctionFile:
    np.save(path, values)
    return FunctionFile(path)


def test_pixels_keep_their_type_and_are_rounded_and_held_within_it(tmp_path: Path) -> None:
    twice = function_file(tmp_path / "a.npy", np.full((2, 2), 2.0))
    half = function_file(tmp_path / "b.npy", np.full((2, 2), 0.5))
    pixels = np.array([[[0, 3], [5, 65535]], [[1, 2], [40000, 65535]]], np.uint16)
    found = divided(pixels, [twice, half])
    assert found.dtype == np.uint16
    assert found.tolist() == [[[0, 2], [2, 32768]], [[2, 4], [65535, 65535]]]
    assert divided(pixels.astype(np.float32), [twice, half])[0, 0, 1] == np.float32(1.5)


def test_a_function_of_another_size_or_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    pixels = np.ones((1, 4, 6), np.uint16)
    with pytest.raises(SourceError, match=r"a\.npy is 6×4 px but its image 4×6 px"):
        divided(pixels, [function_file(tmp_path / "a.npy", np.ones((6, 4)))])
    with pytest.raises(SourceError, match=r"holds values that are not above 0"):
        divided(pixels, [function_file(tmp_path / "b.npy", np.zeros((4, 6)))])
    with pytest.raises(SourceError, match=r"has the shape 4×6×2, and not rows and columns"):
        divided(pixels, [function_file(tmp_path / "c.npy", np.ones((4, 6, 2)))])
    (tmp_path / "d.npy").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"d\.npy cannot be read"):
        divided(pixels, [FunctionFile(tmp_path / "d.npy")])
    with pytest.raises(SourceError, match="gone"):
        NoFunction("gone").check()


def test_harmonys_profile_is_a_polynomial_of_columns_and_rows() -> None:
    text = (
        "{Background: {Character: Flat, Mean: 12.5e-1}, Foreground: {Character: NonFlat, Profile: {Coefficients: "
        "[[1.0], [0.25, -1e-1], [0, 0, 0.5]], Dims: [3, 2], Origin: [1, 0.5], Scale: [1.0, 2.0], Type: Polynomial}}, "
        "Channel: 1, ChannelName: HOECHST 33342, Version: Acapella:2013}"
    )
    profile = HarmonyProfile.of(text)
    assert profile is not None
    x, y = np.array([-1.0, 0.0, 1.0])[None], np.array([-1.0, 1.0])[:, None]
    expected = 1 + 0.25 * x - 0.1 * y + 0.5 * y**2
    assert np.allclose(profile.over((2, 3)), expected / expected.mean())
    with pytest.raises(SourceError, match="of 2×3 px, and the images are 3×2 px"):
        profile.over((3, 2))
    assert HarmonyProfile.of("{Background: {Profile: {Type: Polynomial}}, Version: Acapella:2013}") is None
    assert HarmonyProfile.of("__import__('os')") is None
    quoted = text.replace("Foreground", '"Foreground"').replace("HOECHST 33342", '"A: {b}"')
    assert HarmonyProfile.of(quoted) == profile


def test_a_plates_fields_tell_its_illumination() -> None:
    rng = np.random.default_rng(0)
    shape = vignette()

    def field(number: int) -> NDArray[np.uint16]:
        truth = np.full((2, SIDE, SIDE), 200.0)
        for y, x in rng.integers(-7, SIDE, (12, 2)):
            truth[:, max(y, 0) : y + 8, max(x, 0) : x + 8] = 500
        gain = 30.0 if number == 3 else 1.0  # one field that is far brighter
        return np.stack([gain * truth[0] * shape, gain * truth[1]]).astype(np.uint16)

    functions = estimated_functions([partial(field, number) for number in range(48)], 2, "P1")
    found = functions[0].over((SIDE, SIDE))
    ratio = found / shape
    assert ratio.std() / ratio.mean() < 0.03
    corners = found[[0, 0, -1, -1], [0, -1, 0, -1]] / shape[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.allclose(corners / ratio.mean(), 1, atol=0.1)
    assert shape.std() / shape.mean() > 0.1
    assert np.percentile(found, 2) == pytest.approx(1, abs=1e-3)
    flat = functions[1].over((SIDE, SIDE))
    assert flat.std() < 0.04
    again = pickle.loads(pickle.dumps(functions[0]))  # as a process gets it that cuts one field
    assert np.array_equal(again.over((SIDE, SIDE)), found)
    with pytest.raises(SourceError, match=r"from fields of 64×64 px, and one is 32×64 px"):
        functions[0].over((32, 64))


def plate_with_functions(folder: Path, wells: int = 2, size: int = 16) -> Path:
    rows = []
    for number in range(1, wells + 1):
        row: dict[str, object] = {"Metadata_Plate": "P1", "Metadata_Well": f"A{number}"}
        for channel, value in (("DNA", 100), ("ER", 60)):
            pixels = np.full((size, size), value * number, np.uint16)
            pixels[4:8, 4:8] *= 2
            tifffile.imwrite(folder / f"{number}{channel}.tif", pixels)
            np.save(folder / f"P1_Illum{channel}.npy", np.full((size, size), 2.0 if channel == "DNA" else 1.5))
            row |= {
                f"FileName_Orig{channel}": f"{number}{channel}.tif",
                f"FileName_Illum{channel}": f"P1_Illum{channel}.npy",
            }
        rows.append(row)
    pd.DataFrame(rows).to_csv(folder / "load_data_with_illum.csv", index=False)
    return folder


def test_the_functions_of_a_table_are_used_where_asked_for(tmp_path: Path) -> None:
    folder = plate_with_functions(tmp_path)
    plain = open_source(folder, kind="crops")
    assert plain.channels == ("OrigDNA", "OrigER")
    assert plain.image(0).pixels[:, 0, 0].tolist() == [100, 60]
    assert plain.notes == ("Its illumination functions are not applied; --illumination table divides by them.",)
    assert plain.skipped[folder / "P1_IllumER.npy"].startswith("an illumination function; --illumination table")
    choice = LayoutChoice(illumination="table")
    source = open_source(folder, kind="crops", choice=choice)
    assert source.image(1).pixels[:, 0, 0].tolist() == [100, 80]
    assert source.notes == ("Illumination is corrected by the functions of its table.",)
    again = pickle.loads(pickle.dumps(source))
    assert np.array_equal(again.image(1).pixels, source.image(1).pixels)
    cells = crop_source(source, tmp_path / "a.cells", size=16)
    assert cells.history["read_with"] == {"illumination": "table"}
    assert cells.pixels.dtype == np.uint16
    assert cells.pixels[0, :, 0, 0].tolist() == [50, 40]
    (folder / "P1_IllumER.npy").unlink()
    with pytest.raises(
        SourceError, match=r"in row 2 the illumination function P1_IllumER.npy of OrigER, and it is not"
    ):
        open_source(folder, choice=choice)
    assert len(open_source(folder, kind="crops")) == 2


def test_phenix_profiles_are_used_where_asked_for(tmp_path: Path) -> None:
    folder = write_plates(tmp_path / "p", "phenix", stub_plate(wells=["A01"], sites=1, channels=["DNA", "actin"]))
    index = next(file for file in folder.rglob("*.xml") if "ndex" in file.name)
    with pytest.raises(SourceError, match="no index of Harmony has profiles"):
        open_source(folder, choice=LayoutChoice(illumination="profiles"))
    text = index.read_text(encoding="utf-8")
    for number, slope in ((1, 0.1), (2, -0.1)):
        profile = (
            f"{{Foreground: {{Profile: {{Coefficients: [[1.0], [{slope}, 0.0]], Dims: [8, 8], Origin: [3.5, 3.5], "
            "Scale: [1.0, 1.0], Type: Polynomial}}}"
        )
        entry = f'<Entry ChannelID="{number}">'
        assert entry in text
        text = text.replace(entry, f"{entry}<FlatfieldProfile>{profile}</FlatfieldProfile>", 1)
    index.write_text(text, encoding="utf-8")
    plain = open_source(folder, kind="fields").image(0).pixels
    found = open_source(folder, kind="fields", choice=LayoutChoice(illumination="profiles")).image(0).pixels
    ramp = 1 + 0.1 * (np.arange(8) - 3.5)
    assert np.array_equal(found[0], np.rint(plain[0] / ramp.astype(np.float32)))
    assert np.array_equal(found[1], np.rint(plain[1] / ramp[::-1].astype(np.float32)))


def test_an_estimate_is_made_a_plate_and_said(tmp_path: Path) -> None:
    folder = plate_with_functions(tmp_path, size=32)
    source = open_source(folder, kind="crops", choice=LayoutChoice(illumination="estimate"))
    assert "estimated from 2 fields of a plate (guessed), so few" in source.notes[0]
    assert source.image(0).pixels.shape == (2, 32, 32)
    with pytest.raises(SourceError, match="illumination is none, table, profiles, estimate, not 'basic'"):
        LayoutChoice(illumination="basic")  # type: ignore[arg-type]
    tifffile.imwrite(tmp_path / "only.tif", np.ones((8, 8), np.uint16))
    with pytest.raises(SourceError, match="no table names illumination functions"):
        open_source(tmp_path / "only.tif", choice=LayoutChoice(illumination="table"))


def test_corners_become_as_bright_as_the_middle_plate_by_plate_and_channel_by_channel(tmp_path: Path) -> None:
    """Two plates whose light is known, that of each channel another; the truth under it is even."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) - 0.5
    falls = {"P1": (0.8, 0.2), "P2": (0.1, 0.6)}  # how much darker a corner is, of each channel
    for plate, of_channels in falls.items():
        (tmp_path / plate).mkdir()
        for number in range(1, 25):
            even = rng.uniform(900, 1100, (SIDE, SIDE))
            for channel, fall in enumerate(of_channels, 1):
                pixels = (even * (1 - 2 * fall * (x**2 + y**2) * 0.8)).astype(np.uint16)
                tifffile.imwrite(tmp_path / plate / f"{plate}_A{number:02d}_s1_w{channel}.tif", pixels)

    def corner_to_centre(illumination: Literal["none", "estimate"]) -> NDArray[np.float64]:
        cells = crop_source(tmp_path, size=SIDE, kind="crops", choice=LayoutChoice(illumination=illumination))
        assert cells.history.get("read_with", {}) == ({} if illumination == "none" else {"illumination": "estimate"})
        mean = np.stack([cells.pixels[cells.table["plate"] == plate].mean(0) for plate in falls])
        corners = np.stack([mean[..., a, b] for a in (slice(6), slice(-6, None)) for b in (slice(6), slice(-6, None))])
        return np.asarray(corners.mean((0, -1, -2)) / mean[..., 26:38, 26:38].mean((-1, -2)))

    before, after = corner_to_centre("none"), corner_to_centre("estimate")
    assert before[0, 0] < 0.6
    assert before[1, 0] > 0.9
    assert np.abs(after - 1).max() < 0.05
