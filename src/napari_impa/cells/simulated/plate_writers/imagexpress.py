"""A plate as ImageXpress Micro writes it: MetaSeries TIFF files, their thumbnails, an HTD file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import tifffile

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, uint16


def _write(folder: Path, plate: PlateImages) -> None:
    own = folder / plate.name
    for plane in plate.planes():
        here = own / f"TimePoint_{plane.time}"
        if plate.z_planes > 1:
            here = here / f"ZStep_{plane.z}"
        here.mkdir(parents=True, exist_ok=True)
        site = f"_s{plane.site}" if plate.sites > 1 else ""
        channel = f"_w{plane.channel}" if len(plate.channels) > 1 else ""
        stem = f"{plate.name}_{plane.well.name}{site}{channel}"
        about = metaseries(plate, plane.channel, f"{plane.well.name[0]} - {plane.well.name[1:]}")
        pixels = uint16(plane.pixels)
        tifffile.imwrite(here / f"{stem}.TIF", pixels, description=about, software="MetaSeries", metadata=None)
        if plane.site == plane.time == plane.z == 1:
            tifffile.imwrite(here / f"{stem}_thumb.TIF", pixels[::4, ::4], metadata=None)
    (own / f"{plate.name}.HTD").write_text("\r\n".join(_htd(plate)) + "\r\n", encoding="latin-1")


def metaseries(plate: PlateImages, channel: int, stage: str) -> str:
    """What the microscope writes into a TIFF file's description."""
    values: Iterable[tuple[str, str, Any]] = (
        ("spatial-calibration-state", "bool", "on"),
        ("spatial-calibration-x", "float", plate.pixel_size),
        ("spatial-calibration-y", "float", plate.pixel_size),
        ("spatial-calibration-units", "string", "um"),
        ("stage-label", "string", stage),
        ("_IllumSetting_", "string", plate.channels[channel - 1]),
    )
    lines = (f'<prop id="{name}" type="{kind}" value={quoteattr(str(value))}/>' for name, kind, value in values)
    return f"<MetaData><PlaneInfo>{''.join(lines)}</PlaneInfo></MetaData>"


def _htd(plate: PlateImages) -> list[str]:
    lines = ['"HTSInfoFile", Version 1.0', f'"Description", "{plate.name}"', f'"TimePoints", {plate.times}']
    lines += [f'"ZSteps", {plate.z_planes}', '"Waves", TRUE', f'"NWavelengths", {len(plate.channels)}']
    for number, name in enumerate(plate.channels, 1):
        lines += [f'"WaveName{number}", "{name}"', f'"WaveCollect{number}", 1']
    return [*lines, '"EndFile"']


IMAGEXPRESS_PLATE = PlateWriter("imagexpress", _write)
