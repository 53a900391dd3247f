from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_impa.cells.beside import written_beside
from napari_impa.cells.readers import read_image
from napari_impa.cells.store import Cells
from napari_impa.cells.tiff import TiffPicture, read_ome_tiff, save_cells_ome_tiff, save_cells_tiff, save_ome_tiff
from napari_impa.errors import CellsError

CHANNELS = ("DNA", "actin")


def some_cells(dtype: str = "uint16", count: int = 3) -> Cells:
    pixels = np.random.default_rng(0).integers(0, 200, (count, 2, 8, 8)).astype(dtype)
    return Cells(pixels, pd.DataFrame({"field": ["f"] * count}), CHANNELS, 0.65)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", ">u2", "float32"])
def test_imagej_hyperstack_keeps_pixels_size_and_names(tmp_path: Path, dtype: str) -> None:
    cells = some_cells(dtype)
    path = save_cells_tiff(cells, tmp_path / "new" / "cells")
    assert path.name == "cells.tif"
    with tifffile.TiffFile(path) as file:
        assert file.is_imagej
        assert file.series[0].axes == "TCYX"
        assert file.imagej_metadata["unit"] == "um"
        assert file.imagej_metadata["Labels"][:2] == list(CHANNELS)
        x, per = file.pages[0].tags["XResolution"].value
        assert per / x == pytest.approx(0.65, rel=1e-6)
        np.testing.assert_array_equal(file.asarray(), cells.pixels)


def test_imagej_refuses_what_it_would_round(tmp_path: Path) -> None:
    cells = some_cells("int64")
    cells.pixels[0, 0, 0, 0] = 2**24 + 1
    with pytest.raises(CellsError, match=r"OME-TIFF or \.cells"):
        save_cells_tiff(cells, tmp_path / "cells.tif")
    assert not any(tmp_path.iterdir())


def test_one_cell_stays_a_hyperstack(tmp_path: Path) -> None:
    path = save_cells_tiff(some_cells(count=1), tmp_path / "one.tif")
    assert tifffile.imread(path).shape == (2, 8, 8)


def test_ome_tiff_keeps_everything(tmp_path: Path) -> None:
    cells = some_cells()
    about = {"title": "µ drug", "translate": [3.25, -7.0], "strength": 1.5}
    path = save_cells_ome_tiff(cells, tmp_path / "cells", about)
    assert path.name == "cells.ome.tif"
    back = read_ome_tiff(path)
    np.testing.assert_array_equal(back.pixels, cells.pixels)
    assert (back.channels, back.pixel_size, back.about) == (CHANNELS, 0.65, about)


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(2, 9), st.integers(2, 9)),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "uint32", "float32", "float64"]),
    size=st.one_of(st.none(), st.floats(0.01, 20)),
    about=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_any_picture_comes_back(tmp_path_factory, shape, dtype, size, about) -> None:
    pixels = np.random.default_rng(1).integers(0, 250, shape).astype(dtype)
    pixels = pixels[0] if len(pixels) == 1 else pixels
    channels = tuple(f"channel <{number}>" for number in range(shape[1]))
    path = save_ome_tiff(TiffPicture(pixels, channels, size, about), tmp_path_factory.mktemp("ome") / "p.ome.tif")
    back = read_ome_tiff(path)
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.pixels.dtype == pixels.dtype
    assert (back.channels, back.pixel_size, back.about) == (channels, size, about)


def test_our_own_reader_of_fields_understands_it(tmp_path: Path) -> None:
    pixels = some_cells().pixels[0]
    image = read_image(save_ome_tiff(TiffPicture(pixels, CHANNELS, 0.5), tmp_path / "field.ome.tif"))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert (image.channels, image.pixel_size) == (CHANNELS, 0.5)


@pytest.mark.parametrize("broken", [b"", b"no picture", b"II*\0\x08\0\0\0"])
def test_what_is_no_ome_tiff_gets_one_sentence(tmp_path: Path, broken: bytes) -> None:
    (tmp_path / "a.ome.tif").write_bytes(broken)
    with pytest.raises(CellsError, match="OME-TIFF"):
        read_ome_tiff(tmp_path / "a.ome.tif")
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((4, 4), np.uint8))
    with pytest.raises(CellsError, match="OME-TIFF"):
        read_ome_tiff(tmp_path / "plain.tif")


def test_pixels_that_ome_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(CellsError, match=r"save them as \.cells"):
        save_cells_ome_tiff(some_cells("int64"), tmp_path / "a")
    with pytest.raises(CellsError, match="no cells"):
        save_cells_tiff(some_cells(count=0), tmp_path / "a")


def test_what_was_there_before_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    writing = written_beside(path)
    writing.__enter__().write_text("half")
    error = OSError(28, "No space left on device")
    with pytest.raises(CellsError, match="No space left"):
        writing.__exit__(type(error), error, None)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(CellsError, match="cannot be written"), written_beside(path / "below" / "a.txt"):
        pass


@pytest.mark.parametrize("tag", [256, 257])
def test_planes_that_are_not_there_are_refused(tmp_path: Path, tag: int) -> None:
    path = save_ome_tiff(TiffPicture(np.ones((2, 8, 8), np.uint16), ("DNA", "actin")), tmp_path / "f")
    with tifffile.TiffFile(path) as file:
        at = [page.tags[tag].valueoffset for page in file.pages]
    data = bytearray(path.read_bytes())
    for offset in at:
        data[offset : offset + 4] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(CellsError):
        read_ome_tiff(path)
