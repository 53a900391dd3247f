"""The rows of a table of image sets whose files are there, and what is said of those whose files are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from napari_impa.cells.layouts.file_tables.found_files import FileFinder, FoundFile, local_path
from napari_impa.cells.layouts.file_tables.image_sets import FileColumns, ImageSets
from napari_impa.cells.layouts.layout import SourceFiles
from napari_impa.errors import SourceError

_MOST = 3  # names in a sentence


class LocatedRows:
    """The files of a table, and which of them are not there."""

    def __init__(self, source: SourceFiles, table: ImageSets, finder: FileFinder) -> None:
        self._source, self._table, self._finder = source, table, finder
        self._missing: dict[int, tuple[str, str]] = {}

    def rows_with_all(self, channels: Sequence[FileColumns], rows: Sequence[int]) -> list[int]:
        """The rows of which every file is there.

        Raises
        ------
        SourceError
            If there is none, or one file fits several names or one name several files.
        """
        taken: dict[Path, tuple[str, FoundFile, int]] = {}
        for row in rows:
            for channel in channels:
                given = self._table.given(channel, row)
                found = self._finder.find(given)
                if len(found.files) > 1:
                    raise SourceError(
                        f"{self._where(row)} {given}, and {len(found.files)} files end so: "
                        f"{', '.join(map(self._source.below, found.files[:_MOST]))}; give the folder of one plate."
                    )
                if found.files:
                    first = taken.get(found.files[0])
                    if first is None or first[1].tail < found.tail:
                        taken[found.files[0]] = (given, found, row)
        for row in rows:
            for channel in channels:
                given = self._table.given(channel, row)
                found = self._finder.find(given)
                if not found.files:
                    self._missing.setdefault(row, (channel.name, given))
                    continue
                other, better, first_row = taken[found.files[0]]
                if other != given and better.tail > found.tail:  # it is the other plate's, which has it by more
                    self._missing.setdefault(row, (channel.name, given))
                elif other != given:
                    file = self._source.below(found.files[0])
                    raise SourceError(
                        f"{self._table.path.name} names {other} in row {first_row + 2} and {given} in row {row + 2}, "
                        f"and both can only be {file}; bring the files of both, in folders called as in the table."
                    )
        complete = [row for row in rows if row not in self._missing]
        if not complete:
            raise SourceError(f"{self._lacks(min(self._missing))}; {self._mend()}.")
        return complete

    def _where(self, row: int) -> str:
        return f"{self._table.path.name} names in row {row + 2}"

    def _lacks(self, row: int) -> str:
        channel, given = self._missing[row]
        if not given:
            return f"{self._table.path.name} names no file of channel {channel} in row {row + 2}"
        return f"{self._where(row)} {given}, which is not there and nothing below {self._source.root} is called so"

    def _mend(self) -> str:
        channel_and_given = self._missing[min(self._missing)]
        if channel_and_given[1] and local_path(channel_and_given[1]) is None:
            return "download the images into that folder first, as nothing is fetched from there"
        return "bring the files into that folder, or correct the table"

    def notes(self, complete: Sequence[int]) -> tuple[str, ...]:
        """What was left out, and where files were found that are called otherwise."""
        notes = []
        if self._missing:
            count, total = len(self._missing), len(self._missing) + len(complete)
            notes.append(
                f"{count:,} of {total:,} rows left out for want of a file: {self._lacks(min(self._missing))}; "
                f"{self._mend()}."
            )
        places: Counter[tuple[str, str]] = Counter()
        for row in complete:
            for channel in self._table.columns.channels:
                instead = self._finder.find(self._table.given(channel, row)).instead_of
                if instead is not None:
                    places[instead] += 1
        if places:
            named = [f"{old} for {new}" for (old, new), _ in places.most_common(_MOST)]
            more = f" and {len(places) - _MOST} more" if len(places) > _MOST else ""
            notes.append(f"{self._table.path.name} is of another computer: took {', '.join(named)}{more} (guessed).")
        return tuple(notes)
