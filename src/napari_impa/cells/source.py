"""What a folder holds: whole fields, ready crops or cells, with their table and channels, before any pixel is read."""

from __future__ import annotations

import hashlib
import json
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
from napari_impa.cells.layouts import AS_FOUND, LayoutChoice, Listing, SourceEntry, list_source
from napari_impa.cells.layouts.additions.centred import with_centres
from napari_impa.cells.layouts.additions.corrected import with_illumination
from napari_impa.cells.layouts.additions.file_stacks import unstacked
from napari_impa.cells.layouts.plate_field import PlateField
from napari_impa.cells.plate_maps.found import NO_PLATE_MAP, with_plate_map
from napari_impa.cells.plate_maps.join import JoinReport
from napari_impa.cells.plate_maps.table_of_files import FieldFiles, write_table_of_files
from napari_impa.cells.readers import Image, StackError
from napari_impa.cells.store import Cells, open_cells
from napari_impa.cells.words import guess_nuclei_channel, guess_nuclei_masks
from napari_impa.errors import CellsError, SourceError

SourceKind = Literal["fields", "crops", "cells"]

CROP_SIDE = 256
"""Square images of one side, at most this many pixels, are taken for ready crops."""

_OTHER_SCALE = 0.02  # pixel sizes that differ by less are the same, written with other digits

_SAMPLE = 32  # images looked at when a source is opened; every other one is checked when it is read


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
        (H, W) and type of the first image.
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
            labels = planes.pixels[_nucleus_plane(planes, entry.masks, image.pixels, self, nuclei_channel)]
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
            raise SourceError(_other_channels(first, len(order), path, len(image.pixels)))
        if image.pixels.dtype != self.dtype:
            raise SourceError(_other_type(first, self.dtype, path, image.pixels.dtype))
        if self.channels == order and _are_others(order, image.channels):
            raise SourceError(_other_names(first, order, path, image.channels))
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


def _other_channels(one: Path, count: int, other: Path, other_count: int) -> str:
    return f"{one} has {count} channels and {other} has {other_count}; a source needs images of the same channels."


def _other_type(one: Path, dtype: np.dtype[Any], other: Path, other_dtype: np.dtype[Any]) -> str:
    return f"{other} is {other_dtype} and {one} is {dtype}; save all images as one type."


def _other_sizes(images: Sequence[Image]) -> tuple[str, ...]:
    """Say where images differ in what they show of a cell: in size, which may be, and in pixel size."""
    sizes = sorted({image.pixels.shape[1:] for image in images})
    scales = sorted({image.pixel_size for image in images if image.pixel_size})
    notes = [f"Images differ in size: {_by(sizes[0])} to {_by(sizes[-1])} px."] if len(sizes) > 1 else []
    if scales and scales[-1] > (1 + _OTHER_SCALE) * scales[0]:
        notes.append(
            f"Images differ in pixel size, {scales[0]:.4g} to {scales[-1]:.4g} µm, so that cells of some look larger; "
            "resample them, or read those of one kind."
        )
    return tuple(notes)


def _nucleus_plane(
    masks: Image, path: Path, pixels: NDArray[Any], source: Source, nuclei_channel: str | int | None
) -> int:
    """Number of the plane of nuclei: as asked, the only one, by its name, or the likest to the nuclear channel."""
    planes = masks.pixels
    if planes.shape[1:] != pixels.shape[1:]:
        raise SourceError(
            f"{path} is {_by(planes.shape[1:])} px but its image {_by(pixels.shape[1:])} px; use masks of the image."
        )
    wanted = source.mask_channel
    if wanted is not None:
        if wanted in masks.channels:
            return masks.channels.index(str(wanted))
        if str(wanted).isdecimal() and int(wanted) < len(planes):
            return int(wanted)
        names = ", ".join(name or str(i) for i, name in enumerate(masks.channels))
        raise SourceError(f"{path} has no plane {wanted!r}; its planes are: {names}.")
    if len(planes) == 1:
        return 0
    if (named := guess_nuclei_masks(masks.channels)) is not None:
        return named
    nuclei = pixels[source.nuclei_channel(nuclei_channel)].astype(float)
    likeness = [_correlation(plane > 0, nuclei) for plane in planes]
    return int(np.argmax(likeness))


def _correlation(mask: NDArray[np.bool_], image: NDArray[Any]) -> float:
    image = np.nan_to_num(image)
    if mask.all() or not mask.any() or not image.std():
        return -1.0
    return float(np.corrcoef(mask.ravel(), image.ravel())[0, 1])


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def open_source(
    path: str | Path,
    *,
    kind: SourceKind | None = None,
    channels: Sequence[str] | None = None,
    mask_channel: str | int | None = None,
    choice: LayoutChoice = AS_FOUND,
    plate_map: str | Path | None = None,
) -> Source:
    """Open a plate, a folder in any of the `LAYOUTS`, or a `.cells` folder.

    Parameters
    ----------
    path
        The folder, a table of files, or a single image.
    kind
        `fields` or `crops`; where not given, square images of one side up to 256 px without masks are crops, unless a
        microscope's files say that they are fields.
    channels
        Names for the channels, in the order of the images; where not given, those of the table or the files.
    mask_channel
        Name or number of the plane of the mask files that holds nuclei; where not given, the plane named `nuclei` or
        `nucleus`, else the one most correlated with the nuclear channel.
    choice
        How a folder is read, where that is not left to its files: the layout, which Z planes, which times, and its
        plate map.
    plate_map
        What is in the wells; short for a `choice` of it.

    Raises
    ------
    SourceError
        If there is no image, a table names a missing file, or images differ in their number of channels or their type;
        or the plate map that is given does not fit.
    """
    path = Path(path)
    choice = choice if plate_map is None else replace(choice, plate_map=str(plate_map))
    name = path.resolve().stem if path.is_file() or path.suffix == ".cells" else path.resolve().name
    if path.is_dir() and (
        path.suffix == ".cells" or all((path / file).is_file() for file in ("meta.json", "pixels.npy"))
    ):
        cells = open_cells(path)
        names = _channel_names(cells.channels, channels, len(cells.channels))
        size = (cells.size, cells.size)
        source = Source(
            path, name, "cells", cells.table, names, size, cells.pixels.dtype, cells.pixel_size, {}, ".cells", [],
            notes=tuple(filter(None, [_not_there(path, choice, "these cells are cut already")])), choice=choice,
        )  # fmt: skip
        if choice.plate_map in (None, NO_PLATE_MAP):
            return source
        listing, report = with_plate_map(Listing([], cells.table, {}, ".cells"), path.parent, choice)
        return replace(source, table=listing.table, notes=(*source.notes, *listing.notes), plate_map=report)
    listing, report = with_plate_map(list_source(path, choice), path if path.is_dir() else path.parent, choice)
    if not listing.entries:
        raise SourceError(f"{path} names no image (found by {listing.layout}); fill its table in, or remove it.")
    rows = _sampled(len(listing.entries))
    try:
        images = [listing.entries[row].probe() for row in rows]
        if not any(isinstance(entry, PlateField) for entry in listing.entries):
            listing = replace(listing, refusal=_not_there(path, choice, "its images have one plane each"))
        if listing.refusal:
            raise SourceError(listing.refusal)
    except StackError as stack:
        listing = unstacked(listing, choice, stack)
        rows = _sampled(len(listing.entries))
        images = [listing.entries[row].probe() for row in rows]
    first = images[0]
    for row, image in zip(rows, images, strict=True):
        if image.pixels.shape[0] != first.pixels.shape[0]:
            one, other = listing.entries[0].files[0], listing.entries[row].files[0]
            raise SourceError(_other_channels(one, first.pixels.shape[0], other, image.pixels.shape[0]))
        if image.pixels.dtype != first.pixels.dtype:
            one, other = listing.entries[0].files[0], listing.entries[row].files[0]
            raise SourceError(_other_type(one, first.pixels.dtype, other, image.pixels.dtype))
        if channels is None and listing.channels is None and _are_others(first.channels, image.channels):
            one, other = listing.entries[0].files[0], listing.entries[row].files[0]
            raise SourceError(_other_names(one, first.channels, other, image.channels))
    names = _channel_names(listing.channels or first.channels, channels, len(first.pixels))
    height, width = first.pixels.shape[1:]
    listing = with_centres(with_illumination(listing, choice), choice)
    notes = listing.notes
    if first.bare_pages and channels is None and listing.channels is None:
        notes = (*notes, _of_pages(listing.entries[0].files[0], len(first.pixels)))
    if kind is None:
        alike = all(image.pixels.shape[1:] == (height, height) for image in images)
        masked = any(entry.masks for entry in listing.entries)
        whole = listing.whole_fields or masked or not alike or height > CROP_SIDE
        kind = "fields" if whole else "crops"
    return Source(
        path, name, kind, listing.table, names, (height, width), first.pixels.dtype,
        listing.pixel_size or first.pixel_size, listing.skipped, listing.layout, listing.entries, mask_channel,
        notes if kind == "crops" else (*notes, *_other_sizes(images)), choice, report,
    )  # fmt: skip


def _not_there(path: Path, choice: LayoutChoice, why: str) -> str:
    """Say that a Z plane or a time was asked for of what has none; empty where it was not."""
    for what, number in (("Z plane", choice.z), ("time", choice.time)):
        if isinstance(number, int) and number != 1:
            return f"{path} has no {what} {number}: {why}."
    return ""


def _are_others(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether images name their channels, all of them, and not the same ones."""
    return all(ours) and all(theirs) and sorted(ours) != sorted(theirs)


def _other_names(one: Path, ours: Sequence[str], other: Path, theirs: Sequence[str]) -> str:
    return (
        f"{one} has the channels {', '.join(ours)} and {other} has {', '.join(theirs)}; a source needs images of the "
        "same channels: give those of one kind, or name them alike."
    )


def _of_pages(file: Path, count: int) -> str:
    return (
        f"{file.name} has {count} pages and does not say what they are; they were taken for channels (guessed). Where "
        "they are Z planes or times, project or split them first."
    )


def _sampled(count: int) -> NDArray[np.intp]:
    """Rows of the images that are looked at when a source is opened."""
    return np.unique(np.linspace(0, count - 1, _SAMPLE).round().astype(np.intp))


def _channel_names(found: Sequence[str], given: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if given is not None:
        if len(given) != count or len(set(given)) != count:
            raise SourceError(
                f"The images have {count} channels; give {count} different names, not {', '.join(given)}."
            )
        return tuple(given)
    names = [name or f"channel {number}" for number, name in enumerate(found, 1)]
    return tuple(f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names, 1))
