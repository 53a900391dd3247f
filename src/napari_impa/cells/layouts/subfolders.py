"""A folder of images: one subfolder a condition, or a flat folder that says nothing of conditions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.channel_files import joined_channels
from napari_impa.cells.layouts.entry import Listing, passed_over
from napari_impa.cells.layouts.layout import APPLE_DOUBLE, Fit, FolderLayout, SourceFiles


def _fits_subfolders(source: SourceFiles) -> Fit:
    return Fit.ANYTHING if any(map(source.folder, source.readable)) else Fit.NO


def _fits_flat(source: SourceFiles) -> Fit:
    return Fit.ANYTHING if source.readable and not any(map(source.folder, source.readable)) else Fit.NO


def _subfolders(source: SourceFiles, choice: LayoutChoice) -> Listing:
    return _listing(source, list(filter(source.folder, source.readable)), SUBFOLDERS)


def _flat(source: SourceFiles, choice: LayoutChoice) -> Listing:
    return _listing(source, source.readable, FLAT_FOLDER)


def _listing(source: SourceFiles, images: list[Path], layout: FolderLayout) -> Listing:
    joined = joined_channels(source, images)
    table = pd.DataFrame(index=range(len(joined.entries)))
    if layout is SUBFOLDERS:
        table["condition"] = [source.folder(entry.files[0])[0] for entry in joined.entries]
    skipped = dict.fromkeys(source.apple_doubles, APPLE_DOUBLE)
    skipped |= passed_over(source.files, joined.entries) | joined.skipped
    return Listing(joined.entries, table, skipped, layout.title, joined.channels, notes=joined.notes)


SUBFOLDERS = FolderLayout("subfolders", "one subfolder a condition", _fits_subfolders, _subfolders)
FLAT_FOLDER = FolderLayout("flat", "a flat folder", _fits_flat, _flat)
