"""Folders that are parts of one plate, as public data are shared: a channel each, or a Z plane each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_impa.cells.layouts import LayoutChoice
from napari_impa.cells.source import open_source
from napari_impa.errors import SourceError


def write(root: Path, folder: str, name: str, value: int) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(root / folder / name, np.full((8, 8), value, np.uint16))


def test_a_folder_for_each_channel_is_one_plate(tmp_path: Path) -> None:
    for plate in (20585, 20586):
        for channel in (1, 2, 3):
            for well in ("a01", "b02"):
                name = f"IXMtest_{well}_s1_w{channel}0C51D1BE-67E6-4CB2-BDE8-CE9C6C6D1EA{channel}.tif"
                write(tmp_path, f"BBBC022_v1_images_{plate}w{channel}", name, channel)
    source = open_source(tmp_path)
    assert source.table["plate"].tolist() == ["BBBC022_v1_images_20585"] * 2 + ["BBBC022_v1_images_20586"] * 2
    assert source.table["well"].tolist() == ["A01", "B02"] * 2
    assert source.field(3).pixels[:, 0, 0].tolist() == [1, 2, 3]
    assert source.notes[0] == (
        "The 3 folders BBBC022_v1_images_20585w1, BBBC022_v1_images_20585w2, BBBC022_v1_images_20585w3 were taken for "
        "a channel each of plate BBBC022_v1_images_20585 (guessed)."
    )


def test_a_folder_for_each_z_plane_is_one_plate(tmp_path: Path) -> None:
    for z in (15, 16):
        for channel in (1, 2):
            write(tmp_path, f"BBBC006_v1_images_z_{z}", f"mcf-z-stacks_a01_s1_w{channel}.tif", 10 * channel + z)
    source = open_source(tmp_path)
    assert source.table["plate"].tolist() == ["BBBC006_v1_images"]
    assert "maximum projection of 2 Z planes" in source.layout
    assert source.field(0).pixels[:, 0, 0].tolist() == [26, 36]
    assert open_source(tmp_path, choice=LayoutChoice(z=15)).field(0).pixels[:, 0, 0].tolist() == [25, 35]


def test_folders_beside_a_plate_of_their_name_stay_plates(tmp_path: Path) -> None:
    """Put together they would be laid over the plate that is called so."""
    for folder, channel in (("P", 3), ("Pw1", 1), ("Pw2", 2)):
        write(tmp_path, folder, f"P_A01_s1_w{channel}.tif", channel)
    with pytest.raises(SourceError, match="channel"):
        open_source(tmp_path)
    for folder in ("P", "Pw1", "Pw2"):
        for channel in (1, 2, 3):
            write(tmp_path, folder, f"P_A01_s1_w{channel}.tif", channel)
    assert open_source(tmp_path).table["plate"].tolist() == ["P", "Pw1", "Pw2"]


def test_plates_that_only_end_in_a_number_stay_plates(tmp_path: Path) -> None:
    for plate in (1, 2):
        for channel in (1, 2):
            write(tmp_path, f"screen_c{plate}", f"screen_A01_s1_w{channel}.tif", channel)
    assert open_source(tmp_path).table["plate"].tolist() == ["screen_c1", "screen_c2"]
