"""Layouts: the ways in which images lie in a folder, one file each.

A new layout is a file with its `FolderLayout`, and its line in `LAYOUTS`: it says whether a source is built so, and
lists its entries, which read themselves, with a table row for each (plate, well, site, compound, … as `words` knows).
"""

from __future__ import annotations

from pathlib import Path

from napari_impa.cells.layouts.entry import GIVEN, Listing, SourceEntry
from napari_impa.cells.layouts.impa_index import IMPA_INDEX
from napari_impa.cells.layouts.layout import FolderLayout, SourceFiles
from napari_impa.cells.layouts.metadata_csv import METADATA_CSV
from napari_impa.cells.layouts.single_image import SINGLE_IMAGE
from napari_impa.cells.layouts.subfolders import FLAT_FOLDER, SUBFOLDERS
from napari_impa.cells.readers import formats
from napari_impa.errors import SourceError

__all__ = ["GIVEN", "LAYOUTS", "FolderLayout", "Listing", "SourceEntry", "SourceFiles", "list_source"]

LAYOUTS: tuple[FolderLayout, ...] = (SINGLE_IMAGE, METADATA_CSV, IMPA_INDEX, SUBFOLDERS, FLAT_FOLDER)
"""All layouts; the first that fits a source is taken, so that the surer ones come first."""


def list_source(path: Path) -> Listing:
    """Find the images of a source: a folder, a table of files, or a single image.

    Raises
    ------
    SourceError
        If there is no image, or a table names a file that is not there.
    """
    if not path.exists():
        raise SourceError(f"There is no folder {path}.")
    source = SourceFiles(path)
    for layout in LAYOUTS:
        if layout.fits(source):
            return layout.entries(source)
    if path.is_dir():
        raise SourceError(f"{path} holds no images ({formats()}); choose the folder that has them.")
    raise SourceError(f"{path} is no source; give a folder of images, a metadata.csv, a .cells folder or an image.")
