"""CellVoyager CV7000 and CV8000: `Plate_D08_T0001F001L01A01Z01C01.tif`, with Yokogawa's files beside them or without.

Names as fmi-faim/faim-ipa and fractal-uzh-converters read them; L is the timeline and A the action of a channel.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PROJECTION, PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import folders_of_several, plate_names
from napari_impa.cells.layouts.plate_readers.yokogawa import DATA, YokogawaMeasurements
from napari_impa.cells.wells import well_name

_NAME = re.compile(
    r"(?:(?P<plate>.+)_)?(?P<well>[A-Z]\d{2}|A[A-F]\d{2})_T(?P<time>\d+)F(?P<site>\d+)L\d+A\d+Z(?P<z>\d+)C(?P<channel>\d+)"
    r"\.(?:tiff?|png)",
    re.IGNORECASE,
)
_CORRECTION = re.compile(r"(DC|SC)_.*\.(?:tiff?|png)", re.IGNORECASE)
_CORRECTIONS = {"DC": "a dark frame of the camera (DC_)", "SC": "an image for shading correction (SC_)"}


def _fits(source: SourceFiles) -> Fit:
    if source.share(_NAME.fullmatch) < 0.5:
        return Fit.NO
    return Fit.DESCRIBED if source.beside(DATA) else Fit.NAMES


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    named = [(file, found) for file in source.images if (found := _NAME.fullmatch(file.name))]
    plate_of = plate_names(source, choice, [file for file, _ in named])
    several = folders_of_several(source, ((file, found["plate"] or "", found["well"]) for file, found in named))
    measurements = YokogawaMeasurements(source)
    planes: list[PlaneFile] = []
    sites: dict[tuple[str, str, int | str], dict[str, object]] = {}
    for file, found in named:
        folder = source.folder(file)
        plate = plate_of(file)
        if found["plate"] and (folder in several or _is_dated(plate, found["plate"])):
            plate = found["plate"]
        well, site, number = well_name(found["well"]), int(found["site"]), int(found["channel"])
        measurement = measurements.of(folder)
        record = measurement.images.get(file.stem)
        z = PROJECTION if record and record.projection else int(found["z"])
        channel = measurement.channels.get(number, str(number))
        planes.append(PlaneFile(file, channel, plate, well, site, z, int(found["time"])))
        if record and record.position:
            x, y = record.position
            sites.setdefault((plate, well, site), {"position_x_um": x, "position_y_um": y})
    planes, timelines = _counted_anew(planes)
    corrections = ((file, _CORRECTION.fullmatch(file.name)) for file in source.images)
    skipped = {file: _CORRECTIONS[found[1].upper()] for file, found in corrections if found} | measurements.files
    sizes = measurements.pixel_sizes
    return plate_listing(source, CELLVOYAGER.title, PlatePlanes(
        planes, measurements.channels, min(sizes) if len(sizes) == 1 else None, sites, skipped,
        (*measurements.notes(source, (file for file, _ in named)), *timelines), plates_by_folder=not several,
    ), choice)  # fmt: skip


def _is_dated(folder: str, plate: str) -> bool:
    """Whether a folder is called by the date and time of a plate's measurement: `20210614T091326_BR1`."""
    return re.fullmatch(rf"\d{{8}}([T_]?\d{{4,6}})?[-_ ]{re.escape(plate)}", folder, re.IGNORECASE) is not None


def _counted_anew(planes: list[PlaneFile]) -> tuple[list[PlaneFile], tuple[str, ...]]:
    """Times counted from 1 in each well where wells were imaged in timelines of their own.

    The microscope counts on from one timeline to the next, so that the first time of a later well is no 1.
    """
    times: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for plane in planes:
        times[plane.plate, plane.well].add(plane.time)
    if set.intersection(*times.values()) if times else True:
        return planes, ()
    order = {key: {time: number for number, time in enumerate(sorted(of_well), 1)} for key, of_well in times.items()}
    counted = [replace(plane, time=order[plane.plate, plane.well][plane.time]) for plane in planes]
    return counted, ("Wells were imaged in timelines of their own; times are counted from 1 in each well.",)


CELLVOYAGER = FolderLayout("cellvoyager", "CellVoyager", _fits, _entries)
