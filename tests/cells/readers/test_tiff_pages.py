"""TIFF files whose pages follow each other in a circle are refused at once."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_impa.cells.readers import read_image
from napari_impa.cells.readers.tiff_pages import check_pages
from napari_impa.cells.tiff import read_ome_tiff
from napari_impa.errors import CellsError, SourceError


def written(path: Path, *, big: bool = False, order: str = "<") -> tuple[Path, int, str]:
    tifffile.imwrite(path, np.zeros((3, 8, 8), np.uint16), bigtiff=big, byteorder=order, photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[1]
        at = page.offset + struct.calcsize("Q" if big else "H") + len(page.tags) * (20 if big else 12)
    return path, at, order + ("Q" if big else "I")


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("target", [4, 8, 100, "first", "own"])
def test_pages_in_a_circle(tmp_path: Path, big: bool, order: str, target: int | str) -> None:
    path, at, form = written(tmp_path / "x.tif", big=big, order=order)
    check_pages(path)
    with tifffile.TiffFile(path) as tiff:
        to = {"first": tiff.pages[0].offset, "own": tiff.pages[1].offset}.get(str(target), target)
    data = bytearray(path.read_bytes())
    data[at : at + struct.calcsize(form)] = struct.pack(form, to)
    path.write_bytes(data)
    began = time.process_time()
    with pytest.raises(SourceError, match=r"circle|cut short|damaged"):
        read_image(path)
    with pytest.raises(CellsError):
        read_ome_tiff(path)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("content", [b"", b"II", b"II*\0", b"II*\0\x08\0\0\0", b"MM\0+", b"II+\0\x08\0\0\0"])
def test_what_is_no_tiff_file_is_left_to_whoever_reads_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(content)
    check_pages(path)
    with pytest.raises(SourceError):
        read_image(path)


def test_many_pages_take_little_time(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as tiff:
        for _ in range(500):
            tiff.write(np.zeros((4, 4), np.uint8), contiguous=False, metadata=None)
    began = time.process_time()
    check_pages(tmp_path / "x.tif")
    assert time.process_time() - began < 0.5
