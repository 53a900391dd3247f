"""A plane file of a plate, and the field that several make: one plane a channel, or a stack of which one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.layouts.entry import SourceEntry
from napari_impa.cells.readers import Image, StackChoice, probe_image, read_image
from napari_impa.cells.readers.stacks import sharpness
from napari_impa.errors import SourceError


@dataclass(frozen=True, slots=True)
class PlaneFile:
    """One file of a plate, and what it shows.

    Where a layout keeps its planes in another way than one a file, its planes are of a subclass that overrides `image`
    and `probe`.

    Parameters
    ----------
    file
        An image of one channel, or of all where `channel` is empty.
    channel
        The channel's name, or its number as text; empty where the file holds all channels.
    plate, well, site
        Where it was taken; a well as `wells.well_name` writes it, empty where it is not known.
    z, time
        Numbers as the files give them, so that a user finds them again; `planes.PROJECTION` for a projection.
    acquisition
        Which of several measurements of one plate.
    stack
        What is read of a file that itself holds Z planes or times.
    """

    file: Path
    channel: str
    plate: str = ""
    well: str = ""
    site: int | str = 1
    z: int = 1
    time: int = 1
    acquisition: str = ""
    stack: StackChoice | None = field(default=None, kw_only=True)

    def image(self) -> Image:
        """Read it; errors as `read_image`."""
        return read_image(self.file, self.stack)

    def probe(self) -> Image:
        """Read all but its pixels; errors as `probe_image`."""
        return probe_image(self.file, self.stack)


@dataclass(frozen=True)
class PlateField(SourceEntry):
    """A field whose channels lie in files of their own, each with one Z plane or several.

    Parameters
    ----------
    planes
        For each channel its Z planes; a single one of each where all channels are in one file.
    channels
        Names, or numbers as text; empty where the file holds all channels and knows their names.
    known_size
        µm a pixel, where a file beside the images says it.
    sharpest
        Take the sharpest Z plane of the field, the same one for all channels, and not the maximum of all.
    """

    planes: tuple[tuple[PlaneFile, ...], ...] = ()
    channels: tuple[str, ...] = ()
    known_size: float | None = None
    sharpest: bool = False

    def image(self) -> Image:
        """Read its channels, of several Z planes their maximum or the sharpest; errors as `SourceEntry.image`."""
        stacks: Sequence[Sequence[PlaneFile]] = self.planes
        if self.sharpest and any(len(stack) > 1 for stack in stacks):
            stacks = self._sharpest()
        return self._joined_planes(stacks, lambda plane: plane.image())

    def probe(self) -> Image:
        """Read all but the pixels, of the first Z plane of each channel; errors as `image`."""
        return self._joined_planes([stack[:1] for stack in self.planes], lambda plane: plane.probe())

    def _joined_planes(self, stacks: Sequence[Sequence[PlaneFile]], read: Callable[[PlaneFile], Image]) -> Image:
        first: Image | None = None
        channels: list[NDArray[Any]] = []
        own: list[str] = []
        for stack in stacks:
            highest: NDArray[Any] | None = None
            for plane in stack:
                image = self._checked(plane, read(plane), first)
                first = first or image
                if highest is None:
                    own.append(image.channels[0])
                highest = image.pixels if highest is None else np.maximum(highest, image.pixels)
            assert highest is not None, "a channel has a plane"
            channels.append(highest)
        assert first is not None, "a field has a channel"
        pixels = channels[0] if len(channels) == 1 else np.concatenate(channels)
        names = self._names(own) if self.channels else first.channels
        return Image(pixels, names, self.known_size or first.pixel_size)

    def _names(self, own: Sequence[str]) -> tuple[str, ...]:
        """The channels' names; of those that are only numbered, what the files themselves call them."""
        numbered = [name for name, called in zip(own, self.channels, strict=True) if called.isdecimal()]
        use = all(numbered) and len({*numbered, *self.channels}) == len(numbered) + len(self.channels)
        return tuple(
            (name if use else f"channel {called}") if called.isdecimal() else called
            for name, called in zip(own, self.channels, strict=True)
        )

    def _checked(self, plane: PlaneFile, image: Image, first: Image | None) -> Image:
        if self.channels and image.pixels.shape[0] != 1:
            raise SourceError(
                f"{plane.file} has {image.pixels.shape[0]} channels, where one file a channel was expected."
            )
        if first is not None and image.pixels.shape != first.pixels.shape:
            raise SourceError(
                f"{plane.file} is {_by(image)} px but {self.files[0]} {_by(first)} px, and both are of the field "
                f"{self.name}; bring them to one size, or remove the field's files."
            )
        if first is not None and image.pixels.dtype != first.pixels.dtype:
            raise SourceError(
                f"{plane.file} is {image.pixels.dtype} but {self.files[0]} {first.pixels.dtype}, and both are of the "
                f"field {self.name}; save them as one type, or remove the field's files."
            )
        return image

    def _sharpest(self) -> list[tuple[PlaneFile, ...]]:
        """The one plane a channel that is sharpest over all channels, each counted alike."""
        numbers = sorted(set.intersection(*({plane.z for plane in stack} for stack in self.planes if len(stack) > 1)))
        if not numbers:
            raise SourceError(f"The channels of {self.name} have no Z plane in common; choose their maximum instead.")
        scores = np.zeros(len(numbers))
        for stack in self.planes:
            if len(stack) > 1:
                by_z = {plane.z: plane for plane in stack}
                own = np.array([[sharpness(channel) for channel in by_z[z].image().pixels] for z in numbers])
                scores += (own / np.maximum(own.max(axis=0), np.finfo(float).tiny)).sum(axis=1)
        best = numbers[int(np.argmax(scores))]
        return [tuple(plane for plane in stack if len(stack) == 1 or plane.z == best) for stack in self.planes]


def _by(image: Image) -> str:
    return "×".join(map(str, image.pixels.shape[1:]))
