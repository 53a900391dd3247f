"""A plate as CellVoyager CV7000 and CV8000 write it, with its three XML files and the frames for correction."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import tifffile

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, WrittenPlane, uint16

_SCHEMA = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0" bts:Version="1.0"'
_PITCH = 300.0  # µm between sites


def _write(folder: Path, plate: PlateImages) -> None:
    own = folder / plate.name
    own.mkdir(parents=True)
    records = []
    for plane in plate.planes():
        name = (
            f"{plate.name}_{plane.well.name}_T{plane.time:04d}F{plane.site:03d}L01A{plane.channel:02d}"
            f"Z{plane.z:02d}C{plane.channel:02d}.tif"
        )
        tifffile.imwrite(own / name, uint16(plane.pixels), metadata=None)
        records.append(yokogawa_record(plane, name))
    write_yokogawa_files(own, plate, records)
    frame = np.full_like(next(plate.planes()).pixels, 100, np.uint16)
    for number in range(1, len(plate.channels) + 1):
        for kind in ("DC_sCMOS_CAM", "SC_BP_"):
            tifffile.imwrite(own / f"{kind}{number}.tif", frame, metadata=None)


def yokogawa_record(plane: WrittenPlane, name: str, processed: str = "") -> str:
    """The line of one image in `MeasurementData.mlf`; `processed` names what its Z planes were made into."""
    values = {
        "Type": "IMG", "Time": "2026-05-02T16:02:51.000+02:00", "Column": plane.well.column + 1,
        "Row": plane.well.row + 1, "TimePoint": plane.time, "TimelineIndex": 1, "FieldIndex": plane.site,
        "ZIndex": plane.z, "ActionIndex": plane.channel, "Action": "3D", "X": plane.site * _PITCH, "Y": -_PITCH,
        "Z": float(plane.z), "Ch": plane.channel,
    }  # fmt: skip
    if processed:
        values["ZImageProcessing"] = processed
    return f"  <bts:MeasurementRecord {_attributes(values)}>{escape(name)}</bts:MeasurementRecord>"


def write_yokogawa_files(folder: Path, plate: PlateImages, records: list[str]) -> None:
    """Write the three XML files that describe a measurement, with the UTF-8 mark that theirs have."""
    height, width = next(plate.planes()).pixels.shape
    settings = f"{plate.name}.mes"
    detail = {
        "Title": plate.name, "MeasurementSettingFileName": settings, "TimePointCount": plate.times,
        "FieldCount": plate.sites, "ZCount": plate.z_planes,
    }  # fmt: skip
    channel = {
        "HorizontalPixelDimension": plate.pixel_size, "VerticalPixelDimension": plate.pixel_size, "CameraNumber": 1,
        "HorizontalPixels": width, "VerticalPixels": height,
    }  # fmt: skip
    numbered = list(enumerate(plate.channels, 1))
    _write_xml(folder / "MeasurementData.mlf", "MeasurementData", {}, records)
    _write_xml(folder / "MeasurementDetail.mrf", "MeasurementDetail", detail, [
        f"  <bts:MeasurementChannel {_attributes({'Ch': number} | channel)} />" for number, _ in numbered
    ])  # fmt: skip
    _write_xml(folder / settings, "MeasurementSetting", {}, [
        "  <bts:ChannelList>",
        *(
            f"    <bts:Channel {_attributes({'Ch': number, 'Target': name, 'Acquisition': 'BP445/45'})} />"
            for number, name in numbered
        ),
        "  </bts:ChannelList>",
    ])  # fmt: skip


def _write_xml(path: Path, root: str, values: dict[str, object], lines: list[str]) -> None:
    head = f'<?xml version="1.0" encoding="utf-8"?>\n<bts:{root} {_SCHEMA} {_attributes(values)}>'
    path.write_text("\n".join([head, *lines, f"</bts:{root}>\n"]), encoding="utf-8-sig")


def _attributes(values: dict[str, object]) -> str:
    return " ".join(f"bts:{name}={quoteattr(str(value))}" for name, value in values.items())


CELLVOYAGER_PLATE = PlateWriter("cellvoyager", _write)
