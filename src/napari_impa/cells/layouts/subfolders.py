"""A folder of images: one subfolder a condition, or a flat folder that says nothing of conditions."""

from __future__ import annotations

import pandas as pd

from napari_impa.cells.layouts.channel_files import joined_channels
from napari_impa.cells.layouts.entry import Listing, passed_over
from napari_impa.cells.layouts.layout import FolderLayout, SourceFiles
from napari_impa.cells.readers import is_image


def _inside(source: SourceFiles) -> bool:
    return any(is_image(file) and file.parent != source.root for file in source.files)


def _fits_subfolders(source: SourceFiles) -> bool:
    return source.path.is_dir() and _inside(source)


def _fits_flat(source: SourceFiles) -> bool:
    return source.path.is_dir() and any(map(is_image, source.files)) and not _inside(source)


def _subfolders(source: SourceFiles) -> Listing:
    root = source.root
    images = [file for file in source.files if is_image(file) and file.parent != root]
    entries, channels = joined_channels(root, images)
    conditions = [entry.files[0].relative_to(root).parts[0] for entry in entries]
    skipped = passed_over(source.files, entries)
    return Listing(entries, pd.DataFrame({"condition": conditions}), skipped, SUBFOLDERS.name, channels)


def _flat(source: SourceFiles) -> Listing:
    entries, channels = joined_channels(source.root, list(filter(is_image, source.files)))
    skipped = passed_over(source.files, entries)
    return Listing(entries, pd.DataFrame(index=range(len(entries))), skipped, FLAT_FOLDER.name, channels)


SUBFOLDERS = FolderLayout("one subfolder a condition", _fits_subfolders, _subfolders)
FLAT_FOLDER = FolderLayout("a flat folder", _fits_flat, _flat)
