"""A plate as CQ1 and CQ3K write it: numbered wells under `Image`, with Yokogawa's files; projections if asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from napari_impa.cells.simulated.plate_writers.cellvoyager import write_yokogawa_files, yokogawa_record
from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, WrittenPlane, uint16


def _write(folder: Path, plate: PlateImages) -> None:
    own = folder / plate.name
    (own / "Image").mkdir(parents=True)
    records = []
    for plane in plate.planes():
        name = f"Image/{cq1_name(plate, plane)}"
        tifffile.imwrite(own / name, uint16(plane.pixels), metadata=None)
        records.append(yokogawa_record(plane, name.replace("/", "\\")))
    write_yokogawa_files(own, plate, records)


def cq1_name(plate: PlateImages, plane: WrittenPlane) -> str:
    """What the file of a plane is called."""
    return f"W{plate.number(plane.well):04d}F{plane.site:04d}T{plane.time:04d}Z{plane.z:03d}C{plane.channel}.tif"


def write_projections(folder: Path, plate: PlateImages) -> None:
    """Add the maximum projections that the microscope can make of a plate which is already written."""
    (folder / plate.name / "Projection").mkdir()
    for plane in plate.planes():
        if plane.z == 1:
            stack = [
                plate.pixels(plane.well, plane.site, z, plane.time)[plane.channel - 1]
                for z in range(1, plate.z_planes + 1)
            ]
            tifffile.imwrite(
                folder / plate.name / "Projection" / cq1_name(plate, plane), uint16(np.max(stack, 0)), metadata=None
            )


CQ1_PLATE = PlateWriter("cq1", _write)
