"""Opening a source: its layout, plate map and additions, and whether its images are of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.beside import taken_back
from napari_impa.cells.layouts import AS_FOUND, LayoutChoice, Listing, list_source
from napari_impa.cells.layouts.additions.centred import with_centres
from napari_impa.cells.layouts.additions.corrected import with_illumination
from napari_impa.cells.layouts.additions.file_stacks import unstacked
from napari_impa.cells.layouts.plate_field import PlateField
from napari_impa.cells.plate_maps.found import NO_PLATE_MAP, with_plate_map
from napari_impa.cells.plate_maps.units import with_doses_as_numbers
from napari_impa.cells.readers import StackError
from napari_impa.cells.source.differences import (
    are_others,
    doubts,
    other_channels,
    other_names,
    other_scale,
    other_sizes,
    other_type,
    unnamed,
)
from napari_impa.cells.source.source import Source, SourceKind, channel_titles
from napari_impa.cells.store import open_cells
from napari_impa.errors import SourceError

CROP_SIDE = 256
"""Square images, at most this many pixels a side, are taken for ready crops."""

_SAMPLE = 32  # images looked at when a source is opened; every other one is checked when it is read


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
        `fields` or `crops`; where not given, square images up to 256 px without masks are crops, unless a microscope's
        files say that they are fields.
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
    path = taken_back(Path(path)) if Path(path).suffix == ".cells" else Path(path)
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
    table, notes = with_doses_as_numbers(listing.table)
    listing = replace(listing, table=table, notes=(*listing.notes, *notes))
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
            raise SourceError(other_channels(one, first.pixels.shape[0], other, image.pixels.shape[0]))
        if image.pixels.dtype != first.pixels.dtype:
            one, other = listing.entries[0].files[0], listing.entries[row].files[0]
            raise SourceError(other_type(one, first.pixels.dtype, other, image.pixels.dtype))
        if channels is None and listing.channels is None and are_others(first.channels, image.channels):
            one, other = listing.entries[0].files[0], listing.entries[row].files[0]
            raise SourceError(other_names(one, first.channels, other, image.channels))
    names = _channel_names(listing.channels or first.channels, channels, len(first.pixels))
    height, width = first.pixels.shape[1:]
    listing = with_centres(with_illumination(listing, choice), choice)
    notes = listing.notes
    if first.bare_pages and channels is None and listing.channels is None:
        notes = (*notes, _of_pages(listing.entries[0].files[0], len(first.pixels)))
    if channels is None and listing.channels is None:
        notes = (*notes, *unnamed(images))
    notes = (*notes, *doubts([listing.entries[row].files[0] for row in rows], images))
    if listing.pixel_size and first.pixel_size:
        notes = (*notes, *other_scale(listing.pixel_size, first.pixel_size, listing.layout))
    sides = sorted({image.pixels.shape[1:] for image in images})
    if kind is None:
        masked = any(entry.masks for entry in listing.entries)
        square = all(height == width for height, width in sides)
        whole = listing.whole_fields or masked or not square or sides[-1][0] > CROP_SIDE
        kind = "fields" if whole else "crops"
    if kind == "crops":
        if len(sides) > 1 and len(images) < len(listing.entries):  # as all are cut to the smallest
            images = [entry.probe() for entry in listing.entries]
            sides = sorted({image.pixels.shape[1:] for image in images})
        height, width = min(sides, key=min)
    return Source(
        path, name, kind, listing.table, names, (height, width), first.pixels.dtype,
        listing.pixel_size or first.pixel_size, listing.skipped, listing.layout, listing.entries, mask_channel,
        (*notes, *other_sizes(images, kind == "crops", said=listing.pixel_size is not None)), choice, report,
    )  # fmt: skip


def _not_there(path: Path, choice: LayoutChoice, why: str) -> str:
    """Say that a Z plane or a time was asked for of what has none; empty where it was not."""
    for what, number in (("Z plane", choice.z), ("time", choice.time)):
        if isinstance(number, int) and number != 1:
            return f"{path} has no {what} {number}: {why}."
    return ""


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
    return channel_titles(found)
