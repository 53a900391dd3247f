"""The illumination profiles that Harmony keeps of an Opera Phenix or Operetta: polynomials, one a channel."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.cells.illumination.flat_field import positive
from napari_impa.errors import SourceError

_WORD = re.compile(r"[A-Za-z_][^,:{}\[\]\"]*(?::\s*\d{4})?")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class HarmonyProfile:
    """The profile of what fluoresces (`Foreground`), a polynomial of the pixel's place.

    The value at column c and row r is Σ a[n][k] x^(n-k) y^k with (x, y) = ((c, r) - origin) · scale; here it is divided
    by its mean. The profile of the background, which Harmony subtracts, is left alone, so that pixels keep the camera's
    units.

    Parameters
    ----------
    coefficients
        a[n][k], n + 1 of them of each order n.
    size
        Columns and rows of the images that it is of.
    origin, scale
        Of columns and rows.
    """

    coefficients: tuple[tuple[float, ...], ...]
    size: tuple[int, int]
    origin: tuple[float, float]
    scale: tuple[float, float]

    @classmethod
    def of(cls, text: str) -> HarmonyProfile | None:
        """Understand the text of a `FlatfieldProfile`; None where it has none of what fluoresces."""
        try:
            said = ast.literal_eval(_as_python(text))
            profile = said["Foreground"]["Profile"]
            if profile["Type"] != "Polynomial":
                return None
            return cls(
                tuple(tuple(map(float, order)) for order in profile["Coefficients"]), _pair(int, profile["Dims"]),
                _pair(float, profile["Origin"]), _pair(float, profile["Scale"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, SyntaxError, MemoryError, RecursionError):
            return None

    def check(self) -> None:
        """Nothing can be wrong before it is used."""

    def over(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Its values, divided by their mean."""
        width, height = self.size
        if shape != (height, width):
            raise SourceError(
                f"The illumination profile of the index is of {height}×{width} px, and the images are "
                f"{shape[0]}×{shape[1]} px; read them without it (--illumination none)."
            )
        x = ((np.arange(width) - self.origin[0]) * self.scale[0])[None]
        y = ((np.arange(height) - self.origin[1]) * self.scale[1])[:, None]
        values = np.zeros(shape)
        for order, row in enumerate(self.coefficients):
            for power, factor in enumerate(row[: order + 1]):
                values += factor * x ** (order - power) * y**power
        return positive(values / values.mean(), "The illumination profile of the index")


def _as_python(text: str) -> str:
    """Quote the bare words of the text, which is JSON but for that."""
    parts = []
    place = 0
    for quoted in _QUOTED.finditer(text):
        parts += [_quote(text[place : quoted.start()]), quoted[0]]
        place = quoted.end()
    return "".join([*parts, _quote(text[place:])]).strip()


def _quote(text: str) -> str:
    # not the exponent of a number
    return re.sub(rf"(?<![\w.]){_WORD.pattern}", lambda word: repr(word[0].strip()), text)


def _pair(kind: Any, values: Any) -> tuple[Any, Any]:
    first, second = values
    return kind(first), kind(second)
