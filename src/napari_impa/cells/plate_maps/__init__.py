"""Plate maps: what is in the wells, in whatever people write it in, joined to the images by plate and well.

    plate_map = read_plate_map("layout.xlsx")
    table, report = join_plate_map(source.table, plate_map)
    print("\\n".join(report.sentences()))

A new form of plate map is a module with its `PlateMapForm`, and its line in `plate_map.FORMS`; a new kind of file is
one in `cells.sheets`.
"""

from __future__ import annotations

from napari_impa.cells.plate_maps.join import JoinReport, join_plate_map
from napari_impa.cells.plate_maps.map_file import MapFile, MapRows, PlateMapForm
from napari_impa.cells.plate_maps.plate_map import FORMS, PlateMap, read_plate_map

__all__ = [
    "FORMS",
    "JoinReport",
    "MapFile",
    "MapRows",
    "PlateMap",
    "PlateMapForm",
    "join_plate_map",
    "read_plate_map",
]
