"""What a folder holds: whole fields, ready crops or cells, with their table and channels, before any pixel is read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.fields import Field
from napari_impa.cells.layouts import AS_FOUND, LayoutChoice, SourceEntry
from napari_impa.cells.plate_maps.join import JoinReport
from napari_impa.cells.plate_maps.table_of_files import FieldFiles, write_table_of_files
from napari_impa.cells.readers import Image, as_labels
from napari_impa.cells.source.differences import are_others, other_channels, other_names, other_type
from napari_impa.cells.source.mask_planes import likest_plane, mask_plane
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.words import guess_nuclei_channel
from napari_impa.errors import CellsError, SourceError

SourceKind = Literal["fields", "crops", "cells"]


def channel_titles(names: Sequence[str]) -> tuple[str, ...]:
    """What the channels of files are called: as the files say, by number where they do not, and no two alike."""
    titles = [name or f"channel {number}" for number, name in enumerate(names, 1)]
    often = Counter(titles)
    return tuple(f"{title} ({i})" if often[title] > 1 else title for i, title in enumerate(titles, 1))


@dataclass(frozen=True, eq=False)
class Source:
    """A folder of whole fields or ready crops, or of cells, before any pixel is read.

    Parameters
    ----------
    path, name
        Where it is, and the folder's own name.
    kind
        `fields`, `crops` or `cells`.
    table
        One row a field or crop: what is known of it.
    channels
        Channel names.
    shape, dtype
        (H, W) and type of the first image; of ready crops the size of the smallest that was looked at.
    pixel_size
        µm, or None where the images do not say.
    skipped
        Files that were passed over, and why.
    layout
        How the folder is built, in words.
    notes
        What a user has to know of how it was read, in sentences.
    choice
        How it was to be read.
    plate_map
        What a plate map said of it; None where there is none.
    first
        The entry whose channels are those of all; that of the first row where None.
    """

    path: Path
    name: str
    kind: SourceKind
    table: pd.DataFrame
    channels: tuple[str, ...]
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    pixel_size: float | None
    skipped: Mapping[Path, str]
    layout: str
    entries: Sequence[SourceEntry]
    mask_channel: str | int | None = None
    notes: tuple[str, ...] = ()
    choice: LayoutChoice = AS_FOUND
    plate_map: JoinReport | None = None
    first: SourceEntry | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def has_masks(self) -> bool:
        """Whether every field comes with a file of masks."""
        return bool(self.entries) and all(entry.masks is not None for entry in self.entries)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of its fields or cells by name, of what is known of them, and of how long and of when files are.

        So the same source is known again, also where the folder lies elsewhere now, and images that were exchanged
        under the same names are not taken for it.
        """
        digest = hashlib.sha256(f"{self.mask_channel}\n{self.table.to_csv(index=False)}".encode())
        beside = [] if self.choice.centres is None else [Path(self.choice.centres)]
        if self.kind == "cells":
            checksums = self._checksums()
            digest.update(checksums)
            beside += [] if checksums else [self.path / "pixels.npy"]  # of an earlier version
        for name, files in [*((entry.name, (*entry.files, entry.masks)) for entry in self.entries), ("", beside)]:
            digest.update(f"{name}\0".encode())
            for file in files:
                with suppress(OSError):  # what reads it says so
                    about = None if file is None else file.stat()
                    digest.update(f"{about and (about.st_size, about.st_mtime_ns)}\0".encode())
        return digest.hexdigest()[:16]

    def _checksums(self) -> bytes:
        """What a `.cells` folder says of its pixels and table; empty where it says nothing."""
        try:
            said = json.loads((self.path / "meta.json").read_text(encoding="utf-8")).get("checksums")
        except (OSError, ValueError, AttributeError):  # what reads it says so
            return b""
        return b"" if said is None else json.dumps(said, sort_keys=True).encode()

    @cached_property
    def _file_channels(self) -> tuple[str, ...]:
        return (self.first or self.entries[0]).probe().channels

    def passed_over(self, most: int = 12, but: Sequence[str] = ()) -> tuple[str, ...]:
        """A sentence for each reason why files were passed over, with their names.

        Parameters
        ----------
        most
            Names; the rest is counted.
        but
            Reasons of which nothing is said.
        """
        by_reason: dict[str, list[str]] = {}
        for path, why in self.skipped.items():
            here = path.relative_to(self.path) if path.is_relative_to(self.path) else path
            by_reason.setdefault(why, []).append(str(here))
        said = []
        for why, names in by_reason.items():
            more = f" and {len(names) - most:,} more" if len(names) > most else ""
            said += [f"Passed over: {', '.join(names[:most])}{more} ({why})."] if why not in but else []
        return tuple(said)

    def stored_cells(self) -> Cells:
        """The cells of a `.cells` folder, with what a plate map says of them.

        Raises
        ------
        CellsError
            If they cannot be opened.
        """
        cells = open_cells(self.path)
        return cells if self.plate_map is None else replace(cells, table=self.table)

    def save_table(self, out: str | Path, *, overwrite: bool = False) -> pd.DataFrame:
        """Write what is known of each file as a table: a `metadata.csv` to edit, and a source of the same cells.

        Raises
        ------
        SourceError
            If it is cells, or its images are no files of their own.
        CellsError
            If the table exists already, or cannot be written.
        """
        fields = FieldFiles(self.name, self.entries, self.table, self.channels, self.pixel_size)
        return write_table_of_files(fields, Path(out), overwrite=overwrite)

    def of_rows(self, rows: Sequence[int] | NDArray[np.intp]) -> Source:
        """The same source with some of its fields or crops alone."""
        return replace(
            self,
            table=self.table.iloc[rows].reset_index(drop=True),
            entries=[self.entries[row] for row in rows],
            first=self.first or self.entries[0],
        )

    @cached_property
    def _first_file(self) -> Path:
        return (self.first or self.entries[0]).files[0]

    def describe(self) -> str:
        """Say in one sentence what was found, and in further ones, a line each, what has to be known of it."""
        one = {"fields": "whole field", "crops": "ready crop", "cells": "cell"}[self.kind]
        height, width = self.shape
        text = f"{self.name}: {len(self):,} {one}{'s' * (len(self) != 1)} of {height}×{width} px"
        text += f" with {len(self.channels)} channel{'s' * (len(self.channels) != 1)} ({', '.join(self.channels)})"
        text += ", with masks" if self.has_masks else ""
        text += f", found by {self.layout}" if self.entries else ""
        if self.skipped:
            text += f"; {len(self.skipped):,} other file{'s' * (len(self.skipped) != 1)} passed over"
        return "\n".join([text + ".", *self.notes])

    def alone(self, row: int) -> Source:
        """The same with one row alone; what is known of the first image goes with it."""
        one = replace(self, table=self.table.iloc[[row]], entries=[self.entries[row]], skipped={})
        one.__dict__.update(_file_channels=self._file_channels, _first_file=self._first_file)
        return one

    def field(self, row: int, *, nuclei_channel: str | int | None = None, masks: bool = True) -> Field:
        """Read the field or crop of one table row.

        Raises
        ------
        SourceError
            If a file is damaged, or its channels, its pixel type or its masks do not fit.
        """
        entry = self.entries[row]
        image = self.image(row)
        labels = cells = None
        if masks and entry.masks is not None and (planes := entry.labels()) is not None:
            plane = mask_plane(planes, entry.masks, image.pixels, self.mask_channel)
            if plane is None:
                plane = likest_plane(planes.pixels, image.pixels[self.nuclei_channel(nuclei_channel)])
            name = planes.channels[plane]
            labels = as_labels(planes.pixels[plane], f"{entry.masks} ({name})" if name else entry.masks)
            cells = entry.cells()
        values = {str(name): self.table[name].iloc[row] for name in self.table.columns}
        return Field(
            entry.name, image.pixels, self.channels, image.pixel_size or self.pixel_size, values, labels, cells
        )

    def image(self, row: int) -> Image:
        """Read the image of one table row, its channels in the order of the first one's.

        Raises
        ------
        SourceError
            As `field`.
        """
        entry, first = self.entries[row], self._first_file
        image = entry.image()
        path, order = entry.files[0], self._file_channels
        if len(image.pixels) != len(order):
            raise SourceError(other_channels(first, len(order), path, len(image.pixels)))
        if image.pixels.dtype != self.dtype:
            raise SourceError(other_type(first, self.dtype, path, image.pixels.dtype))
        if self.channels == channel_titles(order) and are_others(order, image.channels):
            raise SourceError(other_names(first, order, path, image.channels))
        pixels = image.pixels
        if image.channels != order and all(order) and sorted(image.channels) == sorted(order):
            pixels = np.ascontiguousarray(pixels[[image.channels.index(name) for name in order]])
        return Image(pixels, self.channels, image.pixel_size)

    def nuclei_channel(self, channel: str | int | None = None) -> int:
        """Find the number of the channel that shows nuclei, from a name, a number, or the channels' names.

        Raises
        ------
        CellsError
            If there is no such channel, or none looks like it.
        """
        known = ", ".join(self.channels)
        if channel is None:
            guess = 0 if len(self.channels) == 1 else guess_nuclei_channel(self.channels)
            if guess is None:
                raise CellsError(f"No channel of {self.name} is known to show nuclei; say which one does: {known}.")
            return guess
        names = [name.casefold() for name in self.channels]
        if isinstance(channel, str) and channel.casefold() in names:
            return names.index(channel.casefold())
        if str(channel).isdecimal() and int(channel) < len(names):
            return int(channel)
        raise CellsError(f"{self.name} has no channel {channel!r}; its channels are: {known}.")
