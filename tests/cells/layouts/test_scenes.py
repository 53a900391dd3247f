"""Images of their own in OME-Zarr: alone, in a folder, one subfolder a condition, the series of a converted file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from zarr_stores import write_group, write_image

from napari_impa.cells.layouts import LayoutChoice, list_source
from napari_impa.cells.readers import ome_zarr
from napari_impa.cells.source import open_source
from napari_impa.errors import MissingDependencyError, SourceError


def pixels(value: int, *leading: int) -> np.ndarray:
    """Planes that are brighter the later they come."""
    planes = value + np.arange(int(np.prod(leading))).reshape(leading)
    return (planes[..., None, None] * np.ones((6, 8))).astype(np.uint16)


def test_a_store_given_itself_is_one_field(tmp_path: Path) -> None:
    write_image(tmp_path / "cells.zarr", pixels(7, 2), "cyx", labels=["DNA", "actin"])
    source = open_source(tmp_path / "cells.zarr")
    assert (source.channels, source.shape, source.pixel_size) == (("DNA", "actin"), (6, 8), 0.5)
    assert [entry.name for entry in source.entries] == ["cells.zarr"]
    assert source.image(0).pixels[:, 0, 0].tolist() == [7, 8]
    assert list(source.table.columns) == []
    assert source.layout == "images of their own, or several in a file"


def test_one_subfolder_a_condition(tmp_path: Path) -> None:
    for name in ("DMSO/a.zarr", "DMSO/b.zarr", "taxol/a.ome.zarr"):
        write_image(tmp_path / name, pixels(len(name), 2), "cyx")
    (tmp_path / "taxol" / "notes.txt").touch()
    source = open_source(tmp_path, kind="fields")
    assert source.table["condition"].tolist() == ["DMSO", "DMSO", "taxol"]
    assert [entry.name for entry in source.entries] == ["DMSO/a.zarr", "DMSO/b.zarr", "taxol/a.ome.zarr"]
    assert [file.name for file in source.skipped] == ["notes.txt"]


def test_a_flat_folder_says_nothing_of_conditions(tmp_path: Path) -> None:
    for name in ("a.zarr", "b.zarr"):
        write_image(tmp_path / name, pixels(1, 2), "cyx")
    source = open_source(tmp_path, kind="fields")
    assert list(source.table.columns) == []
    assert len(source) == 2


def test_planes_and_times_are_read_as_chosen(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", pixels(10, 2, 1, 3), "tczyx")
    listed = open_source(tmp_path, kind="fields")
    assert listed.layout.endswith("(the first of 2 times; maximum projection of 3 Z planes)")
    assert listed.image(0).pixels.max() == 12
    every = open_source(tmp_path, kind="fields", choice=LayoutChoice(time="all", z=0))
    assert [entry.name for entry in every.entries] == ["a.zarr · time 0", "a.zarr · time 1"]
    assert [every.image(row).pixels.max() for row in (0, 1)] == [10, 13]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("listed", [True, False])
def test_the_series_of_a_converted_file_are_fields(tmp_path: Path, version: str, listed: bool) -> None:
    store = tmp_path / "converted.zarr"
    write_group(store, version, {"bioformats2raw.layout": 3})
    write_group(store / "OME", version, {"series": ["0", "1"]} if listed else {})
    for number in (0, 1):
        write_image(store / str(number), pixels(number, 1), "cyx", version=version)
    source = open_source(store, kind="fields")
    assert [entry.name for entry in source.entries] == ["converted.zarr · 0", "converted.zarr · 1"]
    assert [source.image(row).pixels.max() for row in (0, 1)] == [0, 1]


def test_a_store_among_many_tiffs_is_passed_over_and_said(tmp_path: Path) -> None:
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.zeros((4, 4), np.uint8))
    write_image(tmp_path / "a.zarr", pixels(1, 1), "cyx")
    source = open_source(tmp_path, kind="fields")
    assert source.layout == "a flat folder"
    assert [file.name for file in source.skipped] == ["a.zarr"]


def test_an_image_without_pixels_is_named(tmp_path: Path) -> None:
    group = write_image(tmp_path / "a.zarr", pixels(1, 1), "cyx")
    (group / "0" / "zarr.json").unlink()
    with pytest.raises(SourceError, match=r"a\.zarr has no pixels; convert the image again"):
        list_source(tmp_path)


def test_without_zarr_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.zarr", pixels(1, 1), "cyx")
    monkeypatch.setattr(ome_zarr, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "napari-impa\[zarr\]"'):
        list_source(tmp_path)
