"""A table of files: a row an image of all channels, or a row a file of one channel or of one Z plane of a channel.

Columns `file`, `channel`, `mask_file`, `field_name` (what a field is called, and its files have in common),
`pixel_size_um` and, where a channel of a field has several files, `z` say how fields are read; all others are what is
known of them.
"""

from __future__ import annotations

import csv
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing, SourceEntry, passed_over, told_apart
from napari_impa.cells.layouts.impa_index import is_index
from napari_impa.cells.layouts.layout import Fit, FolderLayout, SourceFiles
from napari_impa.cells.layouts.plate_field import PlaneFile, PlateField
from napari_impa.cells.sheets.delimited import TextForm, content, lines_of
from napari_impa.cells.sheets.typed_table import read_table
from napari_impa.cells.tables import shortest
from napari_impa.cells.words import ACQUISITION, CROP, ONE_FIELD, SITE, WELL
from napari_impa.errors import SourceError

_HOW_READ = ("file", "channel", "mask_file", "z", "field_name", "pixel_size_um")


def _fits(source: SourceFiles) -> Fit:
    path = _table(source)
    if path is None:
        return Fit.NO
    return Fit.GIVEN if _names_files(path) else Fit.NEARLY


def _names_files(path: Path) -> bool:
    """Whether a table has the column that this layout needs, by its first line."""
    try:
        data = content(path)
        head = next(lines_of(data, TextForm.of(data)), [])
    except (OSError, ValueError, csv.Error):  # which is said when it is read
        return False
    return "file" in {name.strip().lower() for name in head}


def _table(source: SourceFiles) -> Path | None:
    """The table: any that is given itself, of a folder the one called `metadata.csv`."""
    if source.path.is_file():
        return next((file for file in source.tables if not is_index(file)), None)
    here = (file for file in source.tables if file.parent == source.root)
    return next((file for file in here if file.name.lower() == "metadata.csv"), None)


def _entries(source: SourceFiles, choice: LayoutChoice) -> Listing:
    path = _table(source)
    assert path is not None, "this layout does not fit"
    root, table, found = source.root, read_table(path), source.files
    by_name = {str(name).lower(): str(name) for name in table.columns}
    if "file" not in by_name:
        columns = ", ".join(map(str, table.columns))
        raise SourceError(f"{path} needs a column 'file' that names the image files; its columns are: {columns}.")
    table = table.rename(columns={by_name[name]: name for name in _HOW_READ if name in by_name})
    seen: dict[str, str] = {}
    for name in map(str, table.columns):
        other = seen.setdefault(name.casefold(), name)
        if other != name and not table[other].equals(table[name]):
            raise SourceError(f"{path} has the columns {other!r} and {name!r}, which say other things; rename one.")
    if table.empty:
        raise SourceError(f"{path} has no rows; write one row a file or a field into it.")
    if table["file"].isna().any():
        raise SourceError(
            f"{path} has no file in row {int(table['file'].isna().argmax()) + 2}; fill it in or remove the row."
        )
    known = set(found)
    files = _locate(root, path, table["file"], known)
    masks: list[Path | None] = [None] * len(table)
    notes: tuple[str, ...] = ()
    if "mask_file" in table.columns:
        has_mask = table["mask_file"].notna().to_numpy()
        located = iter(_locate(root, path, table["mask_file"][has_mask], known))
        masks = [next(located) if has else None for has in has_mask]
        if "channel" not in table.columns and has_mask.any() and not has_mask.all():
            without = table["file"].iloc[has_mask.argmin()]
            notes = (
                f"Only {has_mask.sum():,} of {len(table):,} fields have masks, {without} for one has none: unless "
                "all have, nuclei are found anew.",
            )
    rest = table.drop(columns=[name for name in _HOW_READ if name != "z"], errors="ignore")
    pixel_size = _pixel_size(path, table)
    names = [str(name).strip().replace("\\", "/") for name in table["file"]]
    if "channel" not in table.columns:
        twice = pd.Series([os.path.abspath(file) for file in files]).duplicated()
        if twice.any():
            raise SourceError(f"{path} names {names[int(twice.argmax())]} in two rows; keep one row a file.")
        if "field_name" in table.columns:
            names = [shortest(value) or file for value, file in zip(table["field_name"], names, strict=True)]
        entries = [SourceEntry(name, (file,), mask) for name, file, mask in zip(names, files, masks, strict=True)]
        return Listing(
            told_apart(entries), rest, passed_over(found, entries, path), path.name, pixel_size=pixel_size,
            whole_fields=_one_a_site(rest), notes=notes,
        )  # fmt: skip
    entries, rows, channels = _group(path, table, files, masks, rest, choice)
    skipped = passed_over(found, entries, path)
    if any(isinstance(entry, PlateField) for entry in entries):
        rest = rest.drop(columns="z")
    rest = rest.iloc[rows].reset_index(drop=True)
    whole = _one_a_site(rest)
    return Listing(entries, rest, skipped, path.name, channels, pixel_size, whole_fields=whole)


def _one_a_site(table: pd.DataFrame) -> bool:
    """Whether wells and sites are given and no site has two images, as fields have it and ready crops rarely."""
    if WELL.find(table) is None or SITE.find(table) is None:
        return False
    place = [name for name in table.columns if ONE_FIELD.fits(name) or ACQUISITION.fits(name)]
    return not any(map(CROP.fits, place)) and not table.duplicated(place).any()


def _pixel_size(path: Path, table: pd.DataFrame) -> float | None:
    """The one size of a pixel that the table gives, in µm."""
    if "pixel_size_um" not in table.columns:
        return None
    sizes = sorted(set(table["pixel_size_um"].dropna()))
    if len(sizes) > 1 or not all(isinstance(size, (int, float)) and size > 0 for size in sizes):
        raise SourceError(
            f"{path} gives {', '.join(map(shortest, sizes[:2]))} as pixel_size_um; give one size in µm for all fields."
        )
    return float(sizes[0]) if sizes else None


def _locate(root: Path, path: Path, names: pd.Series, known: set[Path]) -> list[Path]:
    files = [root / str(name).strip().replace("\\", "/") for name in names]
    missing = [
        file for file in files if file not in known and not os.path.isfile(file)
    ]  # of which a name may be too long
    if missing:
        same, lost = _by_loose_name(known), set(missing)
        files = [same.get(_loose_name(file), file) if file in lost else file for file in files]
        missing = [file for file in missing if _loose_name(file) not in same]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SourceError(
            f"{path.name} names {_relative(missing[0], root)}{more}, not found in {root}; "
            "correct the table or bring the files."
        )
    return files


def _by_loose_name(known: Iterable[Path]) -> dict[str, Path]:
    """Files by their names as Windows and macOS compare them, in whatever case and Unicode form; none of two alike."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for file in known:
        found[_loose_name(file)].append(file)
    return {name: files[0] for name, files in found.items() if len(files) == 1}


def _loose_name(file: Path) -> str:
    return unicodedata.normalize("NFC", str(file)).casefold()


def _relative(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _group(
    path: Path, table: pd.DataFrame, files: list[Path], masks: list[Path | None], rest: pd.DataFrame,
    choice: LayoutChoice,
) -> tuple[list[SourceEntry], list[int], tuple[str, ...]]:  # fmt: skip
    """Join rows of one channel each to fields, by the columns that say the site; returns each field's first row."""
    site = [name for name in rest.columns if ONE_FIELD.fits(name)] or list(rest.columns)
    if "field_name" in table.columns:
        site, rest = ["field_name"], table
    if table["channel"].isna().any():
        raise SourceError(f"{path} has no channel in row {int(table['channel'].isna().argmax()) + 2}; fill it in.")
    names = [shortest(value) for value in table["channel"]]
    channels = tuple(dict.fromkeys(names))
    fields: defaultdict[tuple[str, ...], dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    depths = _depths(table)
    for row, (key, channel) in enumerate(zip(rest[site].itertuples(index=False, name=None), names, strict=True)):
        field = fields[tuple(shortest(value) for value in key)]
        if depths[row] in field[channel]:
            first, second = table["file"].iloc[field[channel][depths[row]]], table["file"].iloc[row]
            where = ", ".join(site) or "the table"
            raise SourceError(
                f"{path.name} gives {first} and {second} as the same channel {channel!r} of one field; "
                f"tell fields apart by {where}."
            )
        field[channel][depths[row]] = row
    entries, rows = [], []
    for key, field in fields.items():
        name = "_".join(part for part in key if part) or "field"
        for channel in channels:
            if channel not in field:
                raise SourceError(
                    f"{path.name} gives no file for channel {channel!r} of field {name}; add it or remove the field."
                )
        here = [_of_choice(path, name, field[channel], choice) for channel in channels]
        mask = next((masks[row] for stack in here for row in stack.values() if masks[row] is not None), None)
        stacks = [tuple(files[row] for row in stack.values()) for stack in here]
        if all(len(stack) == 1 for stack in stacks):
            entries.append(SourceEntry(name, tuple(file for (file,) in stacks), mask))
        else:
            planes = tuple(
                tuple(PlaneFile(files[row], channel, z=z) for z, row in stack.items())
                for channel, stack in zip(channels, here, strict=True)
            )
            used = tuple(file for stack in stacks for file in stack)
            entries.append(PlateField(name, used, mask, planes, channels, sharpest=choice.z == "sharpest"))
        rows.append(min(row for stack in here for row in stack.values()))
    return told_apart(entries), rows, channels


def _depths(table: pd.DataFrame) -> list[int]:
    """The Z plane of each row; 1 where the table numbers none."""
    numbered = "z" in table.columns and pd.api.types.is_integer_dtype(table["z"])
    return [int(z) for z in table["z"]] if numbered else [1] * len(table)


def _of_choice(path: Path, field: str, planes: dict[int, int], choice: LayoutChoice) -> dict[int, int]:
    """The rows of a channel by Z plane: all, or the one that is chosen."""
    if not isinstance(choice.z, int) or len(planes) == 1:
        return dict(sorted(planes.items()))
    if choice.z not in planes:
        raise SourceError(
            f"{path.name} has no Z plane {choice.z} of field {field}; its planes are {', '.join(map(str, planes))}."
        )
    return {choice.z: planes[choice.z]}


METADATA_CSV = FolderLayout("metadata", "metadata.csv", _fits, _entries)
