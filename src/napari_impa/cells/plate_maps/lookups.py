"""Tables that say more of what a plate map names, compounds and genes by their ids; joined by a column of one name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.sheets import Sheet
from napari_impa.cells.sheets.texts import tidy
from napari_impa.cells.words import plain_name


@dataclass(frozen=True, eq=False)
class Joined:
    """Values of a plate map with what a further table says of them, and a sentence about that."""

    values: pd.DataFrame
    note: str


def with_lookup(values: pd.DataFrame, sheet: Sheet, title: str, *, only: str | None = None) -> Joined | None:
    """Add the columns of a table that has one row for each value of a column of the map; None where it has not.

    Parameters
    ----------
    values
        Of the map, texts.
    sheet
        The table, its titles in the first line.
    title
        What it is called in the note.
    only
        The title of the column to join by, where that is known.
    """
    if len(sheet.texts) < 2:
        return None
    titles = [tidy(str(text)) for text in sheet.texts[0]]
    body = sheet.texts[1:]
    mine = {plain_name(name): str(name) for name in values.columns}
    for column, name in enumerate(titles):
        own = mine.get(plain_name(name))
        if not name or own is None or (only is not None and plain_name(name) != only):
            continue
        keys = pd.Index(body[:, column])
        wanted = values[own].unique()
        keys_wanted = keys[keys.isin(wanted)]
        if keys_wanted.has_duplicates or not len(keys_wanted):
            continue
        rows = _first_of(keys, values[own])
        new = {
            other: np.where(rows >= 0, body[rows, place], "")
            for place, other in enumerate(titles)
            if other and place != column and plain_name(other) not in mine
        }
        if not new:
            return None
        missing = sorted(set(values.loc[rows < 0, own]) - {""})
        note = f"{', '.join(new)} from {title}, by {own}"
        if missing:
            note += f"; it does not know {', '.join(missing[:3])}" + (
                f" and {len(missing) - 3} more" * (len(missing) > 3)
            )
        return Joined(values.assign(**new), f"{note}.")
    return None


def _first_of(keys: pd.Index, wanted: pd.Series) -> NDArray[np.intp]:
    """The first row of each wanted key, or -1."""
    unique = keys[~keys.duplicated()]
    places = np.flatnonzero(~keys.duplicated())
    found = unique.get_indexer(wanted)
    return np.where(found >= 0, places[found], -1)
