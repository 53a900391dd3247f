"""A setting of a segmenter: what a form, a command line and a script need to know to ask for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from napari_impa.errors import CellsError


@dataclass(frozen=True)
class Setting:
    """A number that a segmenter can be given.

    Parameters
    ----------
    name, title
        What a script and what a dock calls it.
    default, low, high, step
        Of the type that is wanted, int or float.
    help
        What it does, in a sentence.
    unit
        Of the value, or an empty text.
    automatic
        What the lowest value means, where it is not taken as a number.
    """

    name: str
    title: str
    default: float
    low: float
    high: float
    step: float
    help: str
    unit: str = ""
    automatic: str = ""

    def checked(self, value: object, segmenter: str) -> float:
        """The value as a number; it may be a text, as on a command line.

        Raises
        ------
        CellsError
            If it is no number, or none between `low` and `high`.
        """
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not self.low <= number <= self.high:
            lowest = f" ({self.low:g}: {self.automatic})" if self.automatic else ""
            raise CellsError(
                f"{segmenter}: {self.name} is a number{f' of {self.unit}' if self.unit.isalpha() else ''} from "
                f"{self.low:g} to {self.high:g}{lowest}, not {value!r}."
            )
        return int(number) if number.is_integer() else number


def setting(
    title: str, default: float, low: float, high: float, step: float, help: str, *, unit: str = "", automatic: str = ""
) -> Any:
    """Declare a setting, as a field of a segmenter's dataclass; the parameters are those of `Setting`."""
    about = {"title": title, "default": default, "low": low, "high": high, "step": step, "help": help}
    return field(default=default, metadata={**about, "unit": unit, "automatic": automatic})
