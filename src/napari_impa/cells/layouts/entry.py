"""One field or ready crop of a source, which reads itself, and what a folder holds of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from napari_impa.cells.illumination import FlatField
from napari_impa.cells.readers import Image, StackChoice, is_image, probe_image, read_image, read_masks
from napari_impa.cells.words import PLACE
from napari_impa.errors import SourceError

GIVEN = "_given"
"""Ending of a table column whose own name says where a cell was cut (`field`, `y`, `x`, `label`)."""


@dataclass(frozen=True)
class SourceEntry:
    """One field or crop: the file with all channels, or one file a channel, and the file with its masks.

    Where a layout keeps its pixels in another way than in such files, its entries are of a subclass that overrides
    `image`, `probe` and `labels`; `files` then says where they come from.
    """

    name: str
    files: tuple[Path, ...]
    masks: Path | None = None
    stack: StackChoice | None = field(default=None, kw_only=True)
    """What is read of files with Z planes or times; None where they have none."""

    def image(self) -> Image:
        """Read its pixels, all channels.

        Raises
        ------
        SourceError
            If a file is damaged, or its files are not the channels of one field.
        """
        return self._joined(lambda file: read_image(file, self.stack))

    def probe(self) -> Image:
        """Read all but the pixels, which have the right shape and type; errors as `image`."""
        return self._joined(lambda file: probe_image(file, self.stack))

    def labels(self) -> Image | None:
        """Read planes of its masks, (planes, H, W), as they are stored; None where there are none.

        Raises
        ------
        SourceError
            If the file is damaged.
        """
        return None if self.masks is None else read_masks(self.masks)

    def cells(self) -> pd.DataFrame | None:
        """What is known of each of its cells, by `label`; None where nothing is."""
        return None

    def _joined(self, read: Callable[[Path], Image]) -> Image:
        images = [read(file) for file in self.files]
        if len(images) == 1:
            return images[0]
        first = images[0]
        for file, image in zip(self.files, images, strict=True):
            if image.pixels.shape[0] != 1:
                raise SourceError(
                    f"{file} has {image.pixels.shape[0]} channels, where one file a channel was expected."
                )
            if image.pixels.shape != first.pixels.shape or image.pixels.dtype != first.pixels.dtype:
                raise SourceError(f"{file} and {self.files[0]} are channels of one field but differ in size or type.")
        names = tuple(image.channels[0] for image in images)
        return Image(np.concatenate([image.pixels for image in images]), names, first.pixel_size, doubt=first.doubt)


NO_IMAGE = "no image that can be read"
NO_TABLE = "a table of files is read where it is called metadata.csv and lies beside its folders, or is itself given"
NOT_NAMED_SO = "not named as the images of this layout are"


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder holds: one entry and one table row a field or crop, and the files passed over.

    Parameters
    ----------
    entries
        In the order of the table.
    table
        What is known of each, in columns that `words` knows: plate, well, site, compound, dose, …; columns whose names
        say where a cell was cut come back with `GIVEN` after them.
    skipped
        Files that were passed over, and why.
    layout
        How the folder is built, in words.
    channels
        Names, where the layout knows them better than the files.
    pixel_size
        µm, where the layout knows it better than the files.
    notes
        What a user has to know of how it was read: what was guessed, left out, projected. Sentences.
    whole_fields
        Whether its images are whole fields whatever their size, and no ready crops.
    flat_fields
        Illumination functions that the layout knows, by `table` or `profiles`: for each entry one a channel.
    refusal
        Why it cannot be read as chosen, unless the files themselves hold the Z planes or times asked for.
    """

    entries: Sequence[SourceEntry]
    table: pd.DataFrame
    skipped: Mapping[Path, str]
    layout: str
    channels: tuple[str, ...] | None = None
    pixel_size: float | None = None
    notes: tuple[str, ...] = ()
    whole_fields: bool = False
    flat_fields: Mapping[str, Sequence[tuple[FlatField, ...]]] = field(default_factory=dict)
    refusal: str = ""

    def __post_init__(self) -> None:
        # `label` of a table of files is mostly a condition
        taken = {name: name + GIVEN for name in PLACE if name in self.table.columns}
        object.__setattr__(self, "table", self.table.rename(columns=taken))


def passed_over(found: Iterable[Path], entries: Iterable[SourceEntry], table: Path | None = None) -> dict[Path, str]:
    """Files of a folder that are neither in an entry nor its table, and why."""
    used = {file for entry in entries for file in (*entry.files, entry.masks)} | {table}
    other = NOT_NAMED_SO if table is None else f"not in {table.name}"
    return {
        file: other if is_image(file) else NO_TABLE if file.name.lower().startswith("metadata.") else NO_IMAGE
        for file in found
        if file not in used
    }


def told_apart(entries: list[SourceEntry]) -> list[SourceEntry]:
    """The same entries, numbered where two have one name."""
    if len({entry.name for entry in entries}) == len(entries):
        return entries
    return [replace(entry, name=f"{entry.name}_{number}") for number, entry in enumerate(entries, 1)]
