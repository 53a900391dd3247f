"""Files and stores that hold stacks or several scenes, of which every scene is a field: OME-Zarr images and more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.additions.stored_labels import with_stored_labels
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlateField
from napari_impa.cells.layouts.stored_planes import StoredPlane, of_other_channels, planes_of
from napari_impa.cells.readers import StoredImage, holds_scenes, read_scenes
from napari_impa.cells.readers.ome_zarr import images_of, require_zarr, store_kind

_IMAGES = ("multiscales", "series")


def _fits(source: SourceFiles) -> Fit:
    files = len(_files(source))
    found = files + sum(store_kind(store) in _IMAGES for store in source.stores)
    others = 0 if source.path.is_file() else len(source.images) - files
    if not found or found < others:
        return Fit.NO
    itself = source.path.is_file() or source.root in source.stores
    return Fit.GIVEN if itself else Fit.LOOSELY


def _files(source: SourceFiles) -> list[Path]:
    return list(filter(holds_scenes, [source.path] if source.path.is_file() else source.images))


def _named(source: SourceFiles) -> Iterator[tuple[str, StoredImage]]:
    """The images, and what they are called: their file, and their scene where it has several."""
    for store in source.stores:
        if store_kind(store) in _IMAGES:
            require_zarr(store)
            yield from _told_apart(source, store, images_of(store))
    for file in _files(source):
        yield from _told_apart(source, file, read_scenes(file))


def _told_apart(source: SourceFiles, file: Path, images: Sequence[StoredImage]) -> Iterator[tuple[str, StoredImage]]:
    own = file.name if file in (source.root, source.path) else source.below(file)
    for number, image in enumerate(images, 1):
        yield (own if len(images) == 1 else f"{own} · {image.name or number}"), image


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    images = list(_named(source))
    other, notes = of_other_channels([image for _, image in images])
    planes: list[StoredPlane] = []
    for number, (name, image) in enumerate(images):
        if number not in other:
            planes += planes_of(image, site=name)
    inside = {store: "" if store_kind(store) in _IMAGES else "no image of OME-Zarr" for store in source.stores}
    outer = any(source.folder(file) for file in (*_files(source), *source.stores) if file != source.root)
    if source.path.is_file() or source.root in source.stores:
        choice = replace(choice, folders=None)
    elif outer and choice.folders is None:
        choice = replace(choice, folders="conditions")
    found = PlatePlanes(
        planes, skipped=inside | {images[number][1].file: why for number, why in other.items()}, notes=notes
    )
    listing = plate_listing(source, SCENES.title, found, choice)
    entries = [replace(entry, name=_name(entry, choice)) for entry in listing.entries if isinstance(entry, PlateField)]
    return with_stored_labels(replace(listing, entries=entries, table=listing.table.drop(columns="site")))


def _name(entry: PlateField, choice: LayoutChoice) -> str:
    plane = entry.planes[0][0]
    return f"{plane.site} · time {plane.time}" if choice.time == "all" else str(plane.site)


SCENES = FolderLayout("scenes", "images of their own, or several in a file", _fits, _entries)
