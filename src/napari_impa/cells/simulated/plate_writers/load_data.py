"""A plate as CellProfiler's LoadData names it: images of any names, and a table with a row an image set."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import tifffile

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, uint16
from napari_impa.cells.wells import Well

IMAGES = "images"
"""The folder of the images, as seen from the table."""


def _write(folder: Path, plate: PlateImages) -> None:
    own = folder / plate.name
    (own / IMAGES).mkdir(parents=True, exist_ok=True)
    rows: dict[tuple[Well, int, int, int], dict[str, object]] = {}
    for plane in plate.planes():
        channel, where = plate.channels[plane.channel - 1], (plane.well, plane.site, plane.z, plane.time)
        name = f"{plate.name} {plane.well.name} {plane.site} {plane.z} {plane.time} {channel}.tif"
        tifffile.imwrite(own / IMAGES / name, uint16(plane.pixels), metadata=None)
        row = rows.setdefault(where, {})
        row |= {f"FileName_{channel}": name, f"PathName_{channel}": IMAGES}
    for (well, site, z, time), row in rows.items():
        row |= {"Metadata_Plate": plate.name, "Metadata_Well": well.name, "Metadata_Site": site}
        row |= {"Metadata_PlaneID": z, "Metadata_TimepointID": time - 1}
        row["Metadata_ImageResolutionX"] = plate.pixel_size * 1e-6
    pd.DataFrame(list(rows.values())).to_csv(own / "load_data.csv", index=False)


LOAD_DATA_PLATE = PlateWriter("load_data", _write)
