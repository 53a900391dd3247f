"""What is doubtful about a table of cells before a training: each doubt one sentence, the gravest first."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_impa.cells.checks.concern import Concern, listed, ranked
from napari_impa.cells.sheets.texts import spellings, tidy
from napari_impa.cells.tables import condition_names, shortest
from napari_impa.cells.words import CONTROLS, IMAGED_TOGETHER, SITE, WELL

_WORDS = re.compile(r"[a-z]+")
_SOLVENTS = frozenset({"dmso", "untreated", "vehicle", "mock", "pbs", "scrambled", "nontargeting"})
_USUAL = frozenset(CONTROLS) - {"none", "empty", "neg", "negative", "wt", "wildtype", "wild type"}
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|#+)", re.IGNORECASE)
_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|mrz|mär|mai|okt|dez|avr|juin|juil|août|déc|ago|dic"
_DATE = re.compile(
    rf"\d{{1,2}}(?:[- /]|\. ?)(?:{_MONTH})|(?:{_MONTH})[- /.]\d{{2}}|\d{{4}}-\d\d-\d\d(?: 00:00:00)?"
    r"|\d{1,2}[./]\d{1,2}[./](?:\d\d){1,2}",
    re.IGNORECASE,
)

FEW_CELLS = 50
"""A condition with fewer training cells than this is learned by heart rather than understood."""


def plate_column(table: pd.DataFrame, label: Sequence[str] = ()) -> str | None:
    """Return the column that says which cells were imaged together and is no label, or None."""
    return IMAGED_TOGETHER.find(table, but=label)


def table_concerns(
    table: pd.DataFrame,
    label: Sequence[str],
    control: str | None,
    held: NDArray[np.bool_] | None = None,
    *,
    size: int | None = None,
    fields: bool = False,
) -> tuple[Concern, ...]:
    """Look for what is doubtful about conditions, plates and what is held out.

    Parameters
    ----------
    table
        One row a cell, ready crop or whole field.
    label, control
        Columns that name conditions, and the control's name; no control where batches are corrected.
    held
        (N,) whether each row is held out; None where nothing is.
    size
        Crop side in pixels, to see which crops overlap; None where cells have no place.
    fields
        The rows are whole fields, so that cells are not counted.

    Raises
    ------
    ConditionError
        If a label column is not in the table.
    """
    names = pd.Series(condition_names(table, label, control))
    held = np.zeros(len(table), bool) if held is None else np.asarray(held, bool)
    plate = plate_column(table, label)
    plates = None if plate is None else pd.Series(condition_names(table, [plate]))
    own = None if control is None else shortest(control)
    found = []
    if (blank := (names == "").to_numpy(bool)).any() and not blank.all():
        found.append(_unlabelled(int(blank.sum()), label, fields))
        rows = np.flatnonzero(~blank)
        table, names, held = table.iloc[rows].reset_index(drop=True), names[rows].reset_index(drop=True), held[rows]
        plates = None if plates is None else plates[rows].reset_index(drop=True)
    if len(names) and names.nunique() == 1:
        found.append(_one_condition(str(names.iloc[0]), label))
    raw = pd.Series(condition_names(table, label))
    found += _spelled(raw.value_counts(), set() if own is None else set(raw[names == own]))
    found += _of_spreadsheets(raw.value_counts(), dated=all(map(IMAGED_TOGETHER.fits, label)))
    if own is not None:
        found += _other_controls(raw[names != own].value_counts(), own)
    found += [*_parted(names, held, own, plate), *_overlaps(table, held, size, fields)]
    if plates is not None and plates.nunique() > 1:
        found += _by_plate(names, plates, str(plate), own)
    if not fields:
        found += few_cells(names[~held].value_counts())
    if not held.any():
        found.append(_nothing_held(plates, str(plate)))
    return ranked(found)


def _one_condition(name: str, label: Sequence[str]) -> Concern:
    by = " and ".join(map(repr, label))
    return Concern(
        "untrained",
        f"Everything is {name!r} by {by}, and a training needs two conditions or more: choose another label, a plate "
        "map that names them, or a folder with others.",
    )


def _spelled(counts: pd.Series, controls: set[str]) -> list[Concern]:
    """Names that differ only in case or hyphens, each counted as a condition of its own, but those of the control."""
    found = []
    for one in spellings("condition", {str(name): int(count) for name, count in counts.items()}):
        ways = listed([f"{way!r} ({count:,})" for way, count in zip(one.ways, one.counts, strict=True)])
        if controls.issuperset(one.ways):
            text = f"{ways} are taken for spellings of one control: write them otherwise if they are not."
        else:
            text = f"{ways} may be one condition in {len(one.ways)} spellings: write them alike if they are."
        found.append(Concern("spelled", text))
    return found


def _other_controls(counts: pd.Series, control: str) -> list[Concern]:
    """Conditions that are called as untreated controls usually are, beside the one that is taken for it."""
    own = _SOLVENTS.intersection(_WORDS.findall(control.casefold()))
    alike = [
        str(name)
        for name in counts.index
        if str(name).casefold() in _USUAL or not own.isdisjoint(_WORDS.findall(str(name).casefold()))
    ]
    if not alike:
        return []
    each = listed([f"{name!r} ({counts[name]:,})" for name in alike])
    what = "is called as a control is, and was" if len(alike) == 1 else "are called as controls are, and were"
    text = (
        f"{each} {what} taken for a condition beside the control {control!r}: write them alike where they are the same."
    )
    return [Concern("spelled", text)]


def _of_spreadsheets(counts: pd.Series, *, dated: bool) -> list[Concern]:
    """Names that a spreadsheet has made: its errors, letters of another encoding, and dates of names of genes.

    `dated`: they are batches, which may well be called by a date.
    """
    names = [str(name) for name in counts.index]
    found = []
    if errors := [name for name in names if _ERROR.fullmatch(name)]:
        text = f"{listed(errors)} is how spreadsheets write an error, and was taken for a condition: correct the table."
        found.append(Concern("spreadsheet", text))
    if garbled := [f"{name!r} ({meant!r}?)" for name in names if (meant := _read_again(name)) != name]:
        text = (
            f"{listed(garbled)} {'look' if len(garbled) > 1 else 'looks'} like UTF-8 that a program took for another "
            "encoding: correct the table."
        )
        found.append(Concern("spreadsheet", text))
    if dates := [name for name in names if _DATE.fullmatch(name) and not dated]:
        text = (
            f"{listed(dates)} {'look' if len(dates) > 1 else 'looks'} like what spreadsheets make of names of genes "
            "(SEPT2, MARCH1, DEC1): correct the table if so."
        )
        found.append(Concern("spreadsheet", text))
    return found


def _read_again(name: str) -> str:
    """What a name says if its bytes are UTF-8 that was read as Windows-1252; itself where they are not."""
    try:
        return tidy(name.replace("μ", "µ").encode("cp1252").decode("utf-8"))
    except UnicodeError:
        return name


def _unlabelled(count: int, label: Sequence[str], fields: bool) -> Concern:
    one, what = count == 1, "image" if fields else "cell"
    return Concern(
        "unlabelled",
        f"{count:,} {what}{'s' * (not one)} {'has' if one else 'have'} no label ({', '.join(label)} is empty) and "
        f"{'is' if one else 'are'} left out: fill it in where {'it is' if one else 'they are'} of use.",
    )


def few_cells(counts: pd.Series, *, about: bool = False) -> list[Concern]:
    """Conditions with hardly any training cells; `counts` by condition, estimated where `about`."""
    few = counts[(counts > 0) & (counts < FEW_CELLS)].sort_values()
    if few.empty:
        return []
    word = "about " if about else ""
    if len(few) == 1:
        count = int(few.iloc[0])
        what = f"Only {word}{count:,} cell{'s' * (count != 1)} of {few.index[0]} to train on"
    else:
        each = listed([f"{name} {word}{count:,}" for name, count in few.items()])
        what = f"{len(few)} conditions have few cells to train on ({each})"
    return [Concern("few", f"{what}; with fewer than {FEW_CELLS} a model learns these cells by heart: add images.")]


def _parted(names: pd.Series, held: NDArray[np.bool_], control: str | None, plate: str | None) -> list[Concern]:
    """Conditions that are wholly held out, and those of which nothing is."""
    if not held.any():
        return []
    trained, scored = set(names[~held]), set(names[held])
    found = []
    lost = sorted(scored - trained)
    if control is not None and control in lost:
        found.append(Concern("untrained", f"All control cells ({control}) are held out: hold out less."))
        lost.remove(control)
    if lost:
        them = "it" if len(lost) == 1 else "them"
        found.append(
            Concern(
                "untrained",
                f"All cells of {listed(lost)} are held out, so the model never sees {them}: "
                "hold out something else, unless this is what you want to test.",
            )
        )
    without = sorted(trained - scored)
    if control is not None and control in without:
        text = f"No control cell ({control}) is held out, so the model cannot be scored: hold out more."
        found.append(Concern("unscored", text))
    elif without:
        them = "it" if len(without) == 1 else "them"
        text = (
            f"No cell of {listed(without)} is held out, so the scores say nothing of {them}: "
            f"hold out {'cells' if plate is None else f'a {plate}'} with {them}."
        )
        found.append(Concern("unscored", text))
    return found


def _by_plate(names: pd.Series, plates: pd.Series, plate: str, control: str | None) -> list[Concern]:
    """Plates without control, and conditions that are on one plate only."""
    found = []
    if control is not None:
        without = sorted(set(plates[names != control]) - set(plates[names == control]))
        if without:
            which, one = _which(plate, without), len(without) == 1
            text = (
                f"{which[0].upper()}{which[1:]} {'has' if one else 'have'} treated cells but no control ({control}), "
                f"so what is peculiar to the {plate} passes for an effect: add control images, or leave "
                f"{'it' if one else 'them'} out."
            )
            found.append(Concern("no control", text))
    counts = plates.groupby(names).nunique()
    alone = [name for name in counts.index[counts == 1] if name != control]
    if alone:
        one = len(alone) == 1
        where = _which(plate, [plates[names == alone[0]].iloc[0]]) if one else f"one {plate} each"
        text = (
            f"{listed(alone)} {'is' if one else 'are'} on {where} only, so what the {plate} does cannot be told from "
            f"what the condition does, nor can {'it' if one else 'they'} be held out by {plate}: add another {plate}."
        )
        found.append(Concern("one plate", text))
    return found


def _which(column: str, values: Sequence[str]) -> str:
    return f"{column}{'s' * (len(values) > 1)} {listed(values)}"


def _nothing_held(plates: pd.Series | None, plate: str) -> Concern:
    several = plates is not None and plates.nunique() > 1
    what = f"hold out one {plate}." if several else "with images of another plate there would be one to hold out."
    return Concern(
        "nothing held out",
        f"Nothing is held out, so the scores will tell how well the model knows its own cells, not new ones: {what}",
    )


def _overlaps(table: pd.DataFrame, held: NDArray[np.bool_], size: int | None, fields: bool) -> list[Concern]:
    """Held-out crops that show a part of what is trained on."""
    if fields or not held.any() or held.all():
        return []
    advice = "so the scores would be too good: hold out by plate, never by cell."
    places = _places(table)
    if places is not None and size is not None:
        trained = cKDTree(places[~held])
        nearest, _ = trained.query(places[held], distance_upper_bound=size, p=np.inf)
        count = int(np.isfinite(nearest).sum())
        if not count:
            return []
        text = f"{count:,} of {int(held.sum()):,} held-out crops overlap crops that are trained on, {advice}"
        return [Concern("overlap", text)]
    sites = [name for name in (WELL + SITE).all(table) if table[name].nunique() < len(table)]
    if not sites:
        return []
    if (plate := plate_column(table)) is not None:
        sites.insert(0, plate)
    names = pd.Series(condition_names(table, sites))
    both = sorted(set(names[held]) & set(names[~held]))
    if not both:
        return []
    text = f"Held-out and training crops come from the same images ({listed(both)}) and may overlap, {advice}"
    return [Concern("overlap", text)]


def _places(table: pd.DataFrame) -> NDArray[np.float64] | None:
    """(N, 3) field, row and column of each cell, the fields far apart; None where no two cells share a field."""
    if not {"field", "y", "x"} <= set(table.columns) or table["field"].nunique() == len(table):
        return None
    places = table[["y", "x"]].to_numpy(float)
    if not np.isfinite(places).all():
        return None
    far = 10 * (np.ptp(places) + 1e4)
    return np.column_stack([pd.factorize(table["field"])[0] * far, places])
