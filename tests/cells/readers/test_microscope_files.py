"""Files of several scenes: LIF, of which a true one is written here, and ND2 and CZI.

No package writes ND2 or CZI. Their tests put a stand-in in the place of the package, with those of its functions that
are used, as nd2 0.12 and czifile 2026.10.14 document them: they show that what a package says becomes the right fields,
and not that it reads files right.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np
import pytest

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.readers import read_image, read_scenes
from napari_impa.cells.source import open_source
from napari_impa.errors import MissingDependencyError, SourceError


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)


# ---- LIF -------------------------------------------------------------------------------------------------------------


def write_lif(path: Path, images: Sequence[tuple[str, np.ndarray]], names: Sequence[str], side: float = 5e-7) -> None:
    """Write images (T, Z, C, Y, X) as Leica does: a header in XML, then a block of memory for each."""
    elements = []
    for number, (name, pixels) in enumerate(images):
        t, z, c, y, x = pixels.shape
        item = pixels.itemsize
        channels = "".join(
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" '
            f'Max="65535" Unit="" LUTName="{channel}" IsLUTInverted="0" BytesInc="{at * y * x * item}" BitInc="0"/>'
            for at, channel in enumerate(names)
        )
        steps = [(1, x, item, (x - 1) * side), (2, y, x * item, (y - 1) * side)]
        steps += [(3, z, c * y * x * item, 1e-6), (4, t, z * c * y * x * item, 1.0)]
        dimensions = "".join(
            f'<DimensionDescription DimID="{axis}" NumberOfElements="{count}" Origin="0" Length="{length}" Unit="m" '
            f'BytesInc="{step}" BitInc="0"/>'
            for axis, count, step, length in steps
            if count > 1
        )
        elements.append(
            f'<Element Name="{name}" UniqueID="{number}"><Data><Image><ImageDescription><Channels>{channels}</Channels>'
            f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
            f'<Memory Size="{pixels.nbytes}" MemoryBlockID="MemBlock_{number}"/></Element>'
        )
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name="{path.stem}"><Children>{"".join(elements)}</Children>'
        '<Memory Size="0" MemoryBlockID="MemBlock_all"/></Element></LMSDataContainerHeader>'
    )
    with path.open("wb") as file:
        text = xml.encode("utf-16-le")
        file.write(struct.pack("<IIBI", 0x70, 5 + len(text), 0x2A, len(text) // 2) + text)
        for number, (_, pixels) in enumerate(images):
            block = f"MemBlock_{number}"
            head = struct.pack("<IIBQBI", 0x70, 14 + 2 * len(block), 0x2A, pixels.nbytes, 0x2A, len(block))
            file.write(head + block.encode("utf-16-le") + pixels.astype("<u2").tobytes())


def test_the_images_of_a_lif_file_are_fields(tmp_path: Path) -> None:
    pytest.importorskip("liffile")
    first, second = numbered(1, 3, 2, 6, 8), numbered(1, 3, 2, 6, 8) + 500
    write_lif(tmp_path / "slide.lif", [("Position 1", first), ("Position 2", second)], ["Blue", "Green"])
    source = open_source(tmp_path / "slide.lif", kind="fields")
    assert [entry.name for entry in source.entries] == ["slide.lif · Position 1", "slide.lif · Position 2"]
    assert (source.channels, source.shape, source.pixel_size) == (("Blue", "Green"), (6, 8), 0.5)
    assert source.layout.endswith("(maximum projection of 3 Z planes)")
    assert np.array_equal(source.image(1).pixels, second[0, 2])
    plane = open_source(tmp_path, kind="fields", choice=LayoutChoice(z=1))
    assert np.array_equal(plane.image(0).pixels, first[0, 1])
    assert "condition" not in plane.table


def test_a_lif_file_of_one_plane_is_an_image(tmp_path: Path) -> None:
    pytest.importorskip("liffile")
    pixels = numbered(1, 1, 1, 6, 8)
    write_lif(tmp_path / "a.lif", [("x", pixels)], ["Gray"])
    assert np.array_equal(read_image(tmp_path / "a.lif").pixels, pixels[0, 0])
    write_lif(tmp_path / "b.lif", [("x", pixels), ("y", pixels)], ["Gray"])
    with pytest.raises(SourceError, match=r"b\.lif holds 2 scenes .*; give it, or its folder, as what is to be read"):
        read_image(tmp_path / "b.lif")


def test_a_damaged_lif_file_is_named(tmp_path: Path) -> None:
    pytest.importorskip("liffile")
    (tmp_path / "a.lif").write_bytes(b"nothing of this kind")
    with pytest.raises(SourceError, match=r"a\.lif cannot be read: the file is damaged"):
        open_source(tmp_path)


# ---- ND2 -------------------------------------------------------------------------------------------------------------


class StandInNd2File:
    """Two positions, two times, three planes, two channels: of `nd2.ND2File` what is used."""

    pixels = numbered(2, 2, 3, 2, 6, 8)  # T, P, Z, C, Y, X, in the order of the experiment
    is_rgb = False
    dtype = np.dtype(np.uint16)

    def __init__(self, path: Path) -> None:
        self.sizes = {"T": 2, "P": 2, "Z": 3, "C": 2, "Y": 6, "X": 8}
        points = [SimpleNamespace(name="A01"), SimpleNamespace(name="")]
        position = SimpleNamespace(type="XYPosLoop", parameters=SimpleNamespace(points=points))
        self.experiment = [SimpleNamespace(type="TimeLoop"), position, SimpleNamespace(type="ZStackLoop")]
        channels = [SimpleNamespace(channel=SimpleNamespace(name=name)) for name in ("DAPI", "GFP")]
        self.metadata = SimpleNamespace(channels=channels)
        self.loop_indices = tuple({"T": t, "P": p, "Z": z} for t in range(2) for p in range(2) for z in range(3))

    def __enter__(self) -> StandInNd2File:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def voxel_size(self) -> Any:
        return SimpleNamespace(x=0.325, y=0.325, z=1.0)

    def read_frame(self, index: int) -> np.ndarray:
        return self.pixels.reshape(12, 2, 6, 8)[index]


def test_the_positions_of_an_nd2_file_are_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nd2", SimpleNamespace(ND2File=StandInNd2File))
    for name in ("DMSO", "taxol"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.nd2").touch()
    source = open_source(tmp_path, kind="fields")
    assert [entry.name for entry in source.entries] == [
        "DMSO/a.nd2 · 2", "DMSO/a.nd2 · A01", "taxol/a.nd2 · 2", "taxol/a.nd2 · A01",
    ]  # fmt: skip
    assert source.table["condition"].tolist() == ["DMSO", "DMSO", "taxol", "taxol"]
    assert (source.channels, source.pixel_size) == (("DAPI", "GFP"), 0.325)
    assert "the first of 2 times; maximum projection of 3 Z planes" in source.layout
    assert np.array_equal(source.image(0).pixels, StandInNd2File.pixels[0, 1, 2])
    later = open_source(tmp_path, kind="fields", choice=LayoutChoice(time=1, z=0))
    assert np.array_equal(later.image(1).pixels, StandInNd2File.pixels[1, 0, 0])


# ---- CZI -------------------------------------------------------------------------------------------------------------


class StandInCziImage:
    """Of `czifile.CziImage` what is used: its planes count from 4, its times from 0, each asked for as it counts."""

    def __init__(self, pixels: np.ndarray, dims: tuple[str, ...] = ("Z", "C", "Y", "X")) -> None:
        self.pixels, self.dims = pixels, dims
        self.start = tuple(4 if axis == "Z" else 0 for axis in dims)
        self.sizes = dict(zip(dims, pixels.shape, strict=True))
        self.dtype, self.mpp = pixels.dtype, (0.2, 0.2)
        self.channels: dict[str, dict[str, Any]] = {"DAPI": {}, "AF488": {}}

    def __call__(self, Z: int) -> StandInCziImage:
        return StandInCziImage(self.pixels[Z - 4], self.dims[1:])

    def asarray(self) -> np.ndarray:
        return self.pixels


class StandInCziFile:
    """Two scenes, numbered 0 and 3: of `czifile.CziFile` what is used."""

    def __init__(self, path: Path) -> None:
        self.xml_element = ElementTree.fromstring(
            "<x><Information><Image><Dimensions><S><Scenes><Scene Index='3' Name='B2'/></Scenes></S></Dimensions>"
            "</Image></Information></x>"
        )

    scenes: ClassVar[Any] = {0: StandInCziImage(numbered(2, 2, 6, 8)), 3: StandInCziImage(numbered(2, 2, 6, 8) + 99)}

    def __enter__(self) -> StandInCziFile:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_the_scenes_of_a_czi_file_are_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "czifile", SimpleNamespace(CziFile=StandInCziFile))
    (tmp_path / "a.czi").touch()
    source = open_source(tmp_path / "a.czi", kind="fields", choice=LayoutChoice(z=1))
    assert [entry.name for entry in source.entries] == ["a.czi · 1", "a.czi · B2"]
    assert (source.channels, source.pixel_size, source.shape) == (("DAPI", "AF488"), 0.2, (6, 8))
    assert np.array_equal(source.image(1).pixels, StandInCziFile.scenes[3].pixels[1])


def test_axes_that_no_field_has_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "czifile", SimpleNamespace(CziFile=StandInCziFile))
    scenes = {0: StandInCziImage(numbered(2, 2, 6, 8), ("H", "C", "Y", "X"))}
    monkeypatch.setattr(StandInCziFile, "scenes", scenes)
    (tmp_path / "a.czi").touch()
    with pytest.raises(SourceError, match=r"a\.czi has the axes H, C, Y, X; save it with axes of T, C, Z, Y, X"):
        read_scenes(tmp_path / "a.czi")


# ---- without the packages --------------------------------------------------------------------------------------------


@pytest.fixture(params=[("nd2", "nd2"), ("czi", "czifile"), ("lif", "liffile")])
def extra(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The extra of a format whose package is not installed."""
    name, package = request.param
    monkeypatch.setitem(sys.modules, package, None)
    return str(name)


def test_without_its_package_a_format_says_how_to_install_it(tmp_path: Path, extra: str) -> None:
    (tmp_path / f"a.{extra}").touch()
    with pytest.raises(MissingDependencyError, match=rf'a\.{extra} is read by .*pip install "napari-impa\[{extra}\]"'):
        open_source(tmp_path)


def test_an_older_czifile_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "czifile", SimpleNamespace(CziFile=object))
    (tmp_path / "a.czi").touch()
    with pytest.raises(MissingDependencyError, match=r"a\.czi needs a newer czifile"):
        open_source(tmp_path)
