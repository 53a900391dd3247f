"""Wells that a microscope only numbers, along the rows of a plate whose size it does not say."""

from __future__ import annotations

from collections.abc import Iterable

from napari_impa.cells.choice import LayoutChoice
from napari_impa.cells.wells import PLATE_FORMATS, numbered_well
from napari_impa.errors import SourceError

_COMMON = (96, 384, 1536)


def wells_by_number(numbers: Iterable[int], choice: LayoutChoice, title: str) -> tuple[dict[int, str], str]:
    """Name wells by their numbers from 1; the plate has as many wells as is chosen, or is guessed.

    Guessed is the smallest of the usual plates, of 96, 384 or 1536 wells, that has all of them.

    Parameters
    ----------
    title
        Of the microscope, to be said.

    Returns
    -------
    Their names, and what was guessed, empty where nothing was.

    Raises
    ------
    SourceError
        If no plate, or not the one chosen, has all of these wells.
    """
    all_numbers = sorted(set(numbers))
    highest = all_numbers[-1] if all_numbers else 1
    size = choice.wells
    if size is not None and highest > size:
        raise SourceError(f"A plate of {size} wells has no well {highest}, which {title} numbers; choose a larger one.")
    guessed = next((count for count in _COMMON if highest <= count), None)
    if guessed is None:
        raise SourceError(f"{title} numbers a well {highest}, and plates have at most {max(PLATE_FORMATS)} wells.")
    names = {number: numbered_well(number, size or guessed).name for number in all_numbers}
    if size is not None or not names:
        return names, ""
    return names, (
        f"{title} only numbers the wells, {all_numbers[0]} to {highest}; a plate of {guessed} wells was taken "
        f"(guessed), on which well {highest} is {names[highest]}; where it has another size, say so with --wells."
    )
