"""The plate map of a folder of images: the one that is given, or the only table in the folder that fits."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from napari_impa.cells.layouts import LayoutChoice, Listing
from napari_impa.cells.plate_maps.barcodes import BARCODES
from napari_impa.cells.plate_maps.join import JoinReport, join_plate_map
from napari_impa.cells.plate_maps.map_file import some
from napari_impa.cells.plate_maps.plate_map import PlateMap, read_plate_map
from napari_impa.cells.sheets import is_table_file
from napari_impa.cells.tables import shortest
from napari_impa.cells.words import CONDITION, PLATE, SAID_OF_WELLS, TREATMENT, WELL
from napari_impa.errors import ImpaError, MissingDependencyError, SourceError

NO_PLATE_MAP = "none"
"""Given for a plate map, it says that what lies in the folder is not to be taken for one."""

_LARGEST = 30_000_000  # bytes of a table that is looked into without having been asked for
_MOST = 40  # tables that are looked into
_OF_PLATES = re.compile(r"barcode_?plate_?map", re.IGNORECASE)  # deep in a project of the Cell Painting Gallery
_DEPTH = 3  # folders below the source in which a plate map may lie
_FITS = 0.5  # of the imaged wells have a row where a table that lies there is their plate map


def with_plate_map(listing: Listing, root: Path, choice: LayoutChoice) -> tuple[Listing, JoinReport | None]:
    """Join a folder's table with its plate map, and say how.

    Parameters
    ----------
    listing
        What the folder holds.
    root
        The folder.
    choice
        Names the plate map, or `NO_PLATE_MAP`. Where it does not, a table in the folder is taken that fits as the only
        one, unless the images say already what was done to them.

    Raises
    ------
    SourceError, MissingDependencyError
        If the plate map that is given cannot be read or joined.
    """
    if choice.plate_map == NO_PLATE_MAP:
        return listing, None
    if choice.plate_map is not None:
        path = Path(choice.plate_map)
        path = path if path.exists() or not (root / path).exists() else root / path
        joined, report = _joined(listing, path, read_plate_map(path, _plates(listing)))
        if report is not None and not report.wells:
            raise SourceError(_no_well_fits(report))
        return joined, report
    if WELL.find(listing.table) is None or (CONDITION + TREATMENT).find(listing.table) is not None:
        return listing, None
    fitting, unread = _fitting(listing, root)
    if len(fitting) == 1:
        ((path, plate_map),) = fitting.items()
        listing, report = _joined(listing, path, plate_map, found=_below(path, root))
        return listing, report
    if fitting:
        names = " and ".join(_below(path, root) for path in fitting)
        note = f"{names} may be plate maps of it, and none was used; choose one with --plate-map FILE."
        return replace(listing, notes=(*listing.notes, note)), None
    return replace(listing, notes=(*listing.notes, *unread)), None


def _plates(listing: Listing) -> list[str]:
    column = PLATE.find(listing.table)
    return [] if column is None else sorted({shortest(value) for value in listing.table[column]} - {""})


def _joined(listing: Listing, path: Path, plate_map: PlateMap, found: str | None = None) -> tuple[Listing, JoinReport]:
    table, report = join_plate_map(listing.table, plate_map)
    notes = [*listing.notes, *report.sentences()]
    if found is not None:
        notes.insert(
            len(listing.notes), f"Plate map {found} found in the folder (guessed; another one, or none, can be chosen)."
        )
    skipped = {file: why for file, why in listing.skipped.items() if file.name != path.name or not _same(file, path)}
    return replace(listing, table=table, notes=tuple(notes), skipped=skipped), report


def _no_well_fits(report: JoinReport) -> str:
    """Say that a plate map speaks of none of the wells that have images."""
    ours = some([well for _, well in report.without_row], 4)
    theirs = some([well for _, well in report.without_images], 4) or "none of this plate"
    return (
        f"{report.name} fits none of the wells that have images: these are {ours}, and those of the map {theirs}; give "
        "the map of this plate."
    )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _fitting(listing: Listing, root: Path) -> tuple[dict[Path, PlateMap], list[str]]:
    """The tables in the folder that fit as plate maps, and why some could not be looked into."""
    plates, fitting = _plates(listing), {}
    missing: list[str] = []
    tables = [file for file in listing.skipped if is_table_file(file)]
    near = [file for file in tables if _depth(file, root) <= _DEPTH or _OF_PLATES.match(file.name)]
    for file in sorted(near, key=lambda file: (_depth(file, root), file))[:_MOST]:
        try:
            if file.stat().st_size > _LARGEST:
                continue
            plate_map = read_plate_map(file, plates)
            _, report = join_plate_map(listing.table, plate_map)
        except MissingDependencyError as error:
            missing.append(f"{_below(file, root)} may be a plate map: {error}")
            continue
        except (ImpaError, OSError):
            continue  # some other table
        says = any(map(SAID_OF_WELLS.fits, plate_map.values.columns))  # and is no table of the microscope's own
        if says and report.wells >= _FITS * (report.wells + len(report.without_row)) and report.wells:
            fitting[file] = plate_map
    # a table of plates names the maps that lie beside it
    named = {file: plate_map for file, plate_map in fitting.items() if plate_map.kind == BARCODES.name}
    return named or fitting, missing


def _depth(file: Path, root: Path) -> int:
    return len(file.relative_to(root).parts) if file.is_relative_to(root) else 1


def _below(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
