"""Plates in OME-Zarr: a store whose attributes name its wells, whose attributes name their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.additions.stored_labels import with_stored_labels
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import NAMED, PlatePlanes, plate_listing
from napari_impa.cells.layouts.stored_planes import StoredPlane, of_other_channels, planes_of
from napari_impa.cells.readers.ome_zarr import ZarrImage, described, is_written, require_zarr, store_kind
from napari_impa.cells.wells import well_name
from napari_impa.errors import SourceError, WellError

_AT_ONCE = 8  # small files read side by side: a network's disk answers each late
_FAULTS = (KeyError, IndexError, TypeError, AttributeError)


class _PlateImage(NamedTuple):
    """An image that a plate names."""

    group: Path
    plate: str
    well: str
    site: int | str
    acquisition: str


def _fits(source: SourceFiles) -> Fit:
    kinds = set(map(store_kind, source.stores))
    if kinds & {"plate", "well", "damaged"}:
        return Fit.DESCRIBED
    return Fit.NEARLY if "" in kinds and source.path in source.stores else Fit.NO


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    plates: dict[Path, Mapping[str, Any]] = {}
    skipped: dict[Path, str] = {}
    for store in source.stores:
        says = described(store)
        if not isinstance(says.get("plate", {}), Mapping):
            raise _not_so(store)
        if "plate" in says or "well" in says:
            plates[store] = says
            skipped[store] = ""
        else:
            skipped[store] = "no plate of OME-Zarr"
    if not plates:
        raise SourceError(f"{source.path} is no plate of OME-Zarr; give a store whose attributes have one.")
    require_zarr(next(iter(plates)))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        images = [
            image for store, name in _plate_names(plates).items() for image in _images(store, plates[store], name, pool)
        ]
        stored = list(pool.map(_stored, images))
    there = [(image, one) for image, one in zip(images, stored, strict=True) if one is not None]
    absent = [image for image, one in zip(images, stored, strict=True) if one is None]
    if not there:
        what = f": {absent[0].group} is not there" if absent else ""
        raise SourceError(f"{source.path} is a plate of OME-Zarr without any image{what}; convert the images again.")
    notes = _said_of(absent)
    other, said = of_other_channels([one for _, one in there])
    planes: list[StoredPlane] = []
    for number, (image, one) in enumerate(there):
        if number not in other:
            planes += planes_of(one, image.plate, image.well, image.site, image.acquisition)
    if source.root in source.stores:
        choice = replace(choice, folders=None)  # the folders in a store are rows and columns
    found = PlatePlanes(planes, skipped=skipped, notes=(*notes, *said))
    return with_stored_labels(plate_listing(source, OME_ZARR.title, found, choice))


def _stored(image: _PlateImage) -> ZarrImage | None:
    return ZarrImage.of(image.group) if is_written(image.group) else None


def _images(store: Path, says: Mapping[str, Any], plate: str, pool: ThreadPoolExecutor) -> Iterator[_PlateImage]:
    """The images that a plate's wells name, and of a well that is not there the well itself."""
    try:
        if "plate" in says:
            wells = [(store / one["path"], _well(one["path"])) for one in says["plate"]["wells"]]
            names = {one["id"]: str(one.get("name") or one["id"]) for one in says["plate"].get("acquisitions", ())}
        else:  # a single well of a plate was given
            wells, names = [(store, _well("/".join(store.resolve().parts[-2:])))], {}
    except _FAULTS as error:
        raise _not_so(store) from error
    for (folder, well), in_well in zip(wells, pool.map(lambda one: described(one[0]), wells), strict=True):
        if not is_written(folder):
            yield _PlateImage(folder, plate, well, 1, "")
            continue
        try:
            images = [(str(one["path"]), one.get("acquisition")) for one in in_well["well"]["images"]]
        except _FAULTS as error:
            raise _not_so(folder) from error
        for path, number in images:
            acquisition = names.get(number, str(number)) if len(names) > 1 else ""
            yield _PlateImage(folder / path, plate, well, int(path) if path.isdecimal() else path, acquisition)


def _not_so(group: Path) -> SourceError:
    return SourceError(f"{group} is not described as a plate of OME-Zarr is; convert the images again.")


def _well(path: str) -> str:
    """The well of a path such as `B/3`."""
    try:
        return well_name("".join(path.split("/")))
    except WellError:
        return path


def _plate_names(plates: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """Plates by their own names, where these tell them apart, else by their folders'."""
    folders = {}
    for store, says in plates.items():
        whole = store.resolve()
        folders[store] = _stem((whole if "plate" in says else whole.parents[1]).name)
    own = {store: _stem(str(says.get("plate", {}).get("name") or folders[store])) for store, says in plates.items()}
    return own if max(Counter(own.values()).values()) == 1 else folders


def _stem(name: str) -> str:
    return name.removesuffix(".zarr").removesuffix(".ome")


def _said_of(absent: list[_PlateImage]) -> tuple[str, ...]:
    if not absent:
        return ()
    named = ", ".join(f"{image.plate} {image.well} ({image.group.name})" for image in absent[:NAMED])
    more = f" and {len(absent) - NAMED:,} more" if len(absent) > NAMED else ""
    sites = "site" if len(absent) == 1 else "sites"
    return (f"{len(absent):,} {sites} left out, whose images the plate names but which are not there: {named}{more}.",)


OME_ZARR = FolderLayout("ome-zarr", "OME-Zarr", _fits, _entries)
