"""Writers of simulated plates, one file a layout of `cells.layouts`: true names, folders and files beside the images.

A new one is a file with its `PlateWriter`, called as the layout that reads it, and its line in `PLATE_WRITERS`.
"""

from __future__ import annotations

from napari_impa.cells.simulated.plate_writers.by_name import NAMED_PLATES
from napari_impa.cells.simulated.plate_writers.cellvoyager import CELLVOYAGER_PLATE
from napari_impa.cells.simulated.plate_writers.cq1 import CQ1_PLATE
from napari_impa.cells.simulated.plate_writers.imagexpress import IMAGEXPRESS_PLATE
from napari_impa.cells.simulated.plate_writers.imagexpress_hcs import IMAGEXPRESS_HCS_PLATE
from napari_impa.cells.simulated.plate_writers.incell import INCELL_PLATE
from napari_impa.cells.simulated.plate_writers.load_data import LOAD_DATA_PLATE
from napari_impa.cells.simulated.plate_writers.ome_zarr import OME_ZARR_04_PLATE, OME_ZARR_PLATE
from napari_impa.cells.simulated.plate_writers.phenix import PHENIX_PLATE
from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter
from napari_impa.cells.simulated.plate_writers.scanr import SCANR_PLATE

__all__ = ["PLATE_WRITERS", "PlateImages", "PlateWriter"]

PLATE_WRITERS: tuple[PlateWriter, ...] = (
    PHENIX_PLATE,
    IMAGEXPRESS_PLATE,
    *NAMED_PLATES,
    LOAD_DATA_PLATE,
    OME_ZARR_PLATE,
    OME_ZARR_04_PLATE,
    CELLVOYAGER_PLATE,
    CQ1_PLATE,
    IMAGEXPRESS_HCS_PLATE,
    INCELL_PLATE,
    SCANR_PLATE,
)
"""All layouts in which a plate can be written."""
