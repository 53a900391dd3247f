"""Opera Phenix and Operetta: `r01c02f03p04-ch1sk1fk1fl1.tiff`, with Harmony's index beside them or by names alone."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.illumination import FlatField, HarmonyProfile, NoFunction
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile, PlateField
from napari_impa.cells.layouts.plate_folders import Parts, are_conditions, plate_names
from napari_impa.cells.layouts.plate_readers.harmony_index import INDEX_NAMES, is_index, read_index
from napari_impa.cells.wells import Well

_NAME = re.compile(
    r"r(?P<row>\d{2})c(?P<column>\d{2})f(?P<field>\d+)p(?P<plane>\d+)-ch(?P<channel>\d+)sk(?P<time>\d+)"
    r"(?:fk\d+fl(?P<flim>\d+))?\.tiff?",
    re.IGNORECASE,
)
_DATED = re.compile(r"__\d{4}-\d{2}-\d{2}T.*$")
_MEASUREMENT = re.compile(r"Measurement[ _]?(\d+)", re.IGNORECASE)


def _fits(source: SourceFiles) -> Fit:
    named = source.share(_NAME.fullmatch) >= 0.5
    if any(map(is_index, source.beside(*INDEX_NAMES))):
        return Fit.DESCRIBED
    return Fit.NAMES if named else Fit.NO


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    indexes = {source.folder(file): file for file in source.beside(*INDEX_NAMES) if is_index(file)}
    images: defaultdict[Parts, dict[str, Path]] = defaultdict(dict)
    for file in source.images:
        images[source.folder(file)][file.name.lower()] = file
    found = _Found(source, choice)
    for folder, index in indexes.items():
        found.read_by_index(index, folder, images.pop(folder, {}))
    found.read_by_names([file for files in images.values() for file in files.values()])
    by_folder = found.folders_name_plates
    sizes = set(found.pixel_sizes)
    listing = plate_listing(source, PHENIX.title, PlatePlanes(
        found.planes, tuple(found.channels), min(sizes) if len(sizes) == 1 else None, found.sites, found.skipped,
        tuple(found.notes), by_folder,
    ), choice)  # fmt: skip
    return replace(listing, flat_fields=found.flat_fields(listing))


class _Found:
    """What is gathered of the plates of a folder, some with an index and some without."""

    def __init__(self, source: SourceFiles, choice: LayoutChoice) -> None:
        self.source, self.choice = source, choice
        self.planes: list[PlaneFile] = []
        self.channels: dict[str, None] = {}
        self.pixel_sizes: list[float] = []
        self.sites: dict[tuple[str, str, int | str], dict[str, float]] = {}
        self.skipped: dict[Path, str] = {}
        self.notes: list[str] = []
        self.profiles: dict[tuple[str, str], HarmonyProfile] = {}
        self.folders_name_plates = False

    def read_by_index(self, path: Path, folder: Parts, files: dict[str, Path]) -> None:
        """The plate of one index, which lies beside its images."""
        index = read_index(path)
        self.skipped[path] = ""
        names = index.named_channels()
        self.channels |= dict.fromkeys(names.values())
        self.pixel_sizes += index.pixel_sizes.values()
        conditions = are_conditions(self.source, self.choice, files.values())
        plate = "" if conditions else index.plate or self.source.root.resolve().name
        acquisition = _measurement(self.source, folder)
        self.profiles |= {(plate, names[number]): one for number, one in index.profiles.items() if number in names}
        missing = 0
        for image in index.images:
            file = files.pop(image.file.replace("\\", "/").rpartition("/")[2].lower(), None)
            if file is None:
                missing += 1
            elif image.state.casefold() != "ok":
                self.skipped[file] = f"called {image.state} by Harmony"
            else:
                named = _NAME.fullmatch(file.name)  # the numbers that a user sees; an index may count times from 0
                time = int(named["time"]) if named else image.time
                well = Well.at(image.row, image.column).name
                channel = names[image.channel]
                site = image.field
                self.planes.append(PlaneFile(file, channel, plate, well, site, image.plane, time, acquisition))
                if image.position is not None:
                    x, y = image.position
                    self.sites.setdefault((plate, well, site), {"position_x_um": x, "position_y_um": y})
        if missing:
            self.notes.append(
                f"{self.source.below(path)} names {missing:,} of {len(index.images):,} images that are not there."
            )
        self.skipped |= dict.fromkeys(files.values(), f"not in {path.name}")

    def flat_fields(self, listing: Listing) -> dict[str, list[tuple[FlatField, ...]]]:
        """The profiles of each field's channels, where an index has any."""
        if not self.profiles:
            return {}
        functions: list[tuple[FlatField, ...]] = []
        for entry in listing.entries:
            assert isinstance(entry, PlateField)
            planes = [stack[0] for stack in entry.planes]
            functions.append(tuple(
                self.profiles.get((plane.plate, plane.channel))
                or NoFunction(f"The index of {plane.plate} has no illumination profile of channel {plane.channel}.")
                for plane in planes
            ))  # fmt: skip
        return {"profiles": functions}

    def read_by_names(self, files: list[Path]) -> None:
        """Plates without an index, called after their folders."""
        named = [(file, found) for file in files if (found := _NAME.fullmatch(file.name))]
        if not named:
            return
        plate_of = plate_names(self.source, self.choice, [file for file, _ in named], r"Images")
        plates: dict[str, None] = {}
        for file, found in named:
            if int(found["flim"] or 1) > 1:
                self.skipped[file] = "a further image of fluorescence lifetimes"
                continue
            plate = _DATED.sub("", plate_of(file))
            plates[plate] = None
            well = Well.at(found["row"], found["column"]).name
            acquisition = _measurement(self.source, self.source.folder(file))
            self.planes.append(PlaneFile(
                file, str(int(found["channel"])), plate, well, int(found["field"]), int(found["plane"]),
                int(found["time"]), acquisition,
            ))  # fmt: skip
        self.folders_name_plates = len(plates) > 1


def _measurement(source: SourceFiles, folder: Parts) -> str:
    """Which measurement of its plate a folder is, by its name or that of the folder given."""
    path = "/".join(source.root.resolve().joinpath(*folder).parts[-2:])
    found = _MEASUREMENT.search(path)
    return f"Measurement{found[1]}" if found else ""


PHENIX = FolderLayout("phenix", "Opera Phenix or Operetta", _fits, _entries)
