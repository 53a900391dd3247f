"""Predicting for the eye: cells are encoded once and decoded block by block for each request, those in sight first."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.viewer.finding import Found
from napari_impa.viewer.jobs import Token
from napari_impa.viewer.models import Loaded

if TYPE_CHECKING:
    from napari_impa.engine.model import Encoded

BLOCK = 16
"""Cells decoded at a time: few, so that the cell in sight comes soon and a newer request soon takes over."""


@dataclass(frozen=True)
class Request:
    """What the cells are to be turned into, as `IMPA.predict` takes it."""

    condition: str
    strength: float = 1.0
    variability: float = 0.1
    seed: int = 0

    @property
    def title(self) -> str:
        """The condition, and the strength where it is not 1."""
        return self.condition if self.strength == 1 else f"{self.condition} ×{self.strength:g}"


@dataclass(frozen=True, eq=False)
class Block:
    """Predicted pixels of some rows, sent as soon as they are there."""

    request: Request
    rows: slice
    pixels: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Predicted:
    """All cells predicted: `pixels` (N, C, S, S), and `field` with them pasted in, where it was asked for."""

    request: Request
    pixels: NDArray[Any]
    field: NDArray[Any] | None
    seconds: float


class EncodedCells:
    """Cells as a model keeps them; each block is encoded when it is first needed, whatever it is turned into.

    Only one job at a time may use it.
    """

    def __init__(self, loaded: Loaded, found: Found) -> None:
        self.loaded, self.found = loaded, found
        self._blocks: dict[int, Encoded] = {}
        self._noise: tuple[tuple[float, int], Any] | None = None

    def decode(self, number: int, request: Request) -> Block:
        """Predict one block of cells."""
        model, pixels = self.loaded.model, self.found.cells.pixels
        rows = slice(number * BLOCK, min((number + 1) * BLOCK, len(pixels)))
        if number not in self._blocks:
            self._blocks[number] = model.encode(pixels[rows])
        drawn = (request.variability, request.seed)
        if self._noise is None or self._noise[0] != drawn:
            self._noise = drawn, model.noise(len(pixels), variability=request.variability, seed=request.seed)
        images = model.decode(self._blocks[number], request.condition, self._noise[1][rows], strength=request.strength)
        return Block(request, rows, model.to_camera(images, pixels.dtype))

    def order(self, first: int) -> list[int]:
        """Block numbers, the one that holds the cell `first` before the others."""
        count = -(-len(self.found.cells) // BLOCK)
        start = min(max(first, 0), len(self.found.cells) - 1) // BLOCK
        return [start] + [number for number in range(count) if number != start]


def predict_cells(token: Token, encoded: EncodedCells, request: Request, first: int, in_place: bool) -> Predicted:
    """Predict all cells, reporting each `Block`; with `in_place` paste them into the field."""
    began = time.perf_counter()
    pixels = np.empty_like(encoded.found.cells.pixels)
    for number in encoded.order(first):
        token.check()
        block = encoded.decode(number, request)
        pixels[block.rows] = block.pixels
        token.report(block)
    token.check()
    field = encoded.found.paste(pixels) if in_place else None
    return Predicted(request, pixels, field, time.perf_counter() - began)


def paste_cells(token: Token, found: Found, predicted: Predicted) -> Predicted:
    """Paste cells that are predicted already."""
    return Predicted(predicted.request, predicted.pixels, found.paste(predicted.pixels), predicted.seconds)


def made_by(loaded: Loaded, request: Request) -> dict[str, Any]:
    """What made a predicted layer, for its metadata."""
    return {
        "model": loaded.model.name,
        "model_hash": loaded.hash,
        "condition": request.condition,
        "strength": request.strength,
        "variability": request.variability,
        "seed": request.seed,
    }
