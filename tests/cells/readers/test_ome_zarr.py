"""What an OME-Zarr image says of itself, and its pixels: any order of axes, units, damaged descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from zarr_stores import write_group, write_image

from napari_impa.cells.readers import ome_zarr
from napari_impa.cells.readers.ome_zarr import ZarrImage, described, is_written
from napari_impa.errors import MissingDependencyError, SourceError

VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


def image(group: Path) -> ZarrImage:
    found = ZarrImage.of(group)
    assert found is not None
    return found


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)


@VERSIONS
@pytest.mark.parametrize("axes", ["tczyx", "czyx", "cyx", "yx", "zyx", "zcyx", "tyx"])
def test_axes_are_those_that_it_states(tmp_path: Path, version: str, axes: str) -> None:
    sizes = {"t": 2, "c": 3, "z": 4, "y": 6, "x": 8}
    pixels = numbered(*(sizes[axis] for axis in axes))
    one = image(write_image(tmp_path / "a", pixels, axes, version=version))
    times, planes = (sizes[axis] if axis in axes else 1 for axis in "tz")
    assert (one.times, one.z_planes) == (times, planes)
    at = tuple({"t": times - 1, "z": planes - 1}.get(axis, slice(None)) for axis in axes)
    expected = pixels[at] if "c" in axes else pixels[at][None]
    read = one.image(planes - 1, times - 1)
    assert np.array_equal(read.pixels, expected)
    assert one.probe().pixels.shape == read.pixels.shape
    assert one.probe().pixels.dtype == read.pixels.dtype == np.uint16
    assert read.channels == ("",) * len(expected)


@pytest.mark.parametrize(
    ("unit", "side", "expected"),
    [
        ("micrometer", 0.65, 0.65),
        ("nanometer", 325, 0.325),
        ("meter", 2e-7, 0.2),
        ("", 0.65, None),
        ("parsec", 1, None),
    ],
)
def test_its_pixel_size_is_in_micrometres_where_a_unit_is_stated(
    tmp_path: Path, unit: str, side: float, expected: float | None
) -> None:
    assert image(write_image(tmp_path / "a", numbered(4, 4), "yx", unit=unit, side=side)).pixel_size == expected


def test_scales_of_the_level_and_of_the_image_are_multiplied(tmp_path: Path) -> None:
    group = write_image(tmp_path / "a", numbered(2, 4, 4), "cyx", side=0.5)
    about = json.loads((group / "zarr.json").read_text())
    about["attributes"]["ome"]["multiscales"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": [1, 0.5, 0.5]}
    ]
    (group / "zarr.json").write_text(json.dumps(about))
    assert image(group).pixel_size == 0.25


def test_channels_are_named_where_there_is_a_name_for_each(tmp_path: Path) -> None:
    named = write_image(tmp_path / "a", numbered(2, 4, 4), "cyx", labels=["DAPI", "actin"])
    assert image(named).channels == ("DAPI", "actin")
    fewer = write_image(tmp_path / "b", numbered(2, 4, 4), "cyx", labels=["DAPI"])
    assert image(fewer).channels == ("", "")


@VERSIONS
def test_a_chunk_that_was_never_written_has_the_fill_value(tmp_path: Path, version: str) -> None:
    group = write_image(tmp_path / "a", numbered(2, 4, 4) + 1, "cyx", version=version)
    (group / "0" / ("1/0/0" if version == "0.4" else "c/1/0/0")).unlink()
    read = image(group).image(0, 0).pixels
    assert read[0].min() == 1
    assert not read[1].any()


def test_a_chunk_that_is_cut_short_is_said(tmp_path: Path) -> None:
    group = write_image(tmp_path / "a", numbered(2, 4, 4), "cyx")
    chunk = group / "0" / "c" / "1" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:9])
    with pytest.raises(SourceError, match=r"a.0 cannot be read: it is damaged or cut short .*; mend or remove it"):
        image(group).image(0, 0)


def test_what_is_not_there_is_no_image(tmp_path: Path) -> None:
    group = write_image(tmp_path / "a", numbered(4, 4), "yx")
    (group / "0" / "zarr.json").unlink()
    assert is_written(group)
    assert ZarrImage.of(group) is None
    assert not is_written(tmp_path / "b")
    assert described(tmp_path / "b") == {}


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("zarr.json", "{", r"a.zarr\.json cannot be read \(.*\); mend it"),
        ("zarr.json", "[" * 100_000, r"a.zarr\.json cannot be read \(.*recursion.*\); mend it"),
        ("zarr.json", "[]", r"a.zarr\.json holds no description of a zarr store"),
        (".zattrs", '{"multiscales": 3}', r"a is not described as OME-Zarr 0\.4 or 0\.5 is"),
        (".zattrs", '{"multiscales": [{"version": "0.1"}]}', r"a is OME-Zarr 0\.1, and this version reads"),
        (".zattrs", '{"multiscales": [{"version": "0.4"}]}', r"a is not described as OME-Zarr"),
        (".zattrs", '{"multiscales": []}', r"a is not described as OME-Zarr"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_description_is_one_sentence(tmp_path: Path, file: str, content: str, said: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / file).write_text(content)
    with pytest.raises(SourceError, match=said):
        ZarrImage.of(tmp_path / "a")


def test_a_shape_that_no_image_has_is_a_damaged_description(tmp_path: Path) -> None:
    write_image(tmp_path / "a", numbered(1, 8, 8), "cyx")
    header = tmp_path / "a" / "0" / "zarr.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), "shape": [1, 1e308, 8]}))
    with pytest.raises(SourceError, match="a is not described as OME-Zarr"):
        ZarrImage.of(tmp_path / "a")


def test_a_newer_version_is_said(tmp_path: Path) -> None:
    write_group(tmp_path / "a", "0.6", {"multiscales": []})
    with pytest.raises(SourceError, match=r"a is OME-Zarr 0\.6, and this version reads 0\.4 and 0\.5; convert it, or"):
        described(tmp_path / "a")


def test_axes_that_no_image_of_cells_has_are_named(tmp_path: Path) -> None:
    group = write_image(tmp_path / "a", numbered(3, 4, 4), "cyx")
    text = (group / "zarr.json").read_text().replace('"name": "c", "type": "channel"', '"name": "angle"')
    (group / "zarr.json").write_text(text)
    with pytest.raises(SourceError, match="a has the axes angle, y, x of 3×4×4; save it with axes of t, c, z, y, x"):
        ZarrImage.of(group)


def test_without_zarr_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = write_image(tmp_path / "a.zarr", numbered(4, 4), "yx")
    monkeypatch.setattr(ome_zarr, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "napari-impa\[zarr\]"'):
        image(group).image(0, 0)
