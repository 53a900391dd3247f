"""A picture of a plate, as data: what is in each well, where the controls are, and which wells have no images.

It is drawn as text here, and in colours by whoever shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_letters

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_impa.cells.plate_maps.join import JoinReport
from napari_impa.cells.tables import condition_names, shortest
from napari_impa.cells.wells import PLATE_FORMATS, Well, is_well, row_letters, smallest_plate
from napari_impa.cells.words import PLATE, WELL

CONTROL_MARK_SHOWN = "*"
UNKNOWN_SHOWN = "?"
MOST_SHOWN = 30
"""Conditions that the legend of a text picture names."""


@dataclass(frozen=True)
class PictureWell:
    """One well of a picture.

    Parameters
    ----------
    well
        Where it is.
    condition
        What is in it; empty where nothing says it. Several conditions are joined by ` / `.
    control
        Whether it is an untreated control.
    images
        How many fields or crops it has; 0 where only the plate map knows of it.
    held
        Whether all of them are held out of a training.
    """

    well: Well
    condition: str
    control: bool
    images: int
    held: bool = False


@dataclass(frozen=True)
class PlatePicture:
    """What is in the wells of one plate.

    Parameters
    ----------
    plate
        Its name; empty where none is known.
    rows, columns
        Of the smallest plate that has these wells.
    wells
        Those with images or in the plate map, row by row.
    """

    plate: str
    rows: int
    columns: int
    wells: tuple[PictureWell, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """The treated conditions, by name."""
        return tuple(sorted({one.condition for one in self.wells if one.condition and not one.control}))

    def at(self, row: int, column: int) -> PictureWell | None:
        """The well in a row and a column, from 0; None where nothing is known of it."""
        return next((one for one in self.wells if (one.well.row, one.well.column) == (row, column)), None)

    def text(self, letters: dict[str, str] | None = None) -> list[str]:
        """Draw it for a terminal: a letter a condition, `*` a control, `?` images of nobody knows what.

        Wells of the plate map without images are in brackets, and wells of which nothing is known a point.

        Parameters
        ----------
        letters
            Of each condition, as `letters_of` gives them; those of this plate's own where None.
        """
        letters = letters_of(self.conditions) if letters is None else letters
        wide = max(map(len, letters.values()), default=1)
        known = {(one.well.row, one.well.column): one for one in self.wells}
        named = f"Plate {self.plate}" if self.plate else "Plate"
        lines = [f"{named} ({self.rows} × {self.columns} wells)"]
        lines.append("   " + "".join(f"{column + 1:^{wide + 2}}" for column in range(self.columns)).rstrip())
        for row in range(self.rows):
            cells = [_drawn(known.get((row, column)), letters, wide) for column in range(self.columns)]
            lines.append(f"{row_letters(row):>2} {''.join(cells)}".rstrip())
        return lines


def _drawn(one: PictureWell | None, letters: dict[str, str], wide: int) -> str:
    if one is None:
        return f"{'.':^{wide + 2}}"
    unknown = UNKNOWN_SHOWN if one.images else ""
    sign = CONTROL_MARK_SHOWN if one.control else letters.get(one.condition, unknown)
    return f" {sign:<{wide}} " if one.images else f"({sign:<{wide}})"


def letters_of(conditions: Iterable[str]) -> dict[str, str]:
    """A letter for each condition: a to Z, or where there are more two letters."""
    names = list(dict.fromkeys(conditions))
    if len(names) <= len(ascii_letters):
        return dict(zip(names, ascii_letters, strict=False))
    pairs = (first + second for first in ascii_letters for second in ascii_letters)
    return dict(zip(names, pairs, strict=False))


def plate_pictures(
    table: pd.DataFrame,
    label: Sequence[str] = (),
    control: str | None = None,
    report: JoinReport | None = None,
    held: NDArray[np.bool_] | None = None,
) -> tuple[PlatePicture, ...]:
    """Make a picture of each plate of a table; none where it names no wells.

    Parameters
    ----------
    table
        One row a field or crop, as a source or cells have it.
    label, control
        Columns that name conditions, and the control's name.
    report
        Of the plate map, which knows wells without images.
    held
        (N,) whether each row is held out of a training; none where None.
    """
    well_column, plate_column = WELL.find(table), PLATE.find(table)
    if well_column is None:
        return ()
    names = condition_names(table, label, control) if label else np.full(len(table), "", object)
    whose = np.full(len(table), "", object) if plate_column is None else condition_names(table, [plate_column])
    texts = pd.Series([shortest(value) for value in table[well_column]], dtype=object)
    known = {text: Well.parse(text) for text in texts.unique() if is_well(text)}
    kept = texts.isin(list(known)).to_numpy(bool)
    out = np.zeros(len(table), bool) if held is None else held
    columns = {"plate": whose[kept], "well": texts[kept].map(known), "name": names[kept], "held": out[kept]}
    rows = pd.DataFrame(columns, dtype=object)
    found: dict[str, dict[Well, PictureWell]] = {}
    for (plate, well), of_well in rows.groupby(["plate", "well"], sort=True):
        several = sorted(set(of_well["name"]) - {""})
        is_control = control is not None and several == [shortest(control)]
        found.setdefault(plate, {})[well] = PictureWell(
            well, " / ".join(several), is_control, len(of_well), bool(of_well["held"].all())
        )  # fmt: skip
    for plate, text, condition in _without_images(report, label, control):
        well, is_control = Well.parse(text), control is not None and condition == shortest(control)
        found.setdefault(plate, {}).setdefault(well, PictureWell(well, condition, is_control, 0))
    pictures = []
    for plate in sorted(found):
        wells = found[plate]
        shape = PLATE_FORMATS[smallest_plate(wells)]
        pictures.append(PlatePicture(plate, *shape, tuple(wells[well] for well in sorted(wells))))
    return tuple(pictures)


def _without_images(
    report: JoinReport | None, label: Sequence[str], control: str | None
) -> Iterator[tuple[str, str, str]]:
    """Plate, well and condition of the wells that the plate map alone knows."""
    if report is None or not report.without_images:
        return iter(())
    said = pd.DataFrame(list(report.said_without_images), index=range(len(report.without_images)))
    known = bool(label) and set(label) <= set(said.columns)
    names = condition_names(said, label, control) if known else [""] * len(said)
    return ((plate, well, name) for (plate, well), name in zip(report.without_images, names, strict=True))


def pictures_text(pictures: Sequence[PlatePicture], most: int = 4) -> list[str]:
    """Draw plates below each other with one legend; of many, the first few."""
    letters = letters_of(sorted({name for picture in pictures for name in picture.conditions}))
    lines: list[str] = []
    for picture in pictures[:most]:
        lines += [*picture.text(letters), ""]
    if len(pictures) > most:
        lines += [f"and {len(pictures) - most} plates more", ""]
    shown = pictures[:most]
    signs = [f"{letters[name]} {name}" for name in letters][:MOST_SHOWN]
    more = len(letters) - len(signs)
    controls = sorted({one.condition for picture in shown for one in picture.wells if one.control})
    signs = [f"{CONTROL_MARK_SHOWN} {name} (control)" for name in controls] + signs
    if any(one.images and not one.condition for picture in shown for one in picture.wells):
        signs.append(f"{UNKNOWN_SHOWN} nothing says what")
    if any(not one.images for picture in shown for one in picture.wells):
        signs.append("( ) no images")
    return [*lines, "  ".join(signs) + (f"  and {more} more" if more > 0 else "")] if lines else []
