"""A source whose files hold Z planes or times: each file read as chosen, or each time as a field of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.layouts.entry import Listing, SourceEntry
from napari_impa.cells.layouts.plate_field import PlateField
from napari_impa.cells.readers.stacks import StackChoice, StackError


def unstacked(listing: Listing, choice: LayoutChoice, found: StackError) -> Listing:
    """The same fields, of whose files the planes and times chosen are read.

    Parameters
    ----------
    listing
        Of which a file was found to be a stack.
    choice
        What is read.
    found
        What the first such file holds.
    """
    one = StackChoice(choice.z, choice.time if isinstance(choice.time, int) else 1)
    if choice.time != "all":
        said = one.words(found.planes, found.times)
        entries = [_read_as(entry, one) for entry in listing.entries]
        return replace(listing, entries=entries, layout=f"{listing.layout}; {said}")
    rows: list[int] = []
    times: list[int] = []
    every: list[SourceEntry] = []
    for row, entry in enumerate(listing.entries):
        for time in range(1, _times_of(entry) + 1):
            rows.append(row)
            times.append(time)
            every.append(replace(_read_as(entry, StackChoice(choice.z, time)), name=f"{entry.name}_t{time}"))
    table = listing.table.iloc[np.array(rows, np.intp)].reset_index(drop=True).assign(time=pd.Series(times))
    said = "; ".join(filter(None, (one.words(found.planes, 1), f"{max(times)} times in the files")))
    flat = {of: [fields[row] for row in rows] for of, fields in listing.flat_fields.items()}
    layout = f"{listing.layout}; {said}"
    return replace(listing, entries=every, table=table, layout=layout, flat_fields=flat)


def _times_of(entry: SourceEntry) -> int:
    try:
        entry.probe()
    except StackError as found:
        return found.times
    return 1


def _read_as(entry: SourceEntry, stack: StackChoice) -> SourceEntry:
    changes: dict[str, Any] = {"stack": stack}
    if isinstance(entry, PlateField):
        changes["planes"] = tuple(tuple(replace(plane, stack=stack) for plane in planes) for planes in entry.planes)
    return replace(entry, **changes)
