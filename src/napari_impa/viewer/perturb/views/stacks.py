"""Views that show cells as stacks, one layer a target and channel, which fill up as cells are predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_impa.viewer.perturb.request import AboutTarget, Predicted, PredictedBlock, Request
from napari_impa.viewer.perturb.views.view import View


class Stacks(View):
    """Cells as stacks, one layer a target and channel, filled block by block."""

    stacks: list[list[Image]]

    def _start(self, request: Request, hide: Sequence[Layer]) -> None:
        self._request: Request | None = None
        self._told: Request | None = None
        self._there = np.zeros((len(self.targets), len(self.found.cells)), bool)
        self._open(hide)
        self.panes.count(len(self.found.cells))
        if self.found.layers.place.pixel_size:
            self.panes.measure()

    def _open(self, hide: Sequence[Layer]) -> None:
        raise NotImplementedError

    def _empty(self, channel: int, name: str, *, dtype: Any = None, **more: Any) -> Image:
        pixels = self.found.cells.pixels[:, channel]
        return self._image(np.zeros(pixels.shape, dtype or pixels.dtype), channel, name, **more)

    @property
    def _coloured(self) -> Sequence[Image]:
        return self.stacks[0]

    def _change(self, rows: slice, pixels: NDArray[Any], channel: int) -> NDArray[Any]:
        return pixels[:, channel]

    def show_block(self, block: PredictedBlock, about: AboutTarget) -> None:
        """Put some cells of a target into its stacks."""
        if type(block) is self.takes:
            self._put(block.request, block.number, block.rows, block.pixels)
            if self._told is None or self._told.targets != block.request.targets:
                self._tell_all(block.request, about)

    def show(self, predicted: Predicted, about: AboutTarget) -> None:
        """Put all predicted cells into the stacks, unless they came as blocks."""
        self.show_all(predicted.request, predicted.pixels, about)

    def show_all(self, request: Request, pixels: NDArray[Any], about: AboutTarget) -> None:
        """Put all cells (T, N, C, S, S) into the stacks, unless they came as blocks."""
        if self._request != request or not self._there.all():
            for number in self.targets:
                self._put(request, number, slice(0, pixels.shape[1]), pixels[number])
        self._tell_all(request, about)
        for layer in (layer for layers in self.stacks for layer in layers):
            layer.refresh(data_displayed=False, extent=False, highlight=False)  # the thumbnail

    def _put(self, request: Request, number: int, rows: slice, pixels: NDArray[Any]) -> None:
        if self._request != request:
            self._request, self._there[:] = request, False
        self._there[number, rows] = True
        for channel, layer in enumerate(self.stacks[number]):
            layer.data[rows] = self._change(rows, pixels, channel)
            if rows.start <= self.panes.cell < rows.stop:
                layer.refresh(thumbnail=False, extent=False, highlight=False)

    def _tell_all(self, request: Request, about: AboutTarget) -> None:
        """Name the layers; while a slider moves, only when it rests: to draw names takes longer than to draw a cell."""
        if self._told != request:
            self._told = request
            for number in self.targets:
                self._tell(self.stacks[number], request.title(number), about(number))
