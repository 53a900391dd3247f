"""A single image, which is a source of one field."""

from __future__ import annotations

import pandas as pd

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing, SourceEntry
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.readers import holds_scenes, is_image


def _fits(source: SourceFiles) -> Fit:
    one = source.path.is_file() and is_image(source.path) and not holds_scenes(source.path)
    return Fit.GIVEN if one else Fit.NO


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    entry = SourceEntry(source.path.name, (source.path,))
    return Listing([entry], pd.DataFrame(index=range(1)), {}, SINGLE_IMAGE.title)


SINGLE_IMAGE = FolderLayout("image", "a single image", _fits, _entries)
