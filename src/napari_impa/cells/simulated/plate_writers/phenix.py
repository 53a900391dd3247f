"""A plate as Harmony exports it from an Opera Phenix or Operetta, with the index of V5 or of V7."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import tifffile

from napari_impa.cells.simulated.plate_writers.plate_writer import PlateImages, PlateWriter, WrittenPlane, uint16

_NAMESPACES = {
    "V5": "http://www.perkinelmer.com/PEHH/HarmonyV5",
    "V7": "43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7",
}


def write_phenix(folder: Path, plate: PlateImages, version: Literal["V5", "V7"] = "V5") -> None:
    """Write a plate; the older index says everything with every image, the newer once a channel."""
    own = folder / f"{plate.name}__2021-05-02T16_02_51-Measurement1" / "Images"
    own.mkdir(parents=True)
    images = []
    for plane in plate.planes():
        name = (
            f"r{plane.well.row + 1:02d}c{plane.well.column + 1:02d}f{plane.site:02d}p{plane.z:02d}"
            f"-ch{plane.channel}sk{plane.time}fk1fl1.tiff"
        )
        tifffile.imwrite(own / name, uint16(plane.pixels), metadata=None)
        images.append("".join(_image(plate, plane, name, version)))
    wells = "".join(f'<Well id="{well.row + 1:02d}{well.column + 1:02d}" />' for well in plate.wells)
    channels = "".join(
        f'<Entry ChannelID="{number}">{_of_channel(plate, name) if version == "V7" else ""}</Entry>'
        for number, name in enumerate(plate.channels, 1)
    )
    index = (
        f'<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData xmlns="{_NAMESPACES[version]}" Version="1">'
        f"<Plates><Plate><PlateID>{plate.name}</PlateID><Name>{plate.name}</Name>{wells}</Plate></Plates>"
        f"<Maps><Map>{channels}</Map></Maps><Images>{''.join(images)}</Images></EvaluationInputData>\n"
    )
    (own / ("Index.idx.xml" if version == "V5" else "Index.xml")).write_text(index, encoding="utf-8")


def _image(plate: PlateImages, plane: WrittenPlane, name: str, version: str) -> Iterator[str]:
    yield f'<Image Version="1"><id>{name[:6]}</id><State>Ok</State><URL>{name}</URL>'
    values = {
        "Row": plane.well.row + 1,
        "Col": plane.well.column + 1,
        "FieldID": plane.site,
        "PlaneID": plane.z,
        "TimepointID": plane.time - (version == "V5"),
        "ChannelID": plane.channel,
    }
    yield from (f"<{tag}>{value}</{tag}>" for tag, value in values.items())
    if version == "V5":
        yield _of_channel(plate, plate.channels[plane.channel - 1])
    yield f'<PositionX Unit="m">{plane.site * 1e-4:g}</PositionX><PositionY Unit="m">0</PositionY></Image>'


def _of_channel(plate: PlateImages, name: str) -> str:
    size = f'<ImageResolutionX Unit="m">{plate.pixel_size * 1e-6:.9g}</ImageResolutionX>'
    return f"<ChannelName>{escape(name)}</ChannelName>{size}"


PHENIX_PLATE = PlateWriter("phenix", write_phenix)
