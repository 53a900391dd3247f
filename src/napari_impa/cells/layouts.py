"""Which files of a folder belong together: metadata.csv, one subfolder a condition, or IMPA's own layout."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from napari_impa.cells.fields import is_image, probe_image
from napari_impa.cells.store import PLACE
from napari_impa.cells.tables import read_table, shortest
from napari_impa.cells.words import ONE_FIELD
from napari_impa.errors import SourceError

GIVEN = "_given"
"""Ending of a table column whose own name says where a cell was cut (`field`, `y`, `x`, `label`)."""

_CHANNEL = re.compile(r"(?<![A-Za-z0-9])(?:w|ch|c|channel[ _-]?)(\d{1,2})(?![A-Za-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One field or crop: the file with all channels, or one file a channel, and the file with its masks."""

    name: str
    files: tuple[Path, ...]
    masks: Path | None = None


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder holds: one entry and one table row a field or crop, and the files passed over."""

    entries: list[Entry]
    table: pd.DataFrame
    skipped: list[Path]
    layout: str
    channels: tuple[str, ...] | None = None


def list_source(path: Path) -> Listing:
    """Find the images of a source: a folder, a table of files, or a single image.

    Raises
    ------
    SourceError
        If there is no image, or a table names a file that is not there.
    """
    if path.is_file():
        if is_image(path):
            return Listing([Entry(path.name, (path,))], pd.DataFrame(index=range(1)), [], "a single image")
        if path.suffix.lower() == ".csv":
            table = read_table(path)
            if "SAMPLE_KEY" in table.columns:
                root = path.parent if any(file.suffix == ".npy" for file in _walk(path.parent)) else path.parent.parent
                return _from_index(root, path, table, _walk(root))
            return _from_metadata(path.parent, path, table, _walk(path.parent))
        raise SourceError(f"{path} is no source; give a folder of images, a metadata.csv, a .cells folder or an image.")
    if not path.is_dir():
        raise SourceError(f"There is no folder {path}.")
    found = _walk(path)
    tables = [file for file in found if file.suffix.lower() == ".csv"]
    for file in tables:
        if file.parent == path and file.name.lower() == "metadata.csv":
            return _from_metadata(path, file, read_table(file), found)
    indexes = [file for file in tables if len(file.relative_to(path).parts) <= 2 and _is_index(file)]
    if len(indexes) > 1:
        names = " and ".join(file.relative_to(path).as_posix() for file in indexes[:2])
        raise SourceError(f"{path} has several index tables ({names}); give the one to use as the source.")
    if indexes:
        return _from_index(path, indexes[0], read_table(indexes[0]), found)
    return _from_subfolders(path, found)


def _walk(folder: Path) -> list[Path]:
    """All files below a folder, sorted, without hidden ones and without what `.cells` folders hold."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not name.endswith(".cells"))
        found += [Path(here, name) for name in sorted(files) if not name.startswith(".")]
    return found


def _passed_over(found: Iterable[Path], entries: Iterable[Entry], table: Path | None = None) -> list[Path]:
    used = {file for entry in entries for file in (*entry.files, entry.masks)} | {table}
    return [file for file in found if file not in used]


def _clear_of_place(table: pd.DataFrame) -> pd.DataFrame:
    """Rename the columns whose names say where a cell was cut; `label` of a metadata table is mostly a condition."""
    return table.rename(columns={name: name + GIVEN for name in PLACE if name in table.columns})


def _from_metadata(root: Path, path: Path, table: pd.DataFrame, found: list[Path]) -> Listing:
    by_name = {str(name).lower(): str(name) for name in table.columns}
    if "file" not in by_name:
        columns = ", ".join(map(str, table.columns))
        raise SourceError(f"{path} needs a column 'file' that names the image files; its columns are: {columns}.")
    table = table.rename(columns={by_name[name]: name for name in ("file", "channel", "mask_file") if name in by_name})
    if table.empty:
        raise SourceError(f"{path} has no rows; write one row a file or a field into it.")
    if table["file"].isna().any():
        raise SourceError(
            f"{path} has no file in row {int(table['file'].isna().argmax()) + 2}; fill it in or remove the row."
        )
    known = set(found)
    files = _locate(root, path, table["file"], known)
    masks: list[Path | None] = [None] * len(table)
    if "mask_file" in table.columns:
        has_mask = table["mask_file"].notna().to_numpy()
        located = iter(_locate(root, path, table["mask_file"][has_mask], known))
        masks = [next(located) if has else None for has in has_mask]
    rest = table.drop(columns=["file", "mask_file", "channel"], errors="ignore")
    names = [str(name).replace("\\", "/") for name in table["file"]]
    if "channel" not in table.columns:
        twice = pd.Series(names).duplicated()
        if twice.any():
            raise SourceError(f"{path} names {names[int(twice.argmax())]} in two rows; keep one row a file.")
        entries = [Entry(name, (file,), mask) for name, file, mask in zip(names, files, masks, strict=True)]
        return Listing(entries, _clear_of_place(rest), _passed_over(found, entries, path), path.name)
    entries, rows, channels = _group(path, table, files, masks, rest)
    skipped = _passed_over(found, entries, path)
    return Listing(entries, _clear_of_place(rest.iloc[rows].reset_index(drop=True)), skipped, path.name, channels)


def _locate(root: Path, path: Path, names: pd.Series, known: set[Path]) -> list[Path]:
    files = [root / str(name).replace("\\", "/") for name in names]
    missing = [file for file in files if file not in known and not file.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SourceError(
            f"{path.name} names {_relative(missing[0], root)}{more}, not found in {root}; "
            "correct the table or bring the files."
        )
    return files


def _relative(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _group(
    path: Path, table: pd.DataFrame, files: list[Path], masks: list[Path | None], rest: pd.DataFrame
) -> tuple[list[Entry], list[int], tuple[str, ...]]:
    """Join rows of one channel each to fields, by the columns that say the site; returns each field's first row."""
    site = [name for name in rest.columns if ONE_FIELD.fits(name)] or list(rest.columns)
    if table["channel"].isna().any():
        raise SourceError(f"{path} has no channel in row {int(table['channel'].isna().argmax()) + 2}; fill it in.")
    names = [shortest(value) for value in table["channel"]]
    channels = tuple(dict.fromkeys(names))
    fields: defaultdict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for row, (key, channel) in enumerate(zip(rest[site].itertuples(index=False, name=None), names, strict=True)):
        field = fields[tuple(shortest(value) for value in key)]
        if channel in field:
            first, second = table["file"].iloc[field[channel]], table["file"].iloc[row]
            where = ", ".join(site) or "the table"
            raise SourceError(
                f"{path.name} gives {first} and {second} as the same channel {channel!r} of one field; "
                f"tell fields apart by {where}."
            )
        field[channel] = row
    entries, rows = [], []
    for key, field in fields.items():
        name = "_".join(part for part in key if part) or "field"
        for channel in channels:
            if channel not in field:
                raise SourceError(
                    f"{path.name} gives no file for channel {channel!r} of field {name}; add it or remove the field."
                )
        here = [field[channel] for channel in channels]
        mask = next((masks[row] for row in here if masks[row] is not None), None)
        entries.append(Entry(name, tuple(files[row] for row in here), mask))
        rows.append(min(here))
    return _unique(entries), rows, channels


def _unique(entries: list[Entry]) -> list[Entry]:
    if len({entry.name for entry in entries}) == len(entries):
        return entries
    return [Entry(f"{entry.name}_{number}", entry.files, entry.masks) for number, entry in enumerate(entries, 1)]


def _is_index(file: Path) -> bool:
    with open(file, encoding="utf-8-sig", errors="replace") as text:
        return "SAMPLE_KEY" in re.split(r"[,;\t]", text.readline().strip().replace('"', ""))


def _from_index(root: Path, path: Path, table: pd.DataFrame, found: list[Path]) -> Listing:
    """IMPA's layout: a sample key is the stem of an .npy file, or the end of its path with the parts joined by `_`."""
    files: dict[str, Path] = {}
    twice: set[str] = set()
    for file in found:
        if file.suffix.lower() == ".npy":
            parts = file.relative_to(root).with_suffix("").parts
            for first in range(len(parts)):
                key = _key("_".join(parts[first:]))
                if files.setdefault(key, file) != file:
                    twice.add(key)
    if not files:
        raise SourceError(
            f"{root} holds no .npy images for the sample keys of {path.name}; bring them into this folder."
        )
    keys = [_key(str(value)) for value in table["SAMPLE_KEY"]]
    missing = [str(value) for value, key in zip(table["SAMPLE_KEY"], keys, strict=True) if key not in files]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SourceError(f"{path.name} names the sample {missing[0]}{more}, of which there is no .npy file in {root}.")
    unclear = next((key for key in keys if key in twice), None)
    if unclear is not None:
        raise SourceError(
            f"Two .npy files in {root} fit the sample key {unclear} of {path.name}; remove or rename one."
        )
    entries = [Entry(files[key].relative_to(root).as_posix(), (files[key],)) for key in keys]
    return Listing(
        _unique(entries), _clear_of_place(table), _passed_over(found, entries, path), f"IMPA's index {path.name}"
    )


def _key(text: str) -> str:
    return text.removesuffix(".npy").replace("-", "_").replace("/", "_")


def _from_subfolders(root: Path, found: list[Path]) -> Listing:
    images = [file for file in found if is_image(file)]
    if not images:
        raise SourceError(f"{root} holds no images (TIFF, PNG or NPY); choose the folder that has them.")
    inside = [file for file in images if file.parent != root]
    chosen = inside or images
    entries, channels = _join_channels(root, chosen)
    conditions = [entry.files[0].relative_to(root).parts[0] for entry in entries]
    table = pd.DataFrame({"condition": conditions}) if inside else pd.DataFrame(index=range(len(entries)))
    layout = "one subfolder a condition" if inside else "a flat folder"
    return Listing(entries, table, _passed_over(found, entries), layout, channels)


def _join_channels(root: Path, images: list[Path]) -> tuple[list[Entry], tuple[str, ...] | None]:
    """Join files whose names differ only in a channel number (`_w1`, `_ch2`), if all sites have the same channels."""
    groups: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for file in images:
        name = file.relative_to(root).as_posix()
        matches = list(_CHANNEL.finditer(file.name))
        if not matches:
            break
        start = len(name) - len(file.name)
        match = matches[-1]
        site = name[: start + match.start()].rstrip("_- .") + name[start + match.end() :]
        groups[site][match.group(1)] = file
    else:
        numbers = [tuple(sorted(group, key=int)) for group in groups.values()]
        joined = probe_image(images[0]).pixels.shape[0] == 1
        joined &= sum(map(len, numbers)) == len(images) and len(set(numbers)) == 1 and 2 <= len(numbers[0]) <= 8
        if joined:
            entries = [Entry(site, tuple(group[number] for number in numbers[0])) for site, group in groups.items()]
            return entries, tuple(f"channel {int(number)}" for number in numbers[0])
    return [Entry(file.relative_to(root).as_posix(), (file,)) for file in images], None
