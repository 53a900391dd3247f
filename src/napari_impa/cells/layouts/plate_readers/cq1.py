"""CellVoyager CQ1 and CQ3K: `Image/W0001F0001T0001Z001C1.tif`, wells by number, and projections under `Projection/`.

Which well a number is stands in Yokogawa's `MeasurementData.mlf` or in an OME-XML file; where neither lies beside the
images, wells are counted along the rows (fractal-uzh-converters; CQ1 names as several public scripts read them).
"""

from __future__ import annotations

import re

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.numbered_wells import wells_by_number
from napari_impa.cells.layouts.planes import PROJECTION, PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import plate_names
from napari_impa.cells.layouts.plate_readers.ome_description import OmeDescriptions, OmeField
from napari_impa.cells.layouts.plate_readers.yokogawa import DATA, YokogawaMeasurements, YokogawaRecord
from napari_impa.cells.wells import Well

_NAME = re.compile(
    r"W(?P<well>\d{4})F(?P<site>\d{4})T(?P<time>\d{4})Z(?P<z>\d{3})C(?P<channel>\d+)\.(?:tiff?|png)", re.IGNORECASE
)
_OME = ".ome.xml"
_OF_PROJECTIONS = re.compile(r"_?(MIP|SUM)\.ome\.xml$", re.IGNORECASE)
_OME_WELL = re.compile(r"W\d+\(R(\d+)C(\d+)\)", re.IGNORECASE)
_WITHOUT = "then the images are read by their names alone"


def _fits(source: SourceFiles) -> Fit:
    if source.share(_NAME.fullmatch) < 0.5:
        return Fit.NO
    return Fit.DESCRIBED if source.beside(DATA, _OME) else Fit.NAMES


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    named = [(file, found) for file in source.images if (found := _NAME.fullmatch(file.name))]
    files = [file for file, _ in named]
    plate_of = plate_names(source, choice, files, r"Images?|Projections?")
    measurements = YokogawaMeasurements(source)
    written = sorted(source.beside(_OME), key=lambda file: _OF_PROJECTIONS.search(file.name) is not None)
    described = OmeDescriptions(source, written, _WITHOUT)
    records = {file: measurements.of(source.folder(file)).images.get(file.stem) for file in files}
    told = {file: said[0] if (said := described.of(file)) else None for file in files}
    wells = {file: _well(records[file], told[file]) for file in files}
    numbered = {(plate_of(file), found["well"]): wells[file] for file, found in named if wells[file]}
    for file, found in named:  # a projection is not among the records, but its number is
        wells[file] = wells[file] or numbered.get((plate_of(file), found["well"]), "")
    by_number, guessed = wells_by_number((int(m["well"]) for file, m in named if not wells[file]), choice, CQ1.title)
    planes: list[PlaneFile] = []
    sites: dict[tuple[str, str, int | str], dict[str, object]] = {}
    for file, found in named:
        folder, number = source.folder(file), int(found["channel"])
        record, field, site = records[file], told[file], int(found["site"])
        plate, well = plate_of(file), wells[file] or by_number[int(found["well"])]
        channel = measurements.of(folder).channels.get(number) or _channel(field, number) or str(number)
        projected = (folder or (file.parent.name,))[-1].lower().startswith("projection")
        z = PROJECTION if projected else int(found["z"])
        planes.append(PlaneFile(file, channel, plate, well, site, z, int(found["time"])))
        position = record.position if record else field.position if field else None
        if position:
            sites.setdefault((plate, well, site), {"position_x_um": position[0], "position_y_um": position[1]})
    sizes = measurements.pixel_sizes or described.pixel_sizes
    notes = [*measurements.notes(source, files), *described.notes(files), *([guessed] if guessed else [])]
    return plate_listing(source, CQ1.title, PlatePlanes(
        planes, measurements.channels, min(sizes) if len(sizes) == 1 else None, sites,
        measurements.files | described.files, tuple(notes), plates_by_folder=True,
    ), choice)  # fmt: skip


def _well(record: YokogawaRecord | None, field: OmeField | None) -> str:
    """The well that files beside the images say."""
    if record is not None:
        return record.well
    if field is None:
        return ""
    found = _OME_WELL.search(field.name)
    return field.well or (Well.at(*found.groups()).name if found else "")


def _channel(field: OmeField | None, number: int) -> str:
    """Names of OME only where each channel has another, and there are as many as the number says."""
    names = field.channels if field else ()
    return names[number - 1] if number <= len(names) and len(set(names)) == len(names) else ""


CQ1 = FolderLayout("cq1", "CellVoyager CQ1 or CQ3K", _fits, _entries)
