r"""Layouts: the ways in which images lie in a folder, one file each.

A new layout is a file with its `FolderLayout`, and its line in `LAYOUTS`. It says how surely a source is built so
(`Fit`), by names and at most the first line of a table, and what it then holds. A layout of plates, which are in
`plate_readers`, only has to say which plane each file is; `plate_listing` makes fields of them, in which channels are
in order, Z planes and times as chosen, and says what is missing:

    _NAME = re.compile(r"(?P<well>[A-P]\d\d)_f(?P<site>\d+)_(?P<channel>[A-Za-z]+)\.tiff?")

    def _fits(source: SourceFiles) -> Fit:
        return Fit.NAMES if source.share(_NAME.fullmatch) >= 0.5 else Fit.NO

    def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
        named = [(file, found) for file in source.images if (found := _NAME.fullmatch(file.name))]
        plate_of = plate_names(source, choice, [file for file, _ in named])
        planes = [
            PlaneFile(file, found["channel"], plate_of(file), well_name(found["well"]), int(found["site"]))
            for file, found in named
        ]
        return plate_listing(source, OURS.title, PlatePlanes(planes, plates_by_folder=True), choice)

    OURS = FolderLayout("ours", "our microscope", _fits, _entries)

`plate_readers/cellomics.py` is a short one with files to pass over, `plate_readers/phenix.py` one with a file that
describes the plate. With a writer of the same name among `cells.simulated.plate_writers`, the tests of all plates try
it. Other layouts make their entries, which read themselves, and their table (plate, well, site, compound, … as `words`
knows) by themselves, as `subfolders.py` does.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from napari_impa.cells.choice import AS_FOUND, LayoutChoice
from napari_impa.cells.layouts.additions.masks_beside import with_masks_beside
from napari_impa.cells.layouts.entry import GIVEN, Listing, SourceEntry
from napari_impa.cells.layouts.file_tables.load_data import LOAD_DATA
from napari_impa.cells.layouts.impa_index import IMPA_INDEX
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.metadata_csv import METADATA_CSV
from napari_impa.cells.layouts.plate_readers.cellomics import CELLOMICS
from napari_impa.cells.layouts.plate_readers.cellvoyager import CELLVOYAGER
from napari_impa.cells.layouts.plate_readers.cq1 import CQ1
from napari_impa.cells.layouts.plate_readers.imagexpress import IMAGEXPRESS
from napari_impa.cells.layouts.plate_readers.imagexpress_hcs import IMAGEXPRESS_HCS
from napari_impa.cells.layouts.plate_readers.incell import INCELL
from napari_impa.cells.layouts.plate_readers.micro_manager import MICRO_MANAGER
from napari_impa.cells.layouts.plate_readers.ome_zarr import OME_ZARR
from napari_impa.cells.layouts.plate_readers.phenix import PHENIX
from napari_impa.cells.layouts.plate_readers.rxrx1 import RXRX1
from napari_impa.cells.layouts.plate_readers.scanr import SCANR
from napari_impa.cells.layouts.plate_readers.wells_in_names import WELLS_IN_NAMES
from napari_impa.cells.layouts.scenes import SCENES
from napari_impa.cells.layouts.single_image import SINGLE_IMAGE
from napari_impa.cells.layouts.subfolders import FLAT_FOLDER, SUBFOLDERS
from napari_impa.cells.readers import formats, is_image
from napari_impa.errors import SourceError

__all__ = [
    "AS_FOUND", "GIVEN", "LAYOUTS", "Fit", "FolderLayout", "LayoutChoice", "Listing", "SourceEntry", "SourceFiles",
    "layout_names", "list_source",
]  # fmt: skip

LAYOUTS: tuple[FolderLayout, ...] = (
    SINGLE_IMAGE,
    METADATA_CSV,
    LOAD_DATA,
    IMPA_INDEX,
    PHENIX,
    IMAGEXPRESS,
    CELLOMICS,
    MICRO_MANAGER,
    RXRX1,
    WELLS_IN_NAMES,
    OME_ZARR,
    CELLVOYAGER,
    SCENES,
    CQ1,
    IMAGEXPRESS_HCS,
    INCELL,
    SCANR,
    SUBFOLDERS,
    FLAT_FOLDER,
)
"""All layouts; the one that fits a source most surely is taken."""


def list_source(path: Path, choice: LayoutChoice = AS_FOUND) -> Listing:
    """Find the images of a source: a plate, a folder, a table of files, or a single image.

    Raises
    ------
    SourceError
        If there is no image, a table names a file that is not there, two layouts fit equally, or the one that was
        chosen does not.
    """
    if not path.exists():
        raise SourceError(f"There is no folder {path}.")
    source = SourceFiles(path)
    with _nothing_collected(), _files_in_words(path):
        listing = _layout_of(source, choice).entries(source, choice)
        again = dict.fromkeys(source.linked_again, "a link to a folder that is read already")
        listing = replace(listing, skipped={**listing.skipped, **again})
        return listing if is_image(path) else with_masks_beside(listing, source.masks)


@contextmanager
def _files_in_words(path: Path) -> Iterator[None]:
    """Say which file of a source cannot be read."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{error.filename or path} cannot be read ({error.strerror or error}); mend that, or remove it."
        ) from error


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Without Python's search for garbage, which of a plate's hundred thousand small objects takes a third of the time.

    All of them stay, so that there is none to find.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _layout_of(source: SourceFiles, choice: LayoutChoice) -> FolderLayout:
    """The layout that was chosen, or that fits most surely."""
    path = source.path
    if choice.layout is not None:
        return _named(choice.layout)
    fits = {layout: layout.fits(source) for layout in LAYOUTS}
    surest = max(fits.values())
    if surest is Fit.NO:
        if path.is_dir():
            raise SourceError(f"{path} holds no images ({formats()}){_instead(source)}.")
        raise SourceError(f"{path} is no source; give a folder of images, a metadata.csv, a .cells folder or an image.")
    taken = [layout for layout, fit in fits.items() if fit is surest]
    if len(taken) > 1:
        names = " or ".join(f"{layout.title} (--layout {layout.name})" for layout in taken)
        raise SourceError(f"{path} can be read as {names}; choose one of them.")
    return taken[0]


def _instead(source: SourceFiles) -> str:
    """What a folder without images holds, and what to do about it."""
    endings = Counter(file.suffix.lower() for file in source.files)
    if not endings:
        return "; it is empty: choose the folder that has them"
    jpeg = endings[".jpg"] + endings[".jpeg"]
    if jpeg:
        return (
            f", but {jpeg:,} JPEG file{'s' * (jpeg != 1)}, of which the intensities are lost: export the images as "
            "TIFF from the microscope's program"
        )
    common = ", ".join(f"{number:,} {ending or 'without an ending'}" for ending, number in endings.most_common(3))
    return f"; it has other files ({common}): choose the folder that has them"


def layout_names() -> tuple[str, ...]:
    """The names by which layouts are chosen."""
    return tuple(layout.name for layout in LAYOUTS)


def _named(name: str) -> FolderLayout:
    layout = next((one for one in LAYOUTS if one.name == name), None)
    if layout is None:
        raise SourceError(f"There is no layout {name!r}; there are: {', '.join(layout_names())}.")
    return layout
