"""Masks that lie beside their images and are called after them: `a_masks.tif` of `a.tif`, or `masks/a.tif`.

So Cellpose, CellProfiler, Fiji's plugins and most others name label images. A name counts only where there is the image
that it is called after; of several masks of one field those of nuclei are taken.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_impa.cells.layouts.entry import Listing, SourceEntry

_WORDS = ("mask", "label", "seg")
_MASK = re.compile(
    r"(?P<image>.+?)(?:[_\-. ](?P<of>nuclei|nucleus|nuc|cells?|cyto|cytoplasm))?"
    r"[_\-. ](?:cp_)?(?:masks?|labels?|seg|segmentation|segmented)",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"(?:nuclei_|nucleus_|cell_)?(?:masks?|labels?|segmentations?)", re.IGNORECASE)
_NUCLEI = ("nuclei", "nucleus", "nuc")
_SEPARATORS = "_-. "
_CELLPOSE = "_seg.npy"

_OPENS_NOTHING = "Cellpose's own file, which could hold any program and is not opened; save its masks as TIFF or PNG"
_NO_FIELD = "masks that are of no one field by their name"
_ANOTHER = "other masks of a field"


@dataclass(frozen=True)
class NamedMask:
    """A file that by its name is the masks of an image.

    Parameters
    ----------
    file
        The masks.
    folder, image
        The folder of its image, and the stem of that or what the stems of its channels begin with.
    of
        Of what, in lower case; empty where its name does not say.
    """

    file: Path
    folder: str
    image: str
    of: str = ""


def named_masks(images: Sequence[Path]) -> list[NamedMask]:
    """Those of some image files that are masks of others, by their names."""
    texts = zip(images, (str(file).casefold() for file in images), strict=True)
    first, second, third = _WORDS  # written out: a plate has many files
    told = (file for file, text in texts if first in text or second in text or third in text)
    possible = [one for file in told if (one := _of_name(file)) is not None]
    if not possible:
        return []
    masks = {one.file for one in possible}
    stems: defaultdict[str, set[str]] = defaultdict(set)
    for file in images:
        if file not in masks:
            stems[os.path.dirname(file)].update(_beginnings(_stem(file)))
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for folder in stems:
        beside[os.path.dirname(folder)].append(folder)
    found = []
    for one in possible:
        folders = [one.folder] if one.folder == os.path.dirname(one.file) else [one.folder, *beside[one.folder]]
        own = [folder for folder in folders if one.image in stems.get(folder, ())]
        found += [replace(one, folder=folder) for folder in own[:1]]
    return found


def _of_name(file: Path) -> NamedMask | None:
    folder, stem = os.path.dirname(file), _stem(file)
    name = _MASK.fullmatch(stem)
    image, of = (name["image"], (name["of"] or "").casefold()) if name else (stem, "")
    if _FOLDER.fullmatch(os.path.basename(folder)):
        return NamedMask(file, os.path.dirname(folder), image, of)
    return NamedMask(file, folder, image, of) if name else None


def _is_cellpose(file: Path) -> bool:
    return file.name.lower().endswith(_CELLPOSE)


def _stem(file: Path) -> str:
    stem = file.name.rpartition(".")[0]
    return stem.removesuffix(".ome")


def _beginnings(stem: str) -> Iterable[str]:
    """A name, and what of it comes before each of its separators, the longest first."""
    yield stem
    for place in range(len(stem) - 1, 0, -1):
        if stem[place] in _SEPARATORS:
            yield stem[:place]


def with_masks_beside(listing: Listing, masks: Sequence[NamedMask]) -> Listing:
    """Give the entries of a source the masks that are called after them, where the layout knows of none.

    Parameters
    ----------
    listing
        What a layout found.
    masks
        As `named_masks` finds them among all files there.
    """
    skipped = {file: _OPENS_NOTHING if _is_cellpose(file) else why for file, why in listing.skipped.items()}
    if not masks or any(entry.masks for entry in listing.entries):
        return replace(listing, skipped=skipped)
    images = {str(file) for entry in listing.entries for file in entry.files}
    by_name: defaultdict[tuple[str, str], list[NamedMask]] = defaultdict(list)
    for one in masks:
        if str(one.file) not in images and not _is_cellpose(one.file):
            by_name[one.folder, one.image].append(one)
    names = [_name_of_masks(entry, by_name) for entry in listing.entries]
    claimed = Counter(name for name in names if name is not None)
    entries: list[SourceEntry] = []
    for entry, name in zip(listing.entries, names, strict=True):
        own = by_name[name] if name is not None and claimed[name] == 1 else []
        best = min(own, key=lambda one: (one.of not in _NUCLEI, one.of != "", one.file.name), default=None)
        entries.append(entry if best is None else replace(entry, masks=best.file))
        skipped |= {one.file: _ANOTHER for one in own}
    used = {entry.masks for entry in entries}
    no_field = (one.file for one in masks if skipped.get(one.file) not in (_ANOTHER, _OPENS_NOTHING))
    skipped |= {file: _NO_FIELD for file in no_field if str(file) not in images}
    skipped = {file: why for file, why in skipped.items() if file not in used}
    without = [entry.name for entry in entries if entry.masks is None]
    notes = listing.notes
    if without and len(without) < len(entries):
        count = len(entries) - len(without)
        notes += (
            f"Only {count:,} of {len(entries):,} fields have masks beside them, {without[0]} for one has none: unless "
            "all have, nuclei are found anew.",
        )
    return replace(listing, entries=entries, skipped=skipped, notes=notes)


def _name_of_masks(entry: SourceEntry, by_name: Mapping[tuple[str, str], object]) -> tuple[str, str] | None:
    """What the masks of a field are called after: one of its files, or the beginning of all of them."""
    places = [(os.path.dirname(file), _stem(file)) for file in entry.files]
    exact = next((place for place in places if place in by_name), None)
    if exact is not None or not places:
        return exact
    folder, stem = places[0]
    beginnings = {*_beginnings(stem)}.intersection(*(set(_beginnings(other)) for _, other in places))
    named = [(folder, name) for name in sorted(beginnings, key=len, reverse=True) if (folder, name) in by_name]
    return next(iter(named), None)
