"""What a feature space is: a way to describe a cell by numbers, in which sets of cells are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.published_weights import PublishedWeights
from napari_impa.errors import CellsError
from napari_impa.watch import UNWATCHED, Watch

Family = Literal["intensity", "texture", "radial distribution", "correlation", "shape"]

FAMILIES: tuple[Family, ...] = get_args(Family)
"""What measurements with names are told apart by, in the order in which they are shown."""


@dataclass(frozen=True)
class Measurement:
    """A number of a cell that has a name.

    Parameters
    ----------
    name
        What tables call it: CellProfiler's name, as in `Nuclei_Texture_Contrast_3_00_DAPI`.
    title
        What a biologist reads: "DAPI: contrast of the texture in the nucleus".
    family
        Its family.
    channels
        Names of the channels that it is measured on; none where it is the shape of a mask.
    """

    name: str
    title: str
    family: Family
    channels: tuple[str, ...] = ()


class DescribeCells(Protocol):
    """A function that describes each cell by numbers, which depend on no other cell."""

    def __call__(
        self, pixels: NDArray[Any], limits: NDArray[np.float64], /, *, nuclei: int = 0, watch: Watch = UNWATCHED
    ) -> NDArray[np.float64]:
        """(N, D) numbers of cells (N, C, S, S) in the camera's units; NaN where one cannot be measured.

        `limits` (C, 2) are the lower and upper intensity of each channel, `nuclei` is the number of the channel that
        shows nuclei, for spaces that look for them; `watch` is asked before every few cells whether to go on.

        Raises
        ------
        CellsError
            If the limits do not fit the channels.
        """


@dataclass(frozen=True)
class FeatureSpace:
    """A way to describe cells.

    Parameters
    ----------
    name, title
        What a script and what a report calls it.
    describe
        Describes them.
    columns
        The measurements that the D numbers are, given the names of the channels; None where they have no names.
    missing
        A sentence that says what to install or to fetch where the space cannot be used now; empty where it can.
    weights
        What is fetched for it, when it is asked for; None where nothing is.
    """

    name: str
    title: str
    describe: DescribeCells
    columns: Callable[[Sequence[str]], tuple[Measurement, ...]] | None = None
    missing: Callable[[], str] = str
    weights: PublishedWeights | None = None


def checked_crops(
    pixels: NDArray[Any], limits: NDArray[np.float64], nuclei: int = 0
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Crops and limits as arrays, where they fit each other.

    Raises
    ------
    CellsError
        If the limits do not fit the channels, or there is no channel of that number to show nuclei.
    """
    pixels, limits = np.asarray(pixels), np.asarray(limits, np.float64)
    if pixels.ndim != 4:
        raise CellsError(f"Features need pixels of shape (cells, channels, side, side), not {pixels.shape}.")
    channels = pixels.shape[1]
    if limits.shape != (channels, 2) or not (limits[:, 1] > limits[:, 0]).all():
        raise CellsError(f"Features need a lower and a higher limit for each of the {channels} channels.")
    if not 0 <= nuclei < channels:
        raise CellsError(f"There is no channel {nuclei} to show nuclei: the cells have {channels}.")
    return pixels, limits
