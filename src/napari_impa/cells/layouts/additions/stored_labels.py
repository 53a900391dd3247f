"""Masks that OME-Zarr images bring along in their group `labels`: `0/labels/nuclei`, as segmenting programs do it.

All are planes of one mask image, called as they are there, so that `mask_channel` chooses one by name; where none is
chosen those of nuclei are taken.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.layouts.entry import Listing, SourceEntry
from napari_impa.cells.layouts.plate_field import PlateField
from napari_impa.cells.layouts.stored_planes import StoredPlane
from napari_impa.cells.readers import Image
from napari_impa.cells.readers.ome_zarr import ZarrImage
from napari_impa.cells.words import guess_nuclei_masks
from napari_impa.errors import SourceError

_AT_ONCE = 8  # small files read side by side: a network's disk answers each late


@dataclass(frozen=True)
class LabelledField(PlateField):
    """A field of a stored image with its labels.

    Parameters
    ----------
    stored
        The label images, with their names; each of one plane, or of as many as the image.
    at
        Z plane and time that are read, from 0.
    """

    stored: tuple[ZarrImage, ...] = ()
    at: tuple[int, int] = (0, 0)

    def labels(self) -> Image:
        """Read all of them, (labels, H, W), as they are stored."""
        planes: list[NDArray[Any]] = []
        for image in self.stored:
            z, time = (number if count > 1 else 0 for number, count in zip(self.at, _depth(image), strict=True))
            pixels = image.image(z, time).pixels
            if planes and pixels.shape != planes[0].shape:
                first = self.stored[0].name
                raise SourceError(f"The labels {image.name} and {first} of {self.name} differ in size; remove one.")
            planes.append(pixels[:1])
        return Image(np.concatenate(planes), tuple(image.name for image in self.stored))


def _depth(image: ZarrImage) -> tuple[int, int]:
    return image.z_planes, image.times


def with_stored_labels(listing: Listing) -> Listing:
    """Give fields of OME-Zarr images the labels that these hold.

    Raises
    ------
    SourceError
        If their description is damaged.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        stored = list(pool.map(_labels, listing.entries))
    entries: list[SourceEntry] = []
    projected = 0
    for entry, labels in zip(listing.entries, stored, strict=True):
        if not labels or not isinstance(entry, PlateField):
            entries.append(entry)
            continue
        planes = [plane for stack in entry.planes for plane in stack]
        flat = tuple(image for image in labels if image.z_planes == 1 or len(planes) == 1)
        projected += len(flat) < len(labels)
        entries.append(_labelled(entry, flat, planes[0].z, planes[0].time) if flat else entry)
    labelled = [entry for entry in entries if isinstance(entry, LabelledField)]
    notes = []
    if labelled:
        notes.append(_said([image.name for image in labelled[0].stored]))
    if projected:
        notes.append("Labels of Z planes do not fit what is made of several planes; choose one with --z to use them.")
    if labelled and len(labelled) < len(entries):
        without = next(entry.name for entry in entries if not isinstance(entry, LabelledField))
        notes.append(
            f"Only {len(labelled):,} of {len(entries):,} images hold labels, {without} for one has none: unless all "
            "have, nuclei are found anew."
        )
    return replace(listing, entries=entries, notes=(*listing.notes, *notes))


def _labels(entry: SourceEntry) -> list[ZarrImage]:
    plane = entry.planes[0][0] if isinstance(entry, PlateField) else None
    return plane.stored.labels() if isinstance(plane, StoredPlane) and isinstance(plane.stored, ZarrImage) else []


def _labelled(entry: PlateField, stored: tuple[ZarrImage, ...], z: int, time: int) -> LabelledField:
    own: dict[str, Any] = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    masks = stored[0].group
    own["masks"] = None if masks is None else masks.parent
    return LabelledField(**own, stored=stored, at=(z, time))


def _said(names: list[str]) -> str:
    if len(names) == 1:
        return f"Masks are the labels {names[0]} that the images hold."
    nuclei = guess_nuclei_masks(names)
    which = f"{names[nuclei]} are" if nuclei is not None else "those most like the nuclear channel are"
    return f"Of the labels {', '.join(names)} that the images hold, {which} taken for masks (guessed)."
