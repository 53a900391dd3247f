"""Difference: predicted − control, on colours that are black where nothing changed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_impa.viewer.perturb.views.maps import Maps

CHANGE = Colormap([[0.25, 0.65, 1.0], [0.0, 0.0, 0.0], [1.0, 0.55, 0.1]], name="less to more")
"""Blue where the predicted cell is darker, black where nothing changed, orange where it is brighter."""


_ROUND = (1, 2, 3, 5, 7, 10)


def round_reach(reach: float) -> float:
    """The nearest of 1, 2, 3, 5 and 7 times a power of ten, at which a colour bar has numbers beside its 0.

    >>> round_reach(1790.0), round_reach(0.0036)
    (2000.0, 0.003)
    """
    power = 10.0 ** math.floor(math.log10(reach))
    return power * min(_ROUND, key=lambda one: abs(math.log(reach / power / one)))


class Difference(Maps):
    """Predicted − control; limits are about half the channel's contrast, whatever is shown."""

    title = "difference"
    tip = "Predicted − control, one pane a channel: blue where darker, orange where brighter, black where equal."

    def _colours(self, channel: int) -> tuple[Any, tuple[float, float]]:
        reach = round_reach(self._contrast(channel) / 2)
        return CHANGE, (-reach, reach)

    def _change(self, rows: slice, pixels: NDArray[Any], channel: int) -> NDArray[Any]:
        change: NDArray[Any] = pixels[:, channel].astype(np.float32) - self.found.cells.pixels[rows, channel]
        return change

    def _layer_name(self, text: str, channel: str) -> str:
        return f"Δ {channel} · {text}"
