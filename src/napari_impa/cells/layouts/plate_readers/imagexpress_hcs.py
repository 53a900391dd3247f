"""ImageXpress HCS.ai: `experiment/timepoint0/Protocol_t0_C05_s0_w0_z0.tif`, all counted from 0.

A run has a `.mxprotocol`, and each `experiment` folder in it a `.jdce` (JSON: channels, pixel size, the plate's ID) and
an `image_metadata_1.csv` (where the stage stood), as fractal-uzh-converters and bioio-imagexpress read them.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, not_there, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.layouts.plate_folders import Parts, are_conditions, plate_names
from napari_impa.cells.wells import well_name
from napari_impa.errors import SourceError

_NAME = re.compile(
    r"(?:(?P<name>.+)_)?t(?P<time>\d+)_(?P<well>[A-Z]{1,2}\d{2})_s(?P<site>\d+)_w(?P<channel>\d+)_z(?P<z>\d+)\.tiff?",
    re.IGNORECASE,
)
_INSIDE = r"experiment\w*|timepoint\d+"
_MONTAGE = "a montage of the fields, which are read instead"
_BESIDE_STACK = "the one plane or projection that was saved beside the whole stack, which is read instead"
_TABLE = re.compile(r"image_metadata_\d+\.csv", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class _Experiment:
    """What the files of one `experiment` folder say: channels by number, µm a pixel, positions by file name in µm."""

    plate: str = ""
    channels: dict[int, str] = field(default_factory=dict)
    pixel_size: float | None = None
    positions: dict[str, tuple[float, float] | None] = field(default_factory=dict)


def _fits(source: SourceFiles) -> Fit:
    if source.share(_NAME.fullmatch) < 0.5:
        return Fit.NO
    return Fit.DESCRIBED if source.beside(".jdce", ".mxprotocol") else Fit.NAMES


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    named = [(file, found) for file in source.images if (found := _NAME.fullmatch(file.name))]
    files: dict[Path, str] = dict.fromkeys(source.beside(".jdce", ".mxprotocol"), "")
    files |= {file: "" for file in source.files if _TABLE.fullmatch(file.name)}
    experiments = _experiments(source, files)
    skipped = _left_out(source, [file for file, _ in named])
    named = [(file, found) for file, found in named if file not in skipped]
    kept = [file for file, _ in named]
    plate_of, conditions = plate_names(source, choice, kept, _INSIDE), are_conditions(source, choice, kept)
    planes: list[PlaneFile] = []
    sites: dict[tuple[str, str, int | str], dict[str, object]] = {}
    of_folder = {folder: experiments.get(_experiment_of(folder), _Experiment()) for folder in map(source.folder, kept)}
    plates = {file: (not conditions and of_folder[source.folder(file)].plate) or plate_of(file) for file in kept}
    runs: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for file, plate in plates.items():
        runs[plate][plate_of(file)] = None
    for file, found in named:
        experiment, plate = of_folder[source.folder(file)], plates[file]
        run = plate_of(file) if len(runs[plate]) > 1 else ""
        number, well, site = int(found["channel"]), well_name(found["well"]), int(found["site"])
        channel = experiment.channels.get(number, str(number))
        planes.append(PlaneFile(file, channel, plate, well, site, int(found["z"]), int(found["time"]), run))
        if position := experiment.positions.get(file.name.lower()):
            sites.setdefault((plate, well, site), {"position_x_um": position[0], "position_y_um": position[1]})
    order = dict.fromkeys(name for one in experiments.values() for _, name in sorted(one.channels.items()))
    sizes = {one.pixel_size for one in experiments.values() if one.pixel_size}
    return plate_listing(source, IMAGEXPRESS_HCS.title, PlatePlanes(
        planes, tuple(order), min(sizes) if len(sizes) == 1 else None, sites, skipped | files,
        (*_of_runs(runs), *_missing(source, experiments)),
        plates_by_folder=not any(one.plate for one in experiments.values()),
    ), choice)  # fmt: skip


def _experiment_of(folder: Parts) -> Parts:
    """The folder of the experiment: the one around those of its times."""
    return folder[:-1] if folder and re.fullmatch(r"timepoint\d+", folder[-1], re.IGNORECASE) else folder


def _left_out(source: SourceFiles, files: Iterable[Path]) -> dict[Path, str]:
    """Montages, and single planes or projections beside a stack, which show what the fields and the stack show."""
    parts = {file: _experiment_of(source.folder(file)) for file in files}
    stacked = {part[:-1] for part in parts.values() if part and part[-1].lower() == "experiment_z_stack"}
    single = {part[:-1] for part in parts.values() if part and part[-1].lower() == "experiment"}
    out: dict[Path, str] = {}
    for file, part in parts.items():
        kind, run = (part[-1].lower(), part[:-1]) if part else ("", ())
        if kind == "experiment_montage" and run in single | stacked:
            out[file] = _MONTAGE
        elif kind == "experiment" and run in stacked:
            out[file] = _BESIDE_STACK
    return out


def _of_runs(runs: dict[str, dict[str, None]]) -> list[str]:
    return [
        f"{', '.join(folders)} have one plate ID, {plate}, and were taken for acquisitions of one plate (guessed); "
        "where they are plates, give them one by one."
        for plate, folders in runs.items()
        if len(folders) > 1
    ]


def _missing(source: SourceFiles, experiments: dict[Parts, _Experiment]) -> tuple[str, ...]:
    there = {(_experiment_of(source.folder(file)), file.name.lower()) for file in source.images}
    listed = ((folder, name) for folder, one in experiments.items() for name in one.positions)
    return not_there("image_metadata", sum(one not in there for one in listed))


def _experiments(source: SourceFiles, files: Iterable[Path]) -> dict[Parts, _Experiment]:
    """What the files in each experiment's folder say."""
    found: dict[Parts, _Experiment] = {}
    positions: defaultdict[Parts, dict[str, tuple[float, float] | None]] = defaultdict(dict)
    for file in files:
        folder = source.folder(file)
        if file.suffix.lower() == ".jdce":
            found[folder] = _described(file)
        elif file.suffix.lower() == ".csv":
            positions[folder] |= _positions(file)
    for folder, known in positions.items():
        found.setdefault(folder, _Experiment()).positions.update(known)
    return found


def _described(path: Path) -> _Experiment:
    """Plate, channels and pixel size of a `.jdce`; whatever it does not say is left open."""
    mend = "copy it once more from the microscope, or remove it (then the images are read by their names alone)"
    try:
        stack = json.loads(path.read_text(encoding="utf-8-sig"))["ImageStack"]
        protocol = stack.get("AutoLeadAcquisitionProtocol") or {}
        names: dict[int, str] = {}
        for place, wave in enumerate(protocol.get("Wavelengths") or []):
            name = str((wave.get("EmissionFilter") or {}).get("Name") or "").strip()
            if name:
                names[int(wave.get("Index", place))] = name
        size = (protocol.get("ObjectiveCalibration") or {}).get("PixelWidth")
        plate = str(stack.get("PlateId") or "").strip()
        return _Experiment(plate, _told_apart(names), float(size) if size else None)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is damaged or half written ({error}); {mend}.") from None
    except (KeyError, TypeError, AttributeError):
        raise SourceError(f"{path} describes no images of ImageXpress HCS.ai; {mend}.") from None


def _told_apart(names: dict[int, str]) -> dict[int, str]:
    often = list(names.values())
    return {number: f"{name} (w{number})" if often.count(name) > 1 else name for number, name in names.items()}


def _positions(path: Path) -> dict[str, tuple[float, float] | None]:
    """Where the stage stood, in µm, by file name; None where the table does not say."""
    found: dict[str, tuple[float, float] | None] = {}
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as text:
        for row in csv.DictReader(text):
            if name := (row.get("ImageFileName") or "").strip():
                found[name.lower()] = _position(row)
    return found


def _position(row: dict[str, Any]) -> tuple[float, float] | None:
    try:
        return float(row["PositionXUm"]), float(row["PositionYUm"])
    except (KeyError, TypeError, ValueError):
        return None


IMAGEXPRESS_HCS = FolderLayout("imagexpress-hcs", "ImageXpress HCS.ai", _fits, _entries)
