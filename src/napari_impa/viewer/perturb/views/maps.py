"""Maps of a prediction, one pane a target and channel: what changed, and how sure the model is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_impa.viewer.perturb.prediction import Predicted, Request, Spread, SpreadBlock
from napari_impa.viewer.perturb.views.view import TEXT, AboutTarget, Stacks

DIFFERENCE, UNCERTAINTY = "difference", "uncertainty"

CHANGE = Colormap([[0.25, 0.65, 1.0], [0.0, 0.0, 0.0], [1.0, 0.55, 0.1]], name="less to more")
"""Blue where the predicted cell is darker, black where nothing changed, orange where it is brighter."""

ONE_ROW, MORE_ROWS = (20, 110), (12, 64)
"""Width and height of colour bars in pixels of the screen, so that they leave the crops free."""

_HIGH = 0.999
"""Quantile of the first cell's spread at which the colour of an uncertainty map ends."""


class _Maps(Stacks):
    """Maps that share colours, each with its colour bar: a row a target and a column a channel, or as they fit best."""

    def _open(self, hide: Sequence[Layer]) -> None:
        channels = range(len(self._channels))
        self.stacks = [[self._map(channel) for channel in channels] for _ in self.targets]
        for number in self.targets:
            self._tell(self.stacks[number], "predicted", {})
        if len(self.targets) > 1:
            self._link(self.stacks)
        every = [layer for layers in self.stacks for layer in layers]
        columns = len(channels) if len(self.targets) > 1 else 0
        self.panes.show(every[::-1], hide=hide, stride=1, columns=columns)

    @property
    def _coloured(self) -> Sequence[Image]:
        return ()

    def _map(self, channel: int) -> Image:
        colormap, limits = self._colours(channel)
        options = {"colormap": colormap, "contrast_limits": limits, "gamma": 1.0, "blending": "opaque"}
        layer = self._empty(channel, self.name, dtype=np.float32, **options)
        self._name_on_canvas(layer)
        layer.colorbar.visible = True
        layer.colorbar.position = "bottom_center"
        layer.colorbar.font_size = TEXT
        one_row = len(self.targets) == 1 and len(self._channels) <= 3
        layer.colorbar.size = ONE_ROW if one_row else MORE_ROWS
        return layer

    def _colours(self, channel: int) -> tuple[Any, tuple[float, float]]:
        raise NotImplementedError

    def _contrast(self, channel: int) -> float:
        low, high = self.found.layers.looks[channel].contrast_limits
        return high - low


class Difference(_Maps):
    """Predicted − control; limits are half the channel's contrast, whatever is shown."""

    name = DIFFERENCE

    def _colours(self, channel: int) -> tuple[Any, tuple[float, float]]:
        reach = self._contrast(channel) / 2
        return CHANGE, (-reach, reach)

    def _change(self, rows: slice, pixels: NDArray[Any], channel: int) -> NDArray[Any]:
        return pixels[:, channel].astype(np.float32) - self.found.cells.pixels[rows, channel]

    def _layer_name(self, text: str, channel: str) -> str:
        return f"Δ {channel} · {text}"


class Uncertainty(_Maps):
    """How far predictions spread over draws of the noise, from 0 to what the first cell on show reaches."""

    name = UNCERTAINTY
    takes = SpreadBlock

    def _open(self, hide: Sequence[Layer]) -> None:
        super()._open(hide)
        self._limited = False

    def _colours(self, channel: int) -> tuple[Any, tuple[float, float]]:
        return "magma", (0.0, self._contrast(channel) / 10)

    def _put(self, request: Request, number: int, rows: slice, pixels: NDArray[Any]) -> None:
        if not self._limited:
            self._limited = True
            for channel, layer in enumerate(self.stacks[0]):
                high = float(np.quantile(pixels[:, channel], _HIGH))
                layer.contrast_limits = (0.0, high if high > 0 else self._contrast(channel) / 10)
        super()._put(request, number, rows, pixels)

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Wait for the spread, which comes after the prediction."""

    def show_spread(self, spread: Spread, about: AboutTarget) -> None:
        """Show the spread of all cells."""
        self.show_all(spread.request, spread.pixels, about)

    def _layer_name(self, text: str, channel: str) -> str:
        return f"± {channel} · {text}"
