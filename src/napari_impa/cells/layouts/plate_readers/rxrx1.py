"""RxRx1 and its kin: `HUVEC-01/Plate1/B02_s1_w1.png`, with a `metadata.csv` of sites that names no files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile
from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.tables import shortest
from napari_impa.cells.wells import well_name

_NAME = re.compile(r"(?P<well>[A-P]\d{2}|A[A-F]\d{2})_s(?P<site>\d+)_w(?P<channel>\d+)\.(?:png|tiff?|jpe?g)")
_PLATE = re.compile(r"Plate(\d+)", re.IGNORECASE)
_COLUMNS = ("experiment", "plate", "well", "site")
_OTHERS = ("site_id", "well_id", *_COLUMNS)  # of its table, and not of what was done


def _fits(source: SourceFiles) -> Fit:
    if source.share(_NAME.fullmatch) < 0.5:
        return Fit.NO
    if _table(source) is not None:
        return Fit.DESCRIBED
    some = source.images[:20]
    folders = all((parts := source.folder(file)) and _PLATE.fullmatch(parts[-1]) for file in some)
    return Fit.NAMES if folders and all(file.suffix.lower() == ".png" for file in some) else Fit.NO


def _table(source: SourceFiles) -> Path | None:
    """The table of sites: one that has the columns by which sites are found, by its first line."""
    for file in source.beside("metadata.csv"):
        with open(file, encoding="utf-8-sig", errors="replace") as text:
            if {*_COLUMNS, "site_id"} <= set(text.readline().strip().replace('"', "").split(",")):
                return file
    return None


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    planes = list(_planes(source))
    path = _table(source)
    sites: dict[tuple[str, str, int | str], dict[str, object]] = {}
    notes: tuple[str, ...] = ()
    if path is not None:
        table = read_table(path)
        told = [name for name in table.columns if name not in _OTHERS]
        keys = zip(*(table[name] for name in _COLUMNS), strict=True)
        for row, (experiment, plate, well, site) in enumerate(keys):
            key = (f"{experiment}_Plate{shortest(plate)}", well_name(str(well)), int(site))
            sites[key] = {"experiment": experiment} | {name: table[name].iloc[row] for name in told}
        known = {(plane.plate, plane.well, plane.site) for plane in planes}
        unsaid = sorted(known - sites.keys(), key=str)
        if unsaid:
            plate, well, site = unsaid[0]
            notes = (f"{path.name} says nothing of {len(unsaid):,} sites, the first being {plate} {well} site {site}.",)
    skipped = {} if path is None else {path: ""}
    return plate_listing(source, RXRX1.title, PlatePlanes(planes, sites=sites, skipped=skipped, notes=notes), choice)


def _planes(source: SourceFiles) -> Iterator[PlaneFile]:
    around = source.root.resolve().parts[-2:]  # where the folder of one plate, or of one experiment, is given
    for file in source.images:
        found = _NAME.fullmatch(file.name)
        if found:
            experiment, plate = (*around, *source.folder(file))[-2:]
            numbered = _PLATE.fullmatch(plate)
            name = f"{experiment}_Plate{int(numbered[1])}" if numbered else plate
            yield PlaneFile(file, str(int(found["channel"])), name, well_name(found["well"]), int(found["site"]))


RXRX1 = FolderLayout("rxrx1", "RxRx1", _fits, _entries)
