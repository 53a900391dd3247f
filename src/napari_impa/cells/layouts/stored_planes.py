"""Planes of stored images (of a zarr store, of a file of several positions), and what is done where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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


def of_other_channels(images: Sequence[StoredImage]) -> tuple[Mapping[int, str], tuple[str, ...]]:
    """Why images are left out whose channels are not those of most, by number, and a note that says so."""
    counts = Counter(tuple(sorted(image.channels)) for image in images)
    if len(counts) < 2:
        return {}, ()
    usual = max(counts, key=lambda names: counts[names])
    others = {number: image for number, image in enumerate(images) if tuple(sorted(image.channels)) != usual}
    first = next(iter(others.values()))
    note = (
        f"{len(others):,} of {len(images):,} images left out, whose channels are not {_listed(usual)}: "
        f"{first.file} has {_listed(first.channels)}."
    )
    return {number: f"its channels are {_listed(image.channels)}" for number, image in others.items()}, (note,)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) if all(names) else f"{len(names)} without names"
