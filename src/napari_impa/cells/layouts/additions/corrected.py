"""Fields of which the illumination is corrected when they are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.illumination import MOST_FIELDS, FlatField, divided, estimated_functions
from napari_impa.cells.layouts.entry import Listing, SourceEntry
from napari_impa.cells.readers import Image
from napari_impa.cells.words import PLATE
from napari_impa.errors import SourceError

_FEW = 20  # fields from which cells still show in an estimated function

_NOT_KNOWN = {
    "table": "no table names illumination functions (columns such as FileName_IllumDNA)",
    "profiles": "no index of Harmony has profiles of it",
}


@dataclass(frozen=True)
class CorrectedEntry(SourceEntry):
    """A field or crop whose channels are divided by their illumination functions.

    Parameters
    ----------
    entry
        As it is without.
    functions
        One a channel.
    """

    entry: SourceEntry | None = None
    functions: tuple[FlatField, ...] = ()

    def image(self) -> Image:
        """Read and divide it; errors as the entry's own, and where a function is of another size."""
        assert self.entry is not None, "it is of an entry"
        image = self.entry.image()
        if len(self.functions) != len(image.pixels):
            raise SourceError(
                f"{self.files[0]} has {len(image.pixels)} channels, and there are illumination functions of "
                f"{len(self.functions)}; read it without (--illumination none)."
            )
        return Image(divided(image.pixels, self.functions), image.channels, image.pixel_size)

    def probe(self) -> Image:
        """Read all but the pixels, which keep their type."""
        assert self.entry is not None, "it is of an entry"
        return self.entry.probe()

    def labels(self) -> Image | None:
        """Its masks, as the entry has them."""
        assert self.entry is not None, "it is of an entry"
        return self.entry.labels()


def with_illumination(listing: Listing, choice: LayoutChoice) -> Listing:
    """Correct the illumination of a source's fields as they are read, where that is chosen.

    Raises
    ------
    SourceError
        If the functions that are asked for are not there.
    """
    if choice.illumination == "none":
        if "table" in listing.flat_fields:
            note = "Its illumination functions are not applied; --illumination table divides by them."
            return replace(listing, notes=(*listing.notes, note))
        return listing
    if choice.illumination == "estimate":
        return _estimated(listing)
    known = listing.flat_fields.get(choice.illumination)
    if known is None:
        raise SourceError(
            f"The illumination cannot be corrected: {_NOT_KNOWN[choice.illumination]}; choose --illumination estimate, "
            "or none."
        )
    if len(known) != len(listing.entries):
        raise SourceError(
            "The illumination of files that hold several times is not corrected by a table or an index when all times "
            "are read; read one time, or choose --illumination estimate."
        )
    for functions in known:
        for function in functions:
            function.check()
    what = "the functions of its table" if choice.illumination == "table" else "the microscope's profiles"
    return _with(listing, known, f"Illumination is corrected by {what}.")


def _with(listing: Listing, functions: Any, note: str) -> Listing:
    entries = [
        CorrectedEntry(entry.name, entry.files, entry.masks, entry=entry, functions=own)
        for entry, own in zip(listing.entries, functions, strict=True)
    ]
    return replace(listing, entries=entries, notes=(*listing.notes, note))


def _estimated(listing: Listing) -> Listing:
    column = PLATE.find(listing.table)
    plates = [""] * len(listing.entries) if column is None else [str(plate) for plate in listing.table[column]]
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, plate in enumerate(plates):
        rows[plate].append(row)
    channels = len(listing.entries[0].probe().pixels)
    of_plate = {
        plate: estimated_functions(
            [_reads(listing.entries[row]) for row in own], channels, f"the plate {plate}" if plate else "the images"
        )
        for plate, own in rows.items()
    }
    fewest = min(map(len, rows.values()))
    note = f"Illumination is estimated from up to {MOST_FIELDS} fields of each plate (guessed)."
    if fewest < _FEW:
        note = (
            f"Illumination is estimated from {fewest} field{'s' * (fewest != 1)} of a plate (guessed), so few that the "
            "cells themselves may show in it; --illumination none leaves pixels as they are."
        )
    return _with(listing, [of_plate[plate] for plate in plates], note)


def _reads(entry: SourceEntry) -> Callable[[], NDArray[Any]]:
    return partial(_pixels, entry)


def _pixels(entry: SourceEntry) -> NDArray[Any]:
    return np.asarray(entry.image().pixels)
