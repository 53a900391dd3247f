"""A plate as ScanR writes it: images under `data`, and `metadata.ome.xml` that says which is what."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from xml.sax.saxutils import quoteattr

import tifffile

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, WrittenPlane, uint16

_PITCH = 300.0  # µm between sites


def _write(folder: Path, plate: PlateImages) -> None:
    own = folder / plate.name / "data"
    own.mkdir(parents=True)
    fields: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for plane in plate.planes():
        number = plate.number(plane.well)
        name = _name(plate, plane, number)
        tifffile.imwrite(own / name, uint16(plane.pixels), metadata=None)
        fields[number, plane.site].append(
            f'<TiffData FirstC="{plane.channel - 1}" FirstZ="{plane.z - 1}" FirstT="{plane.time - 1}" IFD="0" '
            f'PlaneCount="1"><UUID FileName={quoteattr(name)}>urn:uuid:0</UUID></TiffData>'
        )
    channels = "".join(
        f'<Channel ID="Channel:{number}" Name={quoteattr(name)}/>' for number, name in enumerate(plate.channels)
    )
    size = f'PhysicalSizeX="{plate.pixel_size}" PhysicalSizeY="{plate.pixel_size}"'
    images = "".join(
        f'<Image ID="Image:W{number}P{site}" Name="W{number}P{site}"><Pixels ID="Pixels:W{number}P{site}" {size}>'
        f'{channels}{"".join(data)}<Plane TheC="0" TheZ="0" TheT="0" PositionX="{site * _PITCH}" '
        f'PositionXUnit="µm" PositionY="0" PositionYUnit="µm"/></Pixels></Image>'
        for (number, site), data in fields.items()
    )
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    (own / "metadata.ome.xml").write_text(f"{text}{images}</OME>\n", encoding="utf-8")


def _name(plate: PlateImages, plane: WrittenPlane, number: int) -> str:
    well = f"{plane.well.name[0]}{plane.well.column + 1}"
    channel = plate.channels[plane.channel - 1]
    return f"{well}--W{number:05d}--P{plane.site:05d}--Z{plane.z - 1:05d}--T{plane.time - 1:05d}--{channel}.tif"


SCANR_PLATE = PlateWriter("scanr", _write)
