"""Uncertainty: how far predictions spread over draws of the noise, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray

from napari_impa.viewer.perturb.prediction import EncodedCells
from napari_impa.viewer.perturb.request import AboutTarget, Predicted, PredictedBlock, Request
from napari_impa.viewer.perturb.views.maps import Maps
from napari_impa.viewer.perturb.views.view import Further
from napari_impa.watch import Token

DRAWS = 8
"""Predictions that a spread is taken over, as in `analysis.certainty`, whose import takes seconds."""

_HIGH = 0.999
"""Quantile of the first cell's spread at which the colour of an uncertainty map ends."""


@dataclass(frozen=True, eq=False)
class SpreadBlock(PredictedBlock):
    """How far some predicted pixels spread over draws of the noise, float32 in the camera's units."""


def spread_rows(encoded: EncodedCells, rows: slice, request: Request, number: int) -> SpreadBlock:
    """Spread of some rows for one of the targets."""
    from napari_impa.analysis.certainty import spread_of

    noises = [encoded.noise(request.variability, request.seed + draw)[rows] for draw in range(DRAWS)]
    target, cells = request.targets[number], encoded.encode(rows)
    pixels = spread_of(encoded.loaded.model, cells, target, noises, strength=request.strength)
    return SpreadBlock(request, number, rows, pixels)


def spread_cells(token: Token, encoded: EncodedCells, predicted: Predicted) -> NDArray[np.float32]:
    """(T, N, C, S, S) spread of all predictions, in the camera's units, reporting each `SpreadBlock`."""
    request = predicted.request
    encoded.look_up_real(request)
    pixels = np.empty((len(request.targets), *encoded.found.cells.pixels.shape), np.float32)
    for rows in encoded.pieces(token):
        for number in range(len(request.targets)):
            block = spread_rows(encoded, rows, request, number)
            pixels[number, rows] = block.pixels
            token.send(block)
    return pixels


class Uncertainty(Maps):
    """How far predictions spread over draws of the noise, from 0 to what the first cell on show reaches."""

    title = "uncertainty"
    tip = (
        f"How sure the model is: the standard deviation of each pixel over {DRAWS} draws of the noise, "
        "at the variability chosen; at 0 there is none."
    )
    takes = SpreadBlock
    further = Further(spread_cells, spread_rows)

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

    def show_further(self, predicted: Predicted, further: NDArray[np.float32], about: AboutTarget) -> None:
        """Show the spread (T, N, C, S, S) of all cells."""
        self.show_all(predicted.request, further, about)

    def _layer_name(self, text: str, channel: str) -> str:
        return f"± {channel} · {text}"
