"""Untreated controls of a plate map: one that is only marked gets a name, and one in several spellings one name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.plate_maps.map_file import count
from napari_impa.cells.sheets.texts import Spellings, loosely
from napari_impa.cells.tables import marked_controls
from napari_impa.cells.words import CONTROL_MARK, CONTROLS, SOLVENT, TREATMENT

_KNOWN = frozenset(map(loosely, CONTROLS))


@dataclass(frozen=True, eq=False)
class NamedControls:
    """The values of a plate map with every control named, and what was done for that, in sentences."""

    values: pd.DataFrame
    notes: tuple[str, ...]
    names: frozenset[str]

    def settled(self, ways: Spellings) -> bool:
        """Whether these are spellings of a control, which was given one name already."""
        return not ways.alike and loosely(ways.ways[0]) in self.names


def with_named_controls(values: pd.DataFrame) -> NamedControls:
    """Give every control its commonest name, and those that are only marked (`negcon`) the name of what they got.

    Parameters
    ----------
    values
        Texts, `tidy`.
    """
    notes: list[str] = []
    columns = TREATMENT.all(values)
    made = {str(name): values[name].to_numpy(object) for name in values.columns}
    settled = set()
    for name in columns:
        for key, ways in _ways(made[name]).items():
            if len(ways) > 1:
                made[name] = np.where(np.isin(made[name], ways), ways[0], made[name])
                settled.add(key)
                notes.append(
                    f"{name} writes the control as {' and '.join(ways)}; all are taken for {ways[0]} (guessed)."
                )
    marked = marked_controls(values, but=columns)
    if columns and marked is not None:
        name = columns[0]
        empty = marked & (made[name] == "")
        if all((made[other][empty] == "").all() for other in columns) and empty.any():
            own = _named_by(values, empty, set(made[name][marked]) - {""})
            made[name] = np.where(empty, own, made[name])
            notes.append(
                f"{count(int(empty.sum()), 'well')} marked as controls name no {name}; called {own} (guessed)."
            )
    return NamedControls(pd.DataFrame(made, index=values.index, dtype=object), tuple(notes), frozenset(settled))


def _ways(texts: NDArray[np.object_]) -> dict[str, list[str]]:
    """The spellings of each usual name of a control, the commonest first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for text, number in pd.Series(texts).value_counts().items():
        if loosely(str(text)) in _KNOWN:
            found.setdefault(loosely(str(text)), []).append((-number, str(text)))
    return {key: [text for _, text in sorted(ways)] for key, ways in found.items()}


def _named_by(values: pd.DataFrame, rows: NDArray[np.bool_], others: set[str]) -> str:
    """What controls without a name got: the one name of the others, their one solvent, or what marks them."""
    if len(others) == 1:
        return others.pop()
    for name in (*SOLVENT.all(values), *CONTROL_MARK.all(values)):
        said = set(map(str, values[name].to_numpy(object)[rows])) - {""}
        if len(said) == 1:
            only = said.pop()
            if SOLVENT.fits(name) or only.casefold() not in ("1", "true", "yes", "y"):
                return only
    return "control"
