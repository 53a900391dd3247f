"""A plate as ImageXpress HCS.ai writes it: a run with its protocol, and an experiment with description and table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import tifffile

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, uint16

_PROTOCOL, _DATE = "CellPainting", "5-2-2026-160251"
_PITCH = 300.0  # µm between sites


def _write(folder: Path, plate: PlateImages) -> None:
    run = folder / plate.name / f"{_PROTOCOL}_{_DATE}"
    experiment = run / "experiment"
    experiment.mkdir(parents=True)
    rows: list[dict[str, object]] = []
    for plane in plate.planes():
        where = f"timepoint{plane.time - 1}"
        (experiment / where).mkdir(exist_ok=True)
        name = (
            f"{_PROTOCOL}_t{plane.time - 1}_{plane.well.name}_s{plane.site - 1}_w{plane.channel - 1}_z{plane.z - 1}.tif"
        )
        tifffile.imwrite(experiment / where / name, uint16(plane.pixels), metadata=None)
        rows.append({
            "Row": plane.well.row + 1, "Column": plane.well.column + 1, "Field": plane.site - 1,
            "Wavelength": plane.channel - 1, "Timepoint": plane.time - 1, "ZIndex": plane.z - 1,
            "ImageSubFolderPath": where, "ImageFileName": name, "PositionXUm": plane.site * _PITCH, "PositionYUm": 0.0,
        })  # fmt: skip
    with open(experiment / "image_metadata_1.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (experiment / f"{_PROTOCOL}.jdce").write_text(json.dumps(_description(plate), indent=1), encoding="utf-8")
    (run / f"{_PROTOCOL}.mxprotocol").write_text("{}\n", encoding="utf-8")


def _description(plate: PlateImages) -> dict[str, object]:
    protocol = {
        "ObjectiveCalibration": {"Unit": "µm", "PixelWidth": plate.pixel_size, "PixelHeight": plate.pixel_size},
        "Plate": {"Name": "96 wells", "Rows": 8, "Columns": 12},
        "Wavelengths": [
            {"Index": number, "EmissionFilter": {"Name": name}} for number, name in enumerate(plate.channels)
        ],
        "PlateMap": {
            "ZDimensionParameters": {"Enabled": plate.z_planes > 1, "NumberOfSlices": plate.z_planes},
            "TimeSchedule": {"Enabled": plate.times > 1, "NumberOfTimepoints": plate.times},
        },
    }
    return {"Version": "1.0", "ImageStack": {"PlateId": plate.name, "AutoLeadAcquisitionProtocol": protocol}}


IMAGEXPRESS_HCS_PLATE = PlateWriter("imagexpress-hcs", _write)
