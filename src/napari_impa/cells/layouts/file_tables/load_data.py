"""Fields of a table of image sets: a row a field, or a Z plane or time of one, with the file of each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.illumination import FlatField, FunctionFile, NoFunction
from napari_impa.cells.layouts.entry import Listing, SourceEntry
from napari_impa.cells.layouts.file_tables.found_files import FileFinder
from napari_impa.cells.layouts.file_tables.image_sets import (
    FileColumns,
    ImageSets,
    first_rows,
    tables_of_image_sets,
)
from napari_impa.cells.layouts.file_tables.located_rows import LocatedRows
from napari_impa.cells.layouts.file_tables.page_of_file import PageOfFile
from napari_impa.cells.layouts.file_tables.places import Places
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.planes import PlatePlanes, plate_listing
from napari_impa.cells.layouts.plate_field import PlaneFile, PlateField
from napari_impa.errors import MissingDependencyError, SourceError

_NUCLEI = ("nuclei", "nucleus", "nuc")
_FUNCTION = "an illumination function; --illumination table divides by it"
_MOST = 3


def _fits(source: SourceFiles) -> Fit:
    tables = tables_of_image_sets(source)
    if source.path.is_file():
        return Fit.GIVEN if tables else Fit.NO
    if not tables:
        return Fit.NO
    return Fit.DESCRIBED if any(_is_of(source, table) for table in tables) else Fit.NEARLY


def _is_of(source: SourceFiles, table: Path) -> bool:
    """Whether the first files that a table names are there: it could be left over from other images."""
    rows = first_rows(table)
    if rows is None:
        return True
    finder, channel = FileFinder(source, table), rows.columns.channels[0]
    return any(finder.find(rows.given(channel, row)).files for row in range(len(rows.rows)))


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    tables, skipped = _tables(source)
    parts = [_part(source, one, choice) for one in tables]
    if len({tuple(channel.name for channel in one.columns.channels) for one in tables}) > 1:
        names = ", ".join(source.below(one.path) for one in tables[:_MOST])
        raise SourceError(f"{source.path} holds tables of different channels: {names}; give one of them as the source.")
    everything = _Part.joined(parts)
    title = tables[0].path.name if len(tables) == 1 else f"{len(tables)} tables such as {tables[0].path.name}"
    found = PlatePlanes(
        everything.planes, tuple(channel.name for channel in tables[0].columns.channels), everything.pixel_size,
        everything.sites, {**skipped, **everything.skipped}, everything.notes,
    )  # fmt: skip
    # the table says what the images are, and folders nothing more
    listing = plate_listing(source, title, found, replace(choice, folders="plates"))
    entries = [_with_masks(entry, everything.masks) for entry in listing.entries]
    functions = {"table": _functions(entries, everything.functions)} if everything.functions else {}
    return replace(listing, entries=entries, flat_fields=functions)


def _tables(source: SourceFiles) -> tuple[list[ImageSets], dict[Path, str]]:
    """The tables to read, and those that say nothing more: JUMP has one with and one without illumination."""
    files = tables_of_image_sets(source)
    of_these = [file for file in files if len(files) == 1 or _is_of(source, file)] or files
    skipped = dict.fromkeys(set(files) - set(of_these), "names images that are not here")
    found: list[ImageSets] = []
    for file in of_these:
        try:
            found.append(ImageSets.read(file))
        except MissingDependencyError as error:
            if all(other.suffix == file.suffix for other in of_these):
                raise
            skipped[file] = str(error).rstrip(".")
    if not found:
        raise SourceError(
            f"{source.path} holds no table of image sets, with columns FileName_… and PathName_…, or URL_…; give the "
            "folder that has it, or the table itself."
        )
    found.sort(key=lambda one: (-len(one.rows), -len(one.columns.illumination), one.path.suffix != ".csv"))
    kept: list[ImageSets] = []
    for one in found:
        names = one.names()
        more = next((other for other in kept if names <= other.names()), None)
        if more is None:
            kept.append(one)
        else:
            skipped[one.path] = f"says no more than {source.below(more.path)}"
    return sorted(kept, key=lambda one: str(one.path)), skipped | {one.path: "" for one in kept}


@dataclass(frozen=True, eq=False)
class _Part:
    """What one table says."""

    planes: Sequence[PlaneFile]
    sites: Mapping[tuple[str, str, int | str], Mapping[str, object]]
    masks: Mapping[int, Path]  # by the identity of a plane
    functions: Mapping[int, FlatField]  # so too
    skipped: Mapping[Path, str]
    pixel_size: float | None
    notes: tuple[str, ...]

    @classmethod
    def joined(cls, parts: Sequence[_Part]) -> _Part:
        sizes = {part.pixel_size for part in parts}
        return cls(
            [plane for part in parts for plane in part.planes],
            {key: value for part in parts for key, value in part.sites.items()},
            {key: value for part in parts for key, value in part.masks.items()},
            {key: value for part in parts for key, value in part.functions.items()},
            {key: value for part in parts for key, value in part.skipped.items()},
            sizes.pop() if len(sizes) == 1 else None,
            tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        )


def _part(source: SourceFiles, table: ImageSets, choice: LayoutChoice) -> _Part:
    channels, rows = table.columns.channels, range(len(table.rows))
    finder = FileFinder(source, table.path)
    located = LocatedRows(source, table, finder)
    complete = located.rows_with_all(channels, rows)
    places = Places.of(table, complete, choice)
    planes: list[PlaneFile] = []
    masks: dict[int, Path] = {}
    functions: dict[int, FlatField] = {}
    objects = _objects(table)
    skipped: dict[Path, str] = {}
    for row in complete:
        given = [table.given(channel, row) for channel in channels]
        for channel, name in zip(channels, given, strict=True):
            function = next((one for one in table.columns.illumination if one.name == channel.name), None)
            series, page = table.page(channel, row)
            file, where = finder.find(name).files[0], places.of_row[row]
            if series or page or given.count(name) > 1:
                planes.append(PageOfFile(file, channel.name, *where, series=series, page=page))
            else:
                planes.append(PlaneFile(file, channel.name, *where))
            if function is not None:
                functions[id(planes[-1])] = _function(table, finder, function, row, skipped)
            if objects is not None and (mask := finder.find(table.given(objects, row)).files):
                masks[id(planes[-1])] = mask[0]
                skipped[mask[0]] = ""
    notes = located.notes(complete)
    return _Part(planes, places.said, masks, functions, skipped, places.pixel_size, notes)


def _objects(table: ImageSets) -> FileColumns | None:
    """The label images of nuclei, or the only ones that the table has."""
    objects = table.columns.objects
    named = [one for one in objects if any(word in one.name.casefold() for word in _NUCLEI)]
    return next(iter(named if named or len(objects) != 1 else objects), None)


def _function(
    table: ImageSets, finder: FileFinder, column: FileColumns, row: int, skipped: dict[Path, str]
) -> FlatField:
    """The illumination function of a channel in a row."""
    given = table.given(column, row)
    found = finder.find(given).files
    if len(found) == 1:
        skipped[found[0]] = _FUNCTION
        return FunctionFile(found[0])
    what = f"{len(found)} files end so" if found else "it is not there"
    return NoFunction(
        f"{table.path.name} names in row {row + 2} the illumination function {given or 'of no file'} of "
        f"{column.name}, and {what}; bring it into the folder, or choose --illumination estimate, or none."
    )


def _functions(entries: Sequence[SourceEntry], functions: Mapping[int, FlatField]) -> list[tuple[FlatField, ...]]:
    """One a channel for each entry, as the first Z plane has it."""
    found = []
    for entry in entries:
        assert isinstance(entry, PlateField)
        planes = [stack[0] for stack in entry.planes]
        none = [NoFunction(f"No table names an illumination function of channel {plane.channel}.") for plane in planes]
        found.append(tuple(functions.get(id(plane), other) for plane, other in zip(planes, none, strict=True)))
    return found


def _with_masks(entry: SourceEntry, masks: Mapping[int, Path]) -> SourceEntry:
    assert isinstance(entry, PlateField)
    return replace(entry, masks=masks.get(id(entry.planes[0][0])))


LOAD_DATA = FolderLayout("load_data", "a table of image sets (CellProfiler's LoadData)", _fits, _entries)
