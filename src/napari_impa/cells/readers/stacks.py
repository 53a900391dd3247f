"""Image files that hold Z planes or times: which of them is read, or their maximum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_impa.errors import SourceError


class StackError(SourceError):
    """A file holds Z planes or times, and nothing was said of which are read.

    Parameters
    ----------
    message
        The sentence.
    planes, times
        How many it holds.
    """

    def __init__(self, message: str, planes: int = 1, times: int = 1) -> None:
        super().__init__(message)
        self.planes, self.times = planes, times


@dataclass(frozen=True)
class StackChoice:
    """What is read of such a file.

    Parameters
    ----------
    z
        The maximum of all planes, the sharpest, or the plane of this number, from 1.
    time
        Number of the time, from 1.
    """

    z: Literal["max", "sharpest"] | int = "max"
    time: int = 1

    def applied(self, array: NDArray[Any], axes: str, path: Path) -> tuple[NDArray[Any], str]:
        """Take what is chosen out of an array with named axes (`TCZYX`).

        Raises
        ------
        SourceError
            If the file has no such plane or time.
        """
        if "T" in axes:
            array = np.take(array, _index(self.time, array.shape[axes.index("T")], "times", path), axes.index("T"))
            axes = axes.replace("T", "")
        if "Z" in axes:
            at = axes.index("Z")
            if isinstance(self.z, int):
                array = np.take(array, _index(self.z, array.shape[at], "Z planes", path), at)
            elif self.z == "max":
                array = array.max(at)
            else:
                planes = np.moveaxis(array, at, 0)
                array = planes[int(np.argmax([sharpness(plane) for plane in planes]))]
            axes = axes.replace("Z", "")
        return array, axes

    def words(self, planes: int, times: int) -> str:
        """Say what is read of files with so many planes and times."""
        said = []
        if planes > 1:
            how = {"max": "maximum projection of", "sharpest": "the sharpest of"}
            said.append(f"{how.get(str(self.z), f'plane {self.z} of')} {planes} Z planes a file")
        if times > 1:
            which = f"time {self.time}" if self.time > 1 else "the first"
            said.append(f"{which} of {times} times a file")
        return "; ".join(said)


def _index(number: int, count: int, what: str, path: Path) -> int:
    if not 1 <= number <= count:
        raise SourceError(f"{path} has {count} {what}, not {number}; choose another, or leave the file out.")
    return number - 1


def sharpness(pixels: NDArray[Any]) -> float:
    """How sharp an image is: the variance of its Laplacian over its mean squared.

    Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000; the mean makes planes of different
    brightness, as bleaching leaves them, comparable.
    """
    values = np.asarray(pixels, np.float32)
    curved: NDArray[Any] = ndimage.correlate1d(values, (1, -2, 1), axis=-2)  # older scipy has no `axes` of `laplace`
    laplacian = curved + ndimage.correlate1d(values, (1, -2, 1), axis=-1)
    return float(laplacian.var() / max(float(values.mean()) ** 2, np.finfo(float).tiny))
