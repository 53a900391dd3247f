"""The next step's cells, drawn on a GPU while it is at work on this step's."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from napari_impa.engine.training.steps.batch import Batch


class DrawnAhead:
    """Batches of a training, each drawn in time where the device works beside the program.

    Parameters
    ----------
    draw
        Draws the batch of a step, always the same one.
    device
        Where batches lie.
    ahead
        Whether to draw ahead; where it is not given, on a CUDA GPU alone.

    Attributes
    ----------
    seconds
        Time in which the training waited for its cells.
    """

    def __init__(self, draw: Callable[[int], Batch], device: torch.device, *, ahead: bool | None = None) -> None:
        self._draw, self._device = draw, device
        self._ahead = device.type == "cuda" if ahead is None else ahead
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._drawn: tuple[int, Batch] | None = None
        self._before: torch.cuda.Event | None = None
        self.seconds = 0.0

    def take(self, step: int) -> Batch:
        """Return the batch of a step; what it raises is what drawing raises."""
        began = time.perf_counter()
        drawn, self._drawn = self._drawn, None
        if self._stream is not None:
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
        if drawn is not None and drawn[0] == step:
            batch = drawn[1]
        else:
            batch = self._draw(step)
            if self._stream is not None:
                self._before = torch.cuda.current_stream(self._device).record_event()
        self.seconds += time.perf_counter() - began
        return batch

    def prepare(self, step: int) -> None:
        """Draw the batch of a step that is to be taken next, on a GPU beside what it is doing.

        The batch before must be kept until the GPU is done with it. What fails is left to `take`, which tries again.
        """
        self._drawn = None
        if not self._ahead:
            return
        try:
            with self._beside():
                self._drawn = step, self._draw(step)
        except Exception:
            self._drawn = None

    def _beside(self) -> AbstractContextManager[object]:
        if self._stream is None:
            return nullcontext()
        if self._before is not None:  # it may have written into the pool of cells
            self._stream.wait_event(self._before)
        return torch.cuda.stream(self._stream)
