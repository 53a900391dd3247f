"""Views that show maps of numbers, one pane a target and channel, each with its colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer

from napari_impa.viewer.perturb.views.stacks import Stacks
from napari_impa.viewer.perturb.views.view import TEXT

ONE_ROW, MORE_ROWS = (20, 110), (12, 64)
"""Width and height of colour bars in pixels of the screen, so that they leave the crops free."""


class Maps(Stacks):
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
        layer = self._empty(channel, self.title, dtype=np.float32, **options)
        self._name_on_canvas(layer)
        layer.colorbar.visible = True
        layer.colorbar.position = "top_left"  # under the name; the scale bar is below
        layer.colorbar.font_size = TEXT
        one_row = len(self.targets) == 1 and len(self._channels) <= 3
        layer.colorbar.size = ONE_ROW if one_row else MORE_ROWS
        return layer

    def _colours(self, channel: int) -> tuple[Any, tuple[float, float]]:
        raise NotImplementedError

    def _contrast(self, channel: int) -> float:
        low, high = self.found.layers.looks[channel].contrast_limits
        return high - low
