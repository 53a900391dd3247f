"""Plates of tiny images whose every pixel says which plane it is of, written in any layout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.simulated.plate_writers import PLATE_WRITERS, PlateImages, PlateWriter
from napari_impa.cells.wells import Well, wells_of

CHANNELS = ("DNA", "actin", "tubulin")


def value(well: Well, site: int, z: int, time: int, channel: int, plate: int = 1) -> int:
    """What the pixels of a plane are, of numbers that start at 1: the later the Z plane, the brighter."""
    return (well.row * 12 + well.column + 1) * 500 + plate * 200 + site * 50 + time * 20 + z * 5 + channel


def stub_plate(
    name: str = "BR1", wells: Sequence[str] = ("A01", "B02", "C03"), sites: int = 2, z: int = 1, times: int = 1,
    channels: Sequence[str] = CHANNELS, plate: int = 1, size: int = 8,
) -> PlateImages:  # fmt: skip
    def pixels(well: Well, site: int, z: int, time: int) -> NDArray[np.uint16]:
        planes = [value(well, site, z, time, channel, plate) for channel in range(1, len(channels) + 1)]
        return np.array(planes, np.uint16)[:, None, None] * np.ones((size, size), np.uint16)

    return PlateImages(name, tuple(map(Well.parse, wells)), tuple(channels), pixels, sites, z, times)


def writer(name: str) -> PlateWriter:
    return next(one for one in PLATE_WRITERS if one.name == name)


def write_plates(folder: Path, layout: str, *plates: PlateImages) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for plate in plates or (stub_plate(),):
        writer(layout).write(folder, plate)
    return folder


def write_large_plate(folder: Path) -> Path:
    """384 wells × 9 sites × 5 channels: 17,280 files, hard links to a few (a link is made a hundred times as fast)."""
    channels = ("DNA", "ER", "RNA", "AGP", "Mito")
    small = write_plates(folder / "small", "imagexpress", stub_plate(wells=["A01"], sites=9, channels=channels))
    large = folder / "large" / "BR1" / "TimePoint_1"
    large.mkdir(parents=True)
    for file in (small / "BR1" / "TimePoint_1").iterdir():
        if "thumb" not in file.name:
            for well in wells_of(384):
                os.link(file, large / file.name.replace("A01", well.name))
    shutil.copy(small / "BR1" / "BR1.HTD", large.parent)
    return large.parent.parent
