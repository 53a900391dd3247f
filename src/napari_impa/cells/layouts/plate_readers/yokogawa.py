"""What Yokogawa's microscopes write beside their images: `MeasurementData.mlf`, `MeasurementDetail.mrf` and a `.mes`.

The three are XML and are one measurement: which images there are and where the stage stood, the pixel size, and the
names of the channels. CellVoyager and CQ3K write them alike (fmi-faim/faim-ipa, fractal-uzh-converters).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.cells.layouts.planes import NAMED
from napari_impa.cells.layouts.plate_folders import Parts, folder_around
from napari_impa.cells.readers.xml_file import read_xml, xml_elements
from napari_impa.cells.wells import Well
from napari_impa.errors import SourceError, WellError

DATA, DETAIL = "measurementdata.mlf", "measurementdetail.mrf"
_WITHOUT = "then the images are read by their names alone"


@dataclass(frozen=True)
class YokogawaRecord:
    """One image of a measurement: its well, where the stage stood (x, y; µm), and whether it is made of all planes."""

    well: str
    position: tuple[float, float] | None
    projection: bool


@dataclass(frozen=True, eq=False)
class YokogawaMeasurement:
    """What the files beside one plate's images say.

    Parameters
    ----------
    images
        By the names of their files, without folders and endings (a `.mlf` says `.tif` where the files are `.png`).
    failed
        How many errors the microscope noted in which wells, in place of images.
    channels
        Names by channel number.
    pixel_size
        µm, where all channels have one.
    files
        Those that were read.
    """

    images: dict[str, YokogawaRecord] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    channels: dict[int, str] = field(default_factory=dict)
    pixel_size: float | None = None
    files: tuple[Path, ...] = ()


class YokogawaMeasurements:
    """The measurements of a folder and of those in it, each of the images beside it and in folders below.

    Raises
    ------
    SourceError
        If a file is damaged, half written, or another kind than its name says.
    """

    def __init__(self, source: SourceFiles) -> None:
        beside: defaultdict[Parts, dict[str, Path]] = defaultdict(dict)
        for file in source.beside(DATA, DETAIL, ".mes"):
            beside[source.folder(file)][file.name.lower()] = file
        self._by_folder = {folder: _measurement(files) for folder, files in beside.items()}
        self._near: dict[Parts, YokogawaMeasurement] = {}
        self._unnamed: dict[str, None] = {}

    def of(self, folder: Parts) -> YokogawaMeasurement:
        """The measurement of a folder's images; where it names no channels and others do alike, they are called so."""
        if folder not in self._near:
            around = folder_around(folder, self._by_folder)
            found = YokogawaMeasurement() if around is None else self._by_folder[around]
            agreed = self._agreed
            if agreed and not found.channels:
                found = replace(found, channels=agreed)
                self._unnamed["/".join(folder)] = None
            self._near[folder] = found
        return self._near[folder]

    @property
    def _agreed(self) -> dict[int, str]:
        """What all measurements call their channels that name them; empty where they differ."""
        named = [one.channels for one in self._by_folder.values() if one.channels]
        return named[0] if named and all(one == named[0] for one in named) else {}

    @property
    def channels(self) -> tuple[str, ...]:
        """Names in the order of their numbers."""
        names = (name for one in self._by_folder.values() for _, name in sorted(one.channels.items()))
        return tuple(dict.fromkeys(names))

    @property
    def pixel_sizes(self) -> frozenset[float]:
        """µm; more than one where measurements differ."""
        return frozenset(one.pixel_size for one in self._by_folder.values() if one.pixel_size)

    @property
    def files(self) -> dict[Path, str]:
        """The files that were read, of which nothing has to be said."""
        return {file: "" for one in self._by_folder.values() for file in one.files}

    def notes(self, source: SourceFiles, images: Iterable[Path]) -> list[str]:
        """What a user has to know: images that are listed and not there, and those that the microscope did not take."""
        there = {(folder_around(source.folder(file), self._by_folder), file.stem) for file in images}
        elsewhere = set(source.around)  # they list images of folders that were not given, too
        said: list[str] = []
        for folder, one in self._by_folder.items():
            missing = Counter(record.well for stem, record in one.images.items() if (folder, stem) not in there)
            data = source.below(one.files[0]) if one.files else ""
            if missing and not elsewhere.intersection(one.files):
                said.append(f"{data} lists {_many(missing, 'image')} that {_is(missing)} not there.")
            if one.failed:
                said.append(f"{data} notes {_many(one.failed, 'error')} of the microscope in place of an image.")
        if self._unnamed:
            said.append(
                f"No file with channel names belongs to {_some(list(self._unnamed))}; the channels are called as those "
                "of the other images (guessed)."
            )
        if len(self.pixel_sizes) > 1:
            sizes = " and ".join(f"{size:g}" for size in sorted(self.pixel_sizes))
            said.append(f"Measurements differ in pixel size ({sizes} µm), so that none is taken; read them one by one.")
        return said


def _many(wells: Counter[str], what: str) -> str:
    number = wells.total()
    return f"{number:,} {what}{'s' * (number != 1)} (in {_some(sorted(wells))})"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _is(wells: Counter[str]) -> str:
    return "is" if wells.total() == 1 else "are"


def _measurement(files: dict[str, Path]) -> YokogawaMeasurement:
    images, failed = _records(files[DATA]) if DATA in files else ({}, Counter())
    read = [files[name] for name in (DATA, DETAIL) if name in files]
    size, setting = _detail(files[DETAIL]) if DETAIL in files else (None, "")
    settings = [files[name] for name in files if name.endswith(".mes")]
    # the name in a .mrf is often that of a file which was not copied along
    named = files.get(setting.lower(), settings[0] if len(settings) == 1 and not setting else None)
    channels = {}
    if named is not None:
        channels = _channels(named)
        read.append(named)
    return YokogawaMeasurement(images, failed, channels, size, tuple(read))


def _records(path: Path) -> tuple[dict[str, YokogawaRecord], Counter[str]]:
    images: dict[str, YokogawaRecord] = {}
    failed: Counter[str] = Counter()
    for element in xml_elements(path, "MeasurementData", _WITHOUT):
        if element.tag == "MeasurementRecord":
            try:
                well = Well.at(element.get("Row", ""), element.get("Column", "")).name
            except WellError as error:
                raise SourceError(f"{path}: {error}") from None
            if element.get("Type", "IMG").upper() == "IMG" and element.text:
                name = element.text.strip().replace("\\", "/").rpartition("/")[2]
                processed = element.get("ZImageProcessing", "").strip().casefold() not in ("", "none", "raw")
                images[name.rpartition(".")[0]] = YokogawaRecord(well, _position(element), processed)
            else:
                failed[well] += 1
            element.clear()
    return images, failed


def _position(element: Element) -> tuple[float, float] | None:
    try:
        return float(element.get("X", "")), float(element.get("Y", ""))
    except ValueError:
        return None


def _detail(path: Path) -> tuple[float | None, str]:
    """Pixel size, and the name of the file with the settings."""
    detail = read_xml(path, "MeasurementDetail", _WITHOUT)
    sizes = {channel.get("HorizontalPixelDimension", "") for channel in detail.iter("MeasurementChannel")}
    try:
        size = float(*sizes) if len(sizes) == 1 else None
    except ValueError:
        size = None
    return size or None, detail.get("MeasurementSettingFileName", "")


def _channels(path: Path) -> dict[int, str]:
    """Names of the channels: their stain where somebody wrote it down, else their filter; told apart by number."""
    names: dict[int, str] = {}
    for listed in read_xml(path, "MeasurementSetting", _WITHOUT).iter("ChannelList"):
        for channel in listed.iter("Channel"):
            name = (channel.get("Target") or "").strip() or (channel.get("Acquisition") or "").strip()
            number = channel.get("Ch", "")
            if name and number.isdecimal():
                names.setdefault(int(number), name)
    often = Counter(names.values())
    return {number: f"{name} ({number})" if often[name] > 1 else name for number, name in names.items()}
