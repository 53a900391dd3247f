"""Planes of stored images (of a zarr store, of a file of several positions), and what is done where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.readers import Image, StoredImage


@dataclass(frozen=True, slots=True)
class StoredPlane(PlaneFile):
    """A Z plane and time of a stored image, both numbered from 0, with all channels."""

    stored: StoredImage = field(kw_only=True)

    def image(self) -> Image:
        """Read it; errors as `StoredImage.image`."""
        return self.stored.image(self.z, self.time)

    def probe(self) -> Image:
        """Read all but its pixels."""
        return self.stored.probe()


def planes_of(
    stored: StoredImage, plate: str = "", well: str = "", site: int | str = 1, acquisition: str = ""
) -> Iterator[StoredPlane]:
    """Every Z plane and time of an image."""
    for time in range(stored.times):
        for z in range(stored.z_planes):
            yield StoredPlane(stored.file, "", plate, well, site, z, time, acquisition, stored=stored)


def of_other_channels(images: Iterable[StoredImage]) -> tuple[Mapping[Path, str], tuple[str, ...]]:
    """Why images are left out whose channels are not those of most, by file, and a note that says so."""
    images = list(images)
    counts = Counter(tuple(sorted(image.channels)) for image in images)
    if len(counts) < 2:
        return {}, ()
    usual = max(counts, key=lambda names: counts[names])
    others = {image.file: image for image in images if tuple(sorted(image.channels)) != usual}
    first = next(iter(others.values()))
    note = (
        f"{len(others):,} of {len(images):,} images left out, whose channels are not {_listed(usual)}: "
        f"{first.file} has {_listed(first.channels)}."
    )
    return {file: f"its channels are {_listed(image.channels)}" for file, image in others.items()}, (note,)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) if all(names) else f"{len(names)} without names"
