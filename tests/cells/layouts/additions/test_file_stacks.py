"""Files that themselves hold Z planes or times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.readers import StackError, read_image
from napari_impa.cells.readers.stacks import StackChoice
from napari_impa.cells.source import Source, open_source
from napari_impa.errors import SourceError

VALUES = np.arange(2 * 3 * 2, dtype=np.uint16).reshape(2, 3, 2)  # time, z, channel


def write(path: Path, values: np.ndarray = VALUES, *, ome: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = values[..., None, None] * np.ones((5, 7), np.uint16)
    pixels[:, 1, :, ::2] = 0  # the middle plane is the sharpest
    about = {"axes": "TZCYX", "Channel": {"Name": ["DNA", "actin"]}} if ome else {"axes": "TZCYX"}
    tifffile.imwrite(path, pixels, ome=ome, imagej=not ome, metadata=about, photometric="minisblack")


def opened(folder: Path, **choice: object) -> Source:
    return open_source(folder, kind="fields", choice=LayoutChoice(**choice))  # type: ignore[arg-type]


def corners(source: Source) -> list[list[int]]:
    return [source.image(row).pixels[:, 1, 0].tolist() for row in range(len(source))]


@pytest.mark.parametrize("ome", [True, False])
def test_the_maximum_of_the_first_time_is_read_and_said(tmp_path: Path, ome: bool) -> None:
    for name in ("DMSO/a.ome.tif", "taxol/b.ome.tif"):
        write(tmp_path / name, ome=ome)
    source = opened(tmp_path)
    assert source.layout.endswith("; maximum projection of 3 Z planes a file; the first of 2 times a file")
    assert len(source.channels) == 2
    assert corners(source) == [[4, 5]] * 2


def test_a_plane_a_time_or_all_of_them(tmp_path: Path) -> None:
    for well in ("A01", "A02"):
        write(tmp_path / "p" / f"{well}.ome.tif")
    assert corners(opened(tmp_path / "p", z=1, time=2)) == [[6, 7]] * 2
    assert corners(opened(tmp_path / "p", z="sharpest")) == [[2, 3]] * 2
    source = opened(tmp_path / "p", time="all")
    assert source.table[["well", "time"]].values.tolist() == [["A01", 1], ["A01", 2], ["A02", 1], ["A02", 2]]
    assert corners(source) == [[4, 5], [10, 11]] * 2
    assert len({entry.name for entry in source.entries}) == 4
    assert "maximum projection of 3 Z planes a file; 2 times in the files" in source.layout


def test_what_a_file_has_not_is_said(tmp_path: Path) -> None:
    write(tmp_path / "a.ome.tif")
    with pytest.raises(SourceError, match=r"a\.ome\.tif has 3 Z planes, not 4; choose another"):
        opened(tmp_path, z=4)
    with pytest.raises(SourceError, match=r"a\.ome\.tif has 2 times, not 3"):
        opened(tmp_path, time=3)
    with pytest.raises(StackError, match=r"holds a Z stack of 3 planes") as caught:
        read_image(tmp_path / "a.ome.tif")
    assert (caught.value.planes, caught.value.times) == (3, 2)
    assert read_image(tmp_path / "a.ome.tif", StackChoice(2, 2)).channels == ("DNA", "actin")
