"""The illumination function of a channel, and the division of pixels by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_impa.errors import SourceError, brief


class FlatField(Protocol):
    """What the pixels of a channel are divided by."""

    def check(self) -> None:
        """Refuse to go on where it is not to be had; reads nothing.

        Raises
        ------
        SourceError
            If so.
        """

    def over(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """(H, W) positive numbers.

        Raises
        ------
        SourceError
            If it is of fields of another size, or cannot be read.
        """


@dataclass(frozen=True)
class FunctionFile:
    """An illumination function as CellProfiler writes it, `.npy`.

    Parameters
    ----------
    file
        Of an (H, W) array.
    """

    file: Path

    def check(self) -> None:
        """Nothing can be wrong before it is read."""

    def over(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Read it, once."""
        function = _read(str(self.file))
        if function.shape != shape:
            raise SourceError(_other_size(f"The illumination function {self.file} is", function.shape, shape))
        return function


@dataclass(frozen=True)
class NoFunction:
    """Stands for a function that is missing, and says which."""

    why: str

    def check(self) -> None:
        """Say so."""
        raise SourceError(self.why)

    def over(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Say so."""
        raise SourceError(self.why)


def divided(pixels: NDArray[Any], functions: Sequence[FlatField]) -> NDArray[Any]:
    """Divide each channel by its illumination function.

    Parameters
    ----------
    pixels
        (C, H, W) of any real type.
    functions
        C of them.

    Returns
    -------
    (C, H, W) of the same type: whole numbers rounded to the nearest (halves to even) and held within the type's range.
    """
    height, width = pixels.shape[1:]
    out = np.empty_like(pixels)
    for channel, function in enumerate(functions):
        quotient = pixels[channel] / function.over((height, width))
        if pixels.dtype.kind in "ui":
            limits = np.iinfo(pixels.dtype)
            quotient = np.clip(np.rint(quotient), limits.min, limits.max)
        out[channel] = quotient
    return out


@lru_cache(maxsize=64)  # a plate has one a channel, and a hundred plates are read one after the other
def _read(file: str) -> NDArray[np.float32]:
    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(
            f"The illumination function {file} cannot be read ({brief(error)}); bring it again."
        ) from error
    function = np.squeeze(array)
    if function.ndim != 2 or function.dtype.kind not in "fui":
        shape = "×".join(map(str, array.shape))
        raise SourceError(f"{file} is no illumination function: it has the shape {shape}, and not rows and columns.")
    return positive(function, f"The illumination function {file}")


def positive(function: NDArray[Any], what: str) -> NDArray[np.float32]:
    """The function as float32, if nothing would be divided by zero.

    Raises
    ------
    SourceError
        If it would.
    """
    function = np.ascontiguousarray(function, np.float32)
    if not (np.isfinite(function).all() and function.min() > 0):
        raise SourceError(f"{what} holds values that are not above 0, by which nothing can be divided; make it anew.")
    function.flags.writeable = False
    return function


def _other_size(what: str, own: tuple[int, ...], shape: tuple[int, int]) -> str:
    return f"{what} {own[0]}×{own[1]} px but its image {shape[0]}×{shape[1]} px; use functions made of these images."
