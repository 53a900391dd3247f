"""What a feature space is: a way to describe a cell by numbers, in which sets of cells are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_impa.watch import UNWATCHED, Watch


class DescribeCells(Protocol):
    """A function that describes each cell by numbers, which depend on no other cell."""

    def __call__(
        self, pixels: NDArray[Any], limits: NDArray[np.float64], /, *, watch: Watch = UNWATCHED
    ) -> NDArray[np.float64]:
        """(N, D) numbers of cells (N, C, S, S) in the camera's units.

        `limits` (C, 2) are the lower and upper intensity of each channel; `watch` is asked before every few cells
        whether to go on.

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
    """

    name: str
    title: str
    describe: DescribeCells
