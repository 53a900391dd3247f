"""What is on a simulated plate, and how its files are written as a microscope does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.wells import PLATE_FORMATS, Well, smallest_plate

PlatePixels = Callable[[Well, int, int, int], NDArray[Any]]
"""Well, site, Z plane and time (from 1) to the pixels (C, H, W) of all channels."""


class WrittenPlane(NamedTuple):
    """One plane of a plate: where and what it is, all numbers from 1, and its pixels (H, W)."""

    well: Well
    site: int
    time: int
    z: int
    channel: int
    pixels: NDArray[Any]


@dataclass(frozen=True, eq=False)
class PlateImages:
    """The images of one plate.

    Parameters
    ----------
    name
        Of the plate, as its barcode would be.
    wells, sites, z_planes, times
        Which wells, and how many of the others.
    channels
        Names.
    pixels
        Gives the images of a site.
    pixel_size
        µm.
    """

    name: str
    wells: tuple[Well, ...]
    channels: tuple[str, ...]
    pixels: PlatePixels
    sites: int = 1
    z_planes: int = 1
    times: int = 1
    pixel_size: float = 0.65

    def number(self, well: Well) -> int:
        """The number of a well, from 1 along the rows of a plate of 96 wells, or of a larger one that all are on."""
        _, columns = PLATE_FORMATS[max(96, smallest_plate(self.wells))]
        return well.row * columns + well.column + 1

    def planes(self) -> Iterator[WrittenPlane]:
        """Each plane once, site by site."""
        for well, site, time, z in self.places():
            for channel, pixels in enumerate(self.pixels(well, site, z, time), 1):
                yield WrittenPlane(well, site, time, z, channel, pixels)

    def places(self) -> Iterator[tuple[Well, int, int, int]]:
        """Well, site, time and Z plane of everything, in that order."""
        for well in self.wells:
            for site in range(1, self.sites + 1):
                for time in range(1, self.times + 1):
                    for z in range(1, self.z_planes + 1):
                        yield well, site, time, z


@dataclass(frozen=True)
class PlateWriter:
    """How plates are written in one layout.

    Parameters
    ----------
    name
        One word, by which it is chosen: the name of the layout that reads them, one of `layouts.LAYOUTS`.
    write
        Writes a plate into a folder of its own in the folder given.
    keeps
        What of a plate the layout can keep, of `channels` (their names), `pixel_size`, `plate`, `wells`, `z`, `time`.
    layout
        The layout that reads them, where the writer is called otherwise: as an older version of it, say.
    """

    name: str
    write: Callable[[Path, PlateImages], None]
    keeps: frozenset[str] = frozenset({"channels", "pixel_size", "plate", "wells", "z", "time"})
    layout: str = ""

    @property
    def read_as(self) -> str:
        """The name of the layout that reads what it writes."""
        return self.layout or self.name


def uint16(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    """As cameras write them."""
    return np.ascontiguousarray(pixels, np.uint16)
