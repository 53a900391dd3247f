"""The pixels under one mask of each crop, in one long row: sums, quantiles and the like of all crops at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_impa.analysis.features.space import Family, Measurement

Columns = list[tuple[Measurement, NDArray[np.float64]]]
"""Measurements, each with its number (n,) in n crops; NaN where there is nothing under the mask."""


@dataclass(frozen=True)
class MaskName:
    """What a mask is called: in names of measurements, and in their titles."""

    name: str
    title: str


NUCLEI = MaskName("Nuclei", "nucleus")
CELLS = MaskName("Cells", "cell")


@dataclass(frozen=True, eq=False)
class UnderMask:
    """What is under one mask of each crop.

    Parameters
    ----------
    mask
        What the mask is called.
    masks
        (n, S, S).
    scaled
        (n, C, S, S) intensities.
    channels
        Names of the C channels.
    """

    mask: MaskName
    masks: NDArray[np.bool_]
    scaled: NDArray[np.float64]
    channels: tuple[str, ...]

    @cached_property
    def where(self) -> NDArray[np.intp]:
        """(k,) positions of the pixels in the flattened masks."""
        return np.flatnonzero(self.masks)

    @cached_property
    def crop(self) -> NDArray[np.intp]:
        """(k,) the number of the crop of each pixel."""
        return np.asarray(self.where // max(1, self.masks.shape[1] * self.masks.shape[2]))

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """(k,)."""
        return np.asarray(self.where // max(1, self.masks.shape[2]) % max(1, self.masks.shape[1]))

    @cached_property
    def columns(self) -> NDArray[np.intp]:
        """(k,)."""
        return np.asarray(self.where % max(1, self.masks.shape[2]))

    @cached_property
    def count(self) -> NDArray[np.float64]:
        """(n,) pixels of each crop; NaN where there is none, so that whatever is divided by it is."""
        count = (self.ends - self.starts).astype(np.float64)
        return np.where(count > 0, count, np.nan)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """(C, k) intensities."""
        return self.under(self.scaled)

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """(C, n) mean intensities."""
        return self.mean(self.values)

    @cached_property
    def depth(self) -> NDArray[np.float64]:
        """(n, S, S) distance in pixels to what is not under the mask, as what is beyond the crop's edge counts, too."""
        out = np.zeros(self.masks.shape)
        for number, box in enumerate(self.boxes):
            if box is not None:
                inside = ndi.distance_transform_edt(np.pad(self.masks[number][box], 1))
                out[number][box] = inside[1:-1, 1:-1]
        return out

    @cached_property
    def boxes(self) -> list[tuple[slice, slice] | None]:
        """The part of each crop that its mask fills."""
        return [(ndi.find_objects(mask.view(np.uint8), 1) or [None])[0] for mask in self.masks]

    @cached_property
    def filled(self) -> NDArray[np.intp]:
        """Numbers of the crops whose mask is not empty."""
        return np.flatnonzero(self.ends - self.starts)

    @cached_property
    def ends(self) -> NDArray[np.intp]:
        """(n,) where the pixels of each crop end in the row of all."""
        return np.bincount(self.crop, minlength=len(self.masks)).cumsum()

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """(n,) where they start."""
        return np.concatenate([np.zeros(min(1, len(self.ends)), np.intp), self.ends[:-1]])

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, n) of numbers (…, k); 0 where there is nothing under the mask."""
        return self._gathered(np.add, values)

    def greatest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, n) of numbers (…, k) that are not negative; 0 where there is none."""
        return self._gathered(np.maximum, values)

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(…, n) of numbers (…, k)."""
        return self.sums(values) / self.count

    def under(self, maps: NDArray[np.float64]) -> NDArray[np.float64]:
        """(C, k) of maps (n, C, S, S)."""
        return np.stack([maps[:, number].ravel()[self.where] for number in range(maps.shape[1])])

    def _gathered(self, how: np.ufunc, values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros((*values.shape[:-1], len(self.masks)))
        if len(self.filled):
            out[..., self.filled] = how.reduceat(values, self.starts[self.filled], -1, np.float64)
        return out

    def in_order(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, most) numbers (k,) of each crop from the least to the greatest, and NaN to fill up."""
        out = np.full((len(self.masks), max(1, (self.ends - self.starts).max(initial=0))), np.nan)
        out[self.crop, np.arange(len(values)) - self.starts[self.crop]] = values
        out.sort(axis=1)
        return out

    def quantile(self, ordered: NDArray[np.float64], share: float) -> NDArray[np.float64]:
        """(n,) quantile of numbers in order, between neighbours in proportion."""
        at = np.nan_to_num((self.count - 1) * share)
        lower, row = np.floor(at).astype(np.intp), np.arange(len(at))
        low, high = ordered[row, lower], ordered[row, np.ceil(at).astype(np.intp)]
        return low + (high - low) * (at - lower)

    def named(
        self, family: Family, name: str, title: str, numbers: NDArray[np.float64], *channels: str
    ) -> tuple[Measurement, NDArray[np.float64]]:
        """One measurement under this mask, with its numbers; `title` is what stands before the name of the mask."""
        measurement = Measurement(f"{self.mask.name}_{name}", f"{title} {self.mask.title}", family, channels)
        return measurement, np.where(np.isnan(self.count), np.nan, numbers)
