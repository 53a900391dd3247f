"""A source: a plate, a folder of images or of cells, as one table of fields, crops or cells that read themselves."""

from __future__ import annotations

from napari_impa.cells.source.opening import CROP_SIDE, open_source
from napari_impa.cells.source.source import Source, SourceKind

__all__ = ["CROP_SIDE", "Source", "SourceKind", "open_source"]
