"""OME-XML that stands beside the images it describes: which file is which plane, of which well and where.

ScanR writes it as `metadata.ome.xml`, CQ1 and CQ3K as `MeasurementResult.ome.xml` or under the measurement's number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.cells.layouts.planes import NAMED, not_there
from napari_impa.cells.layouts.plate_folders import Parts, folder_around
from napari_impa.cells.readers.xml_file import xml_elements
from napari_impa.cells.wells import Well
from napari_impa.errors import SourceError

_MICROMETRES = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3}


class OmePlane(NamedTuple):
    """One plane: the name of its file, without folders, and its numbers from 0."""

    file: str
    channel: int
    z: int
    time: int


@dataclass(frozen=True)
class OmeField:
    """One image of OME, which is a field of a plate.

    Parameters
    ----------
    name
        Its name and its ID, in which microscopes write well and field.
    well
        Where the file says of which well it is.
    channels
        Names; empty ones where it says none.
    pixel_size, position
        µm; None where it does not say.
    """

    name: str
    well: str
    channels: tuple[str, ...]
    pixel_size: float | None
    position: tuple[float, float] | None
    planes: tuple[OmePlane, ...]


class OmeDescriptions:
    """The OME-XML files of a folder, each of the images beside it and in folders below.

    Parameters
    ----------
    files
        The OME-XML files; of two that name one image the first counts.
    without
        As for `xml_file.xml_elements`.

    Raises
    ------
    SourceError
        If one is damaged, half written, no OME-XML, or says that a file holds several planes.
    """

    def __init__(self, source: SourceFiles, files: Iterable[Path], without: str) -> None:
        self._source = source
        self._by_folder: dict[Parts, dict[str, tuple[OmeField, OmePlane]]] = {}
        self._near: dict[Parts, dict[str, tuple[OmeField, OmePlane]]] = {}
        self.files: dict[Path, str] = {}
        self.pixel_sizes: set[float] = set()
        for file in files:
            fields = read_ome(file, without)
            self.files[file] = ""
            self.pixel_sizes |= {field.pixel_size for field in fields if field.pixel_size}
            named: dict[str, tuple[OmeField, OmePlane]] = {}
            for field in fields:
                for plane in field.planes:
                    if named.setdefault(_key(plane.file), (field, plane))[1] is not plane:
                        raise SourceError(f"{file} says that {plane.file} holds several planes; save one plane a file.")
            self._by_folder[source.folder(file)] = named | self._by_folder.get(source.folder(file), {})

    def of(self, file: Path) -> tuple[OmeField, OmePlane] | None:
        """What is said of an image; None where nothing is."""
        folder = self._source.folder(file)
        if folder not in self._near:
            around = folder_around(folder, self._by_folder)
            self._near[folder] = {} if around is None else self._by_folder[around]
        return self._near[folder].get(_key(file.name))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names in the order in which they are described."""
        fields = (field for named in self._by_folder.values() for field, _ in named.values())
        return tuple(dict.fromkeys(name for field in fields for name in field.channels if name))

    def notes(self, images: Iterable[Path]) -> tuple[str, ...]:
        """What a user has to know: images that are described and not there, where they would be below the source."""
        if set(self._source.around).intersection(self.files):
            return ()
        there = {(folder_around(self._source.folder(file), self._by_folder), _key(file.name)) for file in images}
        named = ((folder, name) for folder, names in self._by_folder.items() for name in names)
        files = ", ".join(map(self._source.below, list(self.files)[:NAMED]))
        return not_there(files, sum(one not in there for one in named))


def read_ome(path: Path, without: str) -> list[OmeField]:
    """Read the images that an OME-XML file describes.

    Parameters
    ----------
    without
        As for `xml_file.xml_elements`.

    Raises
    ------
    SourceError
        If it is damaged, half written, or no OME-XML.
    """
    fields: dict[str, OmeField] = {}
    wells: dict[str, str] = {}
    try:
        for element in xml_elements(path, "OME", without):
            if element.tag == "Image":
                fields[element.get("ID", str(len(fields)))] = _field(element)
                element.clear()
            elif element.tag == "Well":
                well = Well(int(element.get("Row", "0")), int(element.get("Column", "0"))).name
                wells |= {reference.get("ID", ""): well for reference in element.iter("ImageRef")}
    except ValueError as error:
        raise SourceError(
            f"{path} has something else where a number belongs ({error}); restore it ({without})."
        ) from None
    return [replace(one, well=wells.get(key, "")) for key, one in fields.items()]


def _field(image: Element) -> OmeField:
    name = f"{image.get('Name', '')} {image.get('ID', '')}".strip()
    pixels = image.find("Pixels")
    if pixels is None:
        return OmeField(name, "", (), None, None, ())
    planes = []
    for data in pixels.iter("TiffData"):
        file = data.find("UUID")
        if file is not None and (written := file.get("FileName")):
            numbers = (int(data.get(f"First{axis}", "0")) for axis in "CZT")
            planes.append(OmePlane(written.replace("\\", "/").rpartition("/")[2], *numbers))
    channels = tuple((one.get("Name") or one.get("Fluor") or "").strip() for one in pixels.iter("Channel"))
    size = _length(pixels.attrib, "PhysicalSizeX", "µm")
    plane = pixels.find("Plane")
    of_plane: Mapping[str, str] = {} if plane is None else plane.attrib
    x, y = (_length(of_plane, f"Position{axis}", "") for axis in "XY")  # without a unit they are no lengths
    return OmeField(name, "", channels, size or None, None if x is None or y is None else (x, y), tuple(planes))


def _length(values: Mapping[str, str], name: str, usual: str) -> float | None:
    """µm."""
    scale = _MICROMETRES.get(values.get(f"{name}Unit", usual))
    return float(f"{float(values[name]) * scale:.6g}") if scale and name in values else None


def _key(name: str) -> str:
    return name.rpartition(".")[0].lower()
