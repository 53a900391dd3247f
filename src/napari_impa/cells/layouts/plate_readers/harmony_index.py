"""The index that Harmony writes beside the images of an Opera Phenix or Operetta: `Index.idx.xml`, or `Index.xml`.

In Harmony's V1 and V5 a channel's name and pixel size stand with every image, in V7 once a channel, under `Maps`
(broadinstitute/pe2loaddata has one of each among its tests). Of the namespace nothing is asked, so that a later one
reads as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from napari_impa.cells.illumination import HarmonyProfile
from napari_impa.cells.readers.xml_file import xml_elements
from napari_impa.errors import SourceError

INDEX_NAMES = ("index.idx.xml", "index.xml")
_METRES = 1e6  # µm


@dataclass(frozen=True)
class HarmonyImage:
    """One image of an index: its file's name, its place and its channel's number; (x, y) of its field in µm."""

    file: str
    row: int
    column: int
    field: int
    plane: int
    time: int
    channel: int
    state: str = "Ok"
    position: tuple[float, float] | None = None


@dataclass
class HarmonyIndex:
    """What an index says of its plate.

    Parameters
    ----------
    plate
        The plate's barcode.
    images
        In the order of the file.
    channels
        Names by channel number.
    pixel_sizes
        µm by channel number.
    profiles
        Of the illumination, by channel number.
    """

    plate: str = ""
    images: list[HarmonyImage] = field(default_factory=list)
    channels: dict[int, str] = field(default_factory=dict)
    pixel_sizes: dict[int, float] = field(default_factory=dict)
    profiles: dict[int, HarmonyProfile] = field(default_factory=dict)

    def named_channels(self) -> dict[int, str]:
        """Names by channel number, in order, told apart where two channels have one name."""
        numbers = sorted({image.channel for image in self.images} | self.channels.keys())
        names = {number: self.channels.get(number) or str(number) for number in numbers}
        twice = {name for name in names.values() if list(names.values()).count(name) > 1}
        return {number: f"{name} ({number})" if name in twice else name for number, name in names.items()}


def is_index(path: Path) -> bool:
    """Whether a file is such an index, by its first bytes."""
    with open(path, "rb") as file:
        return b"Harmony" in file.read(2000)


def read_index(path: Path) -> HarmonyIndex:
    """Read an index, image by image, so that one of a hundred megabytes takes little memory.

    Raises
    ------
    SourceError
        If the file is cut short or holds something else.
    """
    found = HarmonyIndex()
    try:
        for element in xml_elements(path, "EvaluationInputData", "then the plate is read by the names of its files"):
            tag = element.tag
            if tag == "Plate":
                found.plate = _text(element, "PlateID") or _text(element, "Name")
            elif tag == "Entry":
                number = int(element.get("ChannelID", "0"))
                _read_channel(found, number, element)
                profile = HarmonyProfile.of(_text(element, "FlatfieldProfile"))
                if profile is not None:
                    found.profiles.setdefault(number, profile)
            elif tag == "Image" and len(element):
                image = _image(element)
                found.images.append(image)
                _read_channel(found, image.channel, element)
            elif tag not in ("Images", "EvaluationInputData"):
                continue
            element.clear()
    except ValueError as error:
        raise SourceError(
            f"{path} is no whole index of Harmony ({error}); restore it, or remove it, so that the plate is read by "
            "the names of its files."
        ) from error
    return found


def _image(element: Element) -> HarmonyImage:
    of = {child.tag: child for child in element}

    def number(name: str, other: int = 1) -> int:
        return int(of[name].text or other) if name in of else other

    position = None
    if "PositionX" in of and "PositionY" in of:
        position = _micrometres(of["PositionX"]), _micrometres(of["PositionY"])
    file = (of["URL"].text or "").strip() if "URL" in of else ""
    state = (of["State"].text or "").strip() if "State" in of else "Ok"
    return HarmonyImage(
        file, number("Row"), number("Col"), number("FieldID"), number("PlaneID"), number("TimepointID"),
        number("ChannelID"), state, position,
    )  # fmt: skip


def _read_channel(found: HarmonyIndex, number: int, element: Element) -> None:
    if number not in found.channels and (name := _text(element, "ChannelName")):
        found.channels[number] = name
    if number not in found.pixel_sizes:
        size = element.find("ImageResolutionX")
        if size is not None and size.text:
            found.pixel_sizes[number] = _micrometres(size)


def _micrometres(element: Element) -> float:
    scale = {"m": _METRES, "mm": 1e3, "um": 1.0, "µm": 1.0}.get(element.get("Unit", "m"), _METRES)
    return float(f"{float(element.text or 0) * scale:.6g}")


def _text(element: Element, name: str) -> str:
    child = element.find(name)
    return "" if child is None or child.text is None else child.text.strip()
