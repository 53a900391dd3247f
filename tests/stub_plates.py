"""Plates of tiny images whose every pixel says which plane it is of, written in any layout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from itertools import islice
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


def spotted_plate(folder: Path, wells: int = 24, size: int = 160) -> Path:
    """A plate of ImageXpress with two nuclei a field, and its plate map: conditions take turns, DMSO first."""
    names = [well.name for well in islice(wells_of(24), wells)]
    rows, columns = np.mgrid[:size, :size]

    def pixels(well: Well, site: int, z: int, time: int) -> NDArray[np.uint16]:
        draw = np.random.default_rng([well.row, well.column])
        planes = draw.integers(100, 130, (len(CHANNELS), size, size)).astype(float)
        for x in (size // 4, 3 * size // 4):
            spot = np.exp(-((rows - size // 2) ** 2 + (columns - x) ** 2) / (2 * draw.uniform(6, 8) ** 2))
            planes += np.array([2000, 900, 600])[:, None, None] * spot
        return planes.astype(np.uint16)

    write_plates(folder / "BR1", "imagexpress", PlateImages("BR1", tuple(map(Well.parse, names)), CHANNELS, pixels, 1))
    conditions = ("DMSO", "shrinkage", "mitotic arrest")
    lines = [f"{name},{conditions[number % 3]}" for number, name in enumerate(names)]
    (folder / "BR1" / "layout.csv").write_text("\n".join(["well,compound", *lines]))
    return folder / "BR1"
