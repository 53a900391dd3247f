"""Files that are short and would become long: refused before they are unpacked, in one sentence."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from napari_impa.cells.readers import image, probe_image, read_image
from napari_impa.cells.tiff import read_ome_tiff
from napari_impa.errors import CellsError, SourceError

SAID = "would take .* GB of memory; such files are not unpacked"


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "INFLATED", 2 << 20)


def test_a_tiff_of_nothing_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4096, 4096), np.uint16), compression="zlib", rowsperstrip=4096)
    tracemalloc.start()
    with pytest.raises(SourceError, match=SAID):
        read_image(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 << 20, "of 34 MB"
    assert probe_image(path).pixels.shape == (1, 4096, 4096), "what only asks for its size is told"


def test_an_ome_tiff_of_nothing_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 2048, 2048), np.uint16), compression="zlib", ome=True, rowsperstrip=2048)
    with pytest.raises(CellsError, match=SAID):
        read_ome_tiff(path)


def test_a_png_of_nothing_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.fromarray(np.zeros((4096, 4096), np.uint8)).save(path)
    with pytest.raises(SourceError, match=SAID):
        read_image(path)


def test_what_is_as_long_as_its_pixels_is_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 9999, (1, 1200, 1200)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression="zlib")
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("planes", [100_000_000, 10**30])
def test_a_description_of_more_planes_than_there_can_be(tmp_path: Path, planes: int) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((2, 16, 16), np.uint16), ome=True, metadata={"axes": "CYX"})
    with tifffile.TiffFile(path) as file:
        xml = file.ome_metadata
    assert xml is not None
    tifffile.imwrite(
        path, np.zeros((2, 16, 16), np.uint16), description=xml.replace('SizeC="2"', f'SizeC="{planes}"').encode(),
        metadata=None,
    )  # fmt: skip
    with pytest.raises(SourceError, match=r"it says that it has 10+ planes"):
        read_image(path)
    with pytest.raises(CellsError, match=r"it says that it has 10+ planes"):
        read_ome_tiff(path)


def test_pixel_sizes_of_other_units_are_read_in_micrometres(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    about = {"axes": "CYX", "PhysicalSizeX": 325.0, "PhysicalSizeXUnit": "nm"}
    tifffile.imwrite(path, np.zeros((2, 16, 16), np.uint16), ome=True, metadata=about)
    assert read_ome_tiff(path).pixel_size == pytest.approx(0.325)
    assert read_image(path).pixel_size == pytest.approx(0.325)


@pytest.mark.parametrize("compression", ["zlib", None])
def test_a_tiff_of_more_strips_than_have_a_place(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((64, 64), np.uint8), compression=compression, rowsperstrip=16)
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages.first.tags["ImageLength"].valueoffset
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack("<H", 128))
    with pytest.raises(SourceError, match="some pixels are missing"):
        read_image(path)
