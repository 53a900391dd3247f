"""OME-TIFF files of which each describes a whole set of files."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import tifffile

from napari_impa.cells.layouts import list_source
from napari_impa.cells.readers import probe_image, read_image
from napari_impa.cells.source import open_source

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def description(own: str, images: list[tuple[list[str], list[tuple[int, str, str, int]]]]) -> bytes:
    """OME-XML of images, each with channel names and planes (channel, file, id, page)."""
    parts = []
    for number, (names, planes) in enumerate(images):
        channels = "".join(f'<Channel ID="Channel:{number}:{i}" Name="{name}"/>' for i, name in enumerate(names))
        data = "".join(
            f'<TiffData FirstC="{channel}" FirstT="0" FirstZ="0" IFD="{page}" PlaneCount="1">'
            f'<UUID FileName="{file}">{one}</UUID></TiffData>'
            for channel, file, one, page in planes
        )
        parts.append(
            f'<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" Type="uint16" SizeX="7" '
            f'SizeY="5" SizeC="{len(names)}" SizeZ="1" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeXUnit="µm">'
            f"{channels}{data}</Pixels></Image>"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{NAMESPACE}" UUID="{own}">{"".join(parts)}</OME>'.encode()
    )


def write(path: Path, planes: list[int], about: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path) as file:
        for number, value in enumerate(planes):
            pixels = np.full((5, 7), value, np.uint16)
            file.write(pixels, description=about if not number else None, metadata=None, photometric="minisblack")


def test_one_file_a_position(tmp_path: Path) -> None:
    """As Micro-Manager writes them."""
    names, ids = [f"exp_MMStack_A{p}-Site_0.ome.tif" for p in (1, 2)], [f"urn:uuid:{uuid.uuid4()}" for _ in range(2)]
    images = [(["DAPI", "GFP"], [(c, names[p], ids[p], c) for c in (0, 1)]) for p in (0, 1)]
    for p in (0, 1):
        write(tmp_path / names[p], [10 * p + 1, 10 * p + 2], description(ids[p], images))
    source = open_source(tmp_path, kind="fields")
    assert source.layout.startswith("Micro-Manager")
    assert source.channels == ("DAPI", "GFP")
    assert source.pixel_size == 0.5
    assert source.table["well"].tolist() == ["A01", "A02"]
    assert [source.image(row).pixels[:, 0, 0].tolist() for row in (0, 1)] == [[1, 2], [11, 12]]


def test_one_file_a_channel(tmp_path: Path) -> None:
    ids = [f"urn:uuid:{uuid.uuid4()}" for _ in range(2)]
    names = ["s0_w1.ome.tif", "s0_w2.ome.tif"]
    images = [(["DAPI", "actin"], [(c, names[c], ids[c], 0) for c in (0, 1)])]
    for c in (0, 1):
        write(tmp_path / "DMSO" / names[c], [c + 5], description(ids[c], images))
    assert read_image(tmp_path / "DMSO" / names[1]).channels == ("actin",)
    listing = list_source(tmp_path)
    assert [len(entry.files) for entry in listing.entries] == [2]
    image = listing.entries[0].image()
    assert image.pixels[:, 0, 0].tolist() == [5, 6]
    assert image.channels == ("DAPI", "actin")


def test_a_file_that_was_renamed_is_itself(tmp_path: Path) -> None:
    own = f"urn:uuid:{uuid.uuid4()}"
    images = [(["DAPI", "GFP"], [(c, "before.ome.tif", own, c) for c in (0, 1)])]
    write(tmp_path / "after.ome.tif", [3, 4], description(own, images))
    assert probe_image(tmp_path / "after.ome.tif").channels == ("DAPI", "GFP")
    assert read_image(tmp_path / "after.ome.tif").pixels[:, 0, 0].tolist() == [3, 4]
