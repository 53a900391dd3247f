"""Illumination functions estimated from the fields of a plate, as CellProfiler's CorrectIlluminationCalculate does.

Its `Regular` method over all images, smoothed by a median filter: what is in the same place of all fields is not the
cells. Each field is divided by its own mean first, so that one bright field does not make the function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_impa.cells.illumination.flat_field import positive
from napari_impa.errors import SourceError

MOST_FIELDS = 64
"""Fields of a plate that are looked at, evenly spread; more change the function little."""

_SIDE = 128  # px of the reduced images: a function is smooth
_WINDOW = 1 / 4  # of a side, over which the median is taken
_LOWEST = 2  # per cent of the pixels lie below what becomes 1, as CellProfiler rescales


class PlateIllumination:
    """The functions of all channels of a plate, made when they are first asked for.

    Parameters
    ----------
    fields
        Each reads the pixels (C, H, W) of one field.
    name
        Of the plate.
    """

    def __init__(self, fields: Sequence[Callable[[], NDArray[Any]]], name: str) -> None:
        rows = np.unique(np.linspace(0, len(fields) - 1, MOST_FIELDS).round().astype(int))
        self._fields = [fields[row] for row in rows]
        self._name = name

    def __getstate__(self) -> dict[str, Any]:
        """What other processes get: the estimate, made here once, and not the fields to make it of."""
        return {"_fields": [], "_name": self._name, "reduced": self.reduced}

    @cached_property
    def functions(self) -> NDArray[np.float32]:
        """(C, H, W); errors as `reduced`."""
        reduced, shape = self.reduced
        what = f"The illumination of {self._name}, as estimated,"
        return np.stack([positive(_enlarged(channel, shape), what) for channel in reduced])

    @cached_property
    def reduced(self) -> tuple[NDArray[np.float64], tuple[int, int]]:
        """(C, h, w) of the reduced fields, and rows and columns of whole ones.

        Raises
        ------
        SourceError
            If fields differ in size, or a field cannot be read.
        """
        total: NDArray[np.float64] | None = None
        shape: tuple[int, ...] = ()
        for read in self._fields:
            pixels = read()
            shape = shape or pixels.shape
            if pixels.shape != shape:
                raise SourceError(
                    f"The illumination of {self._name} cannot be estimated: its fields differ in size, "
                    f"{shape[1]}×{shape[2]} and {pixels.shape[1]}×{pixels.shape[2]} px; read those of one size."
                )
            reduced = _reduced(pixels)
            mean = reduced.mean(axis=(1, 2), keepdims=True)
            part = np.where(mean > 0, reduced / np.where(mean > 0, mean, 1), 1.0)
            total = part if total is None else total + part
        assert total is not None, "a plate has a field"
        return np.stack([_smooth(channel / len(self._fields)) for channel in total]), (shape[1], shape[2])


@dataclass(frozen=True, eq=False)
class EstimatedFunction:
    """The function of one channel of a plate."""

    plate: PlateIllumination
    channel: int

    def check(self) -> None:
        """Nothing can be wrong before fields are read."""

    def over(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Estimate it, once a plate."""
        function: NDArray[np.float32] = self.plate.functions[self.channel]
        if function.shape != shape:
            height, width = function.shape
            raise SourceError(
                f"The illumination was estimated from fields of {height}×{width} px, and one is {shape[0]}×{shape[1]} "
                "px; read those of one size."
            )
        return function


def estimated_functions(
    fields: Sequence[Callable[[], NDArray[Any]]], channels: int, name: str
) -> tuple[EstimatedFunction, ...]:
    """The functions of a plate's channels, which are estimated when the first is asked for.

    Parameters
    ----------
    fields
        Each reads the pixels (C, H, W) of one field.
    channels
        How many there are.
    name
        What the plate is called where something is wrong.
    """
    plate = PlateIllumination(fields, name)
    return tuple(EstimatedFunction(plate, channel) for channel in range(channels))


def _reduced(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Block means, of at most `_SIDE` px a side; what does not fill a block at the far sides is left out."""
    _, height, width = pixels.shape
    by = [max(1, -(-side // _SIDE)) for side in (height, width)]
    rows, columns = height // by[0], width // by[1]
    whole = np.nan_to_num(pixels[:, : rows * by[0], : columns * by[1]].astype(np.float64))
    return np.asarray(whole.reshape(len(pixels), rows, by[0], columns, by[1]).mean(axis=(2, 4)))


def _smooth(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without what is smaller than a window, its lowest values 1."""
    window = [max(3, int(side * _WINDOW) | 1) for side in mean.shape]
    around = [(min(side, length - 1),) * 2 for side, length in zip(window, mean.shape, strict=True)]
    # continued with its slope: corners, which are darkest, would else be taken for brighter than they are
    wide = np.pad(mean, around, mode="reflect", reflect_type="odd")
    wide = ndimage.median_filter(wide, size=window, mode="nearest")
    wide = ndimage.gaussian_filter(wide, [side / 4 for side in window], mode="nearest")
    (top, _), (left, _) = around
    smooth = wide[top : top + mean.shape[0], left : left + mean.shape[1]]
    return np.asarray(smooth / max(np.percentile(smooth, _LOWEST), np.finfo(float).tiny))


def _enlarged(function: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Values at the pixels of the whole field, linear between the blocks' middles."""
    for axis, side in enumerate(shape):
        by = max(1, -(-side // _SIDE))
        place = np.clip((np.arange(side) + 0.5) / by - 0.5, 0, function.shape[axis] - 1)
        before = np.floor(place).astype(int)
        after = np.minimum(before + 1, function.shape[axis] - 1)
        part = np.expand_dims(place - before, 1 - axis)
        function = function.take(before, axis) * (1 - part) + function.take(after, axis) * part
    return function
