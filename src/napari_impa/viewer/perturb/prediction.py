"""Predicting for the eye: cells are encoded once and decoded piece by piece for each request, those in sight first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.viewer.layers.found_cells import Found
from napari_impa.viewer.library.models import Loaded
from napari_impa.viewer.perturb.request import Predicted, PredictedBlock, Request
from napari_impa.watch import Token

if TYPE_CHECKING:
    from torch import Tensor

    from napari_impa.engine.model.encoder import Encoded

PACE = 0.04
"""Seconds that a block takes: short, so that a newer request soon takes over, and few enough for the event loop."""

MOST_ENCODED = 2**30
"""Bytes of encoded cells that are kept; those beyond are encoded again for each request."""


class EncodedCells:
    """Cells as a model keeps them; each is encoded when it is first needed, whatever it is turned into.

    Only one job at a time may use it; `in_sight`, the row of the cell on show, and `rows_first`, the rows of all that
    are on show where there are more, may be set at any time.

    Parameters
    ----------
    loaded, found
        The model and the cells.
    limit
        Bytes that are kept.
    """

    def __init__(self, loaded: Loaded, found: Found, *, limit: int = MOST_ENCODED) -> None:
        self.loaded, self.found, self.limit = loaded, found, limit
        self.in_sight = 0
        self.rows_first: tuple[int, ...] = ()
        self.real: dict[str, NDArray[Any] | None] = {}
        self._kept: Encoded | None = None
        self._has = np.zeros(0, bool)
        self._noises: dict[tuple[float, int], Tensor] = {}

    def __len__(self) -> int:
        return len(self.found.cells)

    @cached_property
    def _batches(self) -> NDArray[np.intp] | None:
        from napari_impa.engine.model.prediction import batches_of

        return batches_of(self.loaded.model, self.found.cells)

    def taking(self, found: Found, rows: NDArray[np.intp]) -> EncodedCells:
        """Go on with some of the rows, which `found` holds, without encoding them again."""
        fewer = EncodedCells(self.loaded, found, limit=self.limit)
        kept, has = self._kept, self._has.copy()  # in this order: a job that is ending may still fill rows
        if kept is not None and rows.max(initial=-1) < len(has):
            fewer._has = has[rows]
            fewer._kept = _rows(kept, rows)
        return fewer

    def encode(self, rows: slice) -> Encoded:
        """Content and own styles of some rows."""
        if self._kept is not None and rows.stop <= len(self._has) and self._has[rows].all():
            return _rows(self._kept, rows)
        batches = None if self._batches is None else self._batches[rows]
        encoded = self.loaded.model.encode(self.found.cells.pixels[rows], batches=batches)
        if self._kept is None:
            parts = _parts(encoded)
            room = min(len(self), int(self.limit // max(1, sum(one[0].nbytes for one in parts.values()))))
            empty = {name: one.new_empty((room, *one.shape[1:])) for name, one in parts.items()}
            self._kept = replace(encoded, **empty)
            self._has = np.zeros(room, bool)
        keep = slice(rows.start, min(rows.stop, len(self._has)))
        if keep.start < keep.stop:
            for name, one in _parts(self._kept).items():
                one[keep] = _parts(encoded)[name][: keep.stop - keep.start]
            self._has[keep] = True
        return encoded

    def decode(self, rows: slice, request: Request, number: int = 0) -> PredictedBlock:
        """Predict some rows for one of the targets."""
        model = self.loaded.model
        noise = self.noise(request.variability, request.seed)[rows]
        images = model.decode(self.encode(rows), request.targets[number], noise, strength=request.strength)
        return PredictedBlock(request, number, rows, model.to_camera(images, self.found.cells.pixels.dtype))

    def noise(self, variability: float, seed: int) -> Tensor:
        """(N, n) noise of a seed; that of the last few is kept."""
        key = (variability, seed)
        if key not in self._noises:
            if len(self._noises) > 8:
                self._noises.clear()
            self._noises[key] = self.loaded.model.noise(len(self), variability=variability, seed=seed)
        return self._noises[key]

    def look_up_real(self, request: Request) -> None:
        """Take the source's real cells of each target, as many as there are predicted ones."""
        real = {}
        for number in range(len(request.targets)):
            name = request.name(number)
            real[name] = self.real[name] if name in self.real else self._treated(name)
        self.real = real

    def _treated(self, name: str) -> NDArray[Any] | None:
        treated = self.found.treated(name)
        if treated is None or not len(treated):
            return None
        return treated[np.arange(len(self)) % len(treated)]

    def pieces(self, token: Token) -> Iterator[slice]:
        """Rows still to do, those in sight first; as many at a time as take about `PACE` seconds, up to the batch size.

        Raises
        ------
        CancelledError
            When the job is to stop.
        """
        todo, count = np.ones(len(self), bool), 1
        while todo.any():
            token.check()
            sight = min(max(self.in_sight, 0), len(self) - 1)
            first = int(np.argmax(todo[sight:])) + sight if todo[sight:].any() else int(np.argmax(todo))
            wanted = next((row for row in self.rows_first if row < len(self) and todo[row]), None)
            if wanted is not None:  # these stand beside each other on the screen, but not in the stack
                yield slice(wanted, wanted + 1)
                todo[wanted] = False
                continue
            run = todo[first : first + count]
            stop = first + (len(run) if run.all() else int(np.argmin(run)))
            began = time.perf_counter()
            yield slice(first, stop)
            seconds = time.perf_counter() - began
            todo[first:stop] = False
            if seconds > 2 * PACE:
                count = max(1, count // 2)
            elif stop - first == count and seconds < PACE / 2:
                count = min(2 * count, self.loaded.batch_size)


def _parts(encoded: Encoded) -> dict[str, Tensor]:
    """What is known of each cell, by name."""
    return {name: value for name, value in vars(encoded).items() if value is not None}


def _rows(encoded: Encoded, rows: Any) -> Encoded:
    return replace(encoded, **{name: value[rows] for name, value in _parts(encoded).items()})


InSight = Callable[[EncodedCells, slice, Request, int], PredictedBlock]
"""What is computed of a target for the first rows only, those in sight, beside their prediction."""


def predict_cells(token: Token, encoded: EncodedCells, request: Request, in_sight: InSight | None = None) -> Predicted:
    """Predict all cells, reporting each `PredictedBlock`.

    Parameters
    ----------
    token
        Reports, and stops the job.
    encoded
        The cells.
    request
        What they are turned into.
    in_sight
        What is reported too of the rows that are predicted first.
    """
    began = time.perf_counter()
    encoded.look_up_real(request)
    targets = range(len(request.targets))
    pixels = np.empty((len(targets), *encoded.found.cells.pixels.shape), encoded.found.cells.pixels.dtype)
    for rows in encoded.pieces(token):
        for number in targets:
            block = encoded.decode(rows, request, number)
            pixels[number, rows] = block.pixels
            token.send(block)
        if in_sight is not None:
            for number in targets:
                token.send(in_sight(encoded, rows, request, number))
            in_sight = None
    token.check()
    return Predicted(request, pixels, time.perf_counter() - began)
