"""A plate as InCell Analyzer writes it: wells and wavelengths in the names, and a `.xdce` with the rest."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import quoteattr

import tifffile

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, WrittenPlane, uint16
from napari_impa.cells.wells import row_letters

_PITCH = 300.0  # µm between sites
_INTERVAL = 3_600_000  # ms between times


def _write(folder: Path, plate: PlateImages) -> None:
    own = folder / plate.name
    own.mkdir(parents=True)
    images = []
    for plane in plate.planes():
        name = _name(plate, plane)
        tifffile.imwrite(own / name, uint16(plane.pixels), metadata=None)
        images.append(
            f'<Image filename={quoteattr(name)}><Well label="{row_letters(plane.well.row)} - {plane.well.column + 1}"/>'
            f'<Identifier field_index="{plane.site - 1}" z_index="{plane.z - 1}" time_index="{plane.time - 1}" '
            f'wave_index="{plane.channel - 1}"/></Image>'
        )
    points = "".join(f'<offset_point index="{site}" x="{site * _PITCH}" y="0.0"/>' for site in range(plate.sites))
    size = plate.pixel_size
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ImageStack><AutoLeadAcquisitionProtocol><ObjectiveCalibration '
        f'magnification="20.0" pixel_width="{size}" pixel_height="{size}"/><Plate rows="8" columns="12"/>'
        f"<PlateMap><PointList>{points}</PointList></PlateMap></AutoLeadAcquisitionProtocol>"
        f'<Images number="{len(images)}">{"".join(images)}</Images></ImageStack>\n'
    )
    (own / f"{plate.name}.xdce").write_text(text, encoding="utf-8")


def _name(plate: PlateImages, plane: WrittenPlane) -> str:
    channel = plate.channels[plane.channel - 1]
    z = f" z {plane.z}" if plate.z_planes > 1 else ""
    time = f" - time {plane.time} - {(plane.time - 1) * _INTERVAL} ms" if plate.times > 1 else ""
    well = f"{row_letters(plane.well.row)} - {plane.well.column + 1:02d}"
    return f"{well}(fld {plane.site} wv {channel} - {channel}{z}{time}).tif"


INCELL_PLATE = PlateWriter("incell", _write)
