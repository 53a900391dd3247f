"""Work as one launch: a GPU records the operations of each kind of work once and replays them with new tensors.

Thousands of small operations launched one by one keep a GPU waiting for the program. A CUDA graph of them is launched
once; it reads and writes the same memory each time, so that what changes from time to time is copied there first. The
work is a step of a training, or a block of cells that a model turns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from napari_impa.engine.device import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

Inputs = Mapping[str, Tensor]

logger = logging.getLogger(__name__)


class Recorder(Protocol):
    """What can record operations on a device."""

    def aside(self) -> AbstractContextManager[object]:
        """Where work is done that is not replayed, so that it leaves behind what a recording wants."""

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], object], T]:
        """Record `work` without running it; returns what replays it, and the tensors that it then fills."""


class CudaRecorder:
    """Records CUDA graphs, which share one piece of memory, as only one of them runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """On the stream that records: gradients are summed up on the stream of the first pass."""
        main = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            yield
        main.wait_stream(self._stream)

    def record(self, work: Callable[[], T]) -> tuple[Callable[[], object], T]:
        """Record a graph; other threads may use the GPU meanwhile."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            made = work()
        return graph.replay, made


class OneLaunch(Generic[T]):
    """Work of the same kind, done as it is the first time, recorded the second time and from then on replayed.

    Parameters
    ----------
    recorder
        None to do all work as it is.
    what
        The work is called so.

    Attributes
    ----------
    reason
        Why work is done operation by operation, in words; empty where it is replayed.
    """

    def __init__(self, recorder: Recorder | None, what: str = "step") -> None:
        self._recorder, self._what = recorder, what
        self.reason = "" if recorder is not None else "nothing that records them was given"
        self.forget()

    def __call__(self, kind: Hashable, inputs: Inputs, work: Callable[[Inputs], T]) -> T:
        """Do work of some kind, which is always the same with tensors of one shape; returns what it makes.

        Tensors that replayed work made are written over the next time.
        """
        if self._recorder is None:
            return work(inputs)
        looks = tuple((name, value.shape, value.dtype, value.stride()) for name, value in inputs.items())
        if looks not in self._kept:
            self._kept[looks] = {name: torch.empty_like(value) for name, value in inputs.items()}
        kept = self._kept[looks]
        for name, value in inputs.items():
            kept[name].copy_(value, non_blocking=True)
        key = (kind, looks)
        if key not in self._seen:
            self._seen.add(key)
        elif key not in self._replays and not self.reason:
            self._record(key, lambda: work(kept))
        if key in self._replays:
            replay, made = self._replays[key]
            replay()
            return made
        with self._recorder.aside():
            return work(kept)

    def forget(self) -> None:
        """Drop what was recorded: tensors that it reads and writes have been replaced, or their memory is wanted."""
        self._replays: dict[Hashable, tuple[Callable[[], object], T]] = {}
        self._kept: dict[Hashable, dict[str, Tensor]] = {}
        self._seen: set[Hashable] = set()

    def _record(self, key: Hashable, work: Callable[[], T]) -> None:
        assert self._recorder is not None
        try:
            self._replays[key] = self._recorder.record(work)
        except RuntimeError as error:  # torch's own; what a watch raises is none
            if is_out_of_memory(error):
                raise
            self._replays.clear()
            self.reason = f"the GPU could not record a {self._what}: {str(error).splitlines()[0]}"
            logger.warning("Every %s is made operation by operation, as %s", self._what, self.reason)


def recorder_for(device: torch.device) -> Recorder | None:
    """What records work on a device; None where nothing does."""
    return CudaRecorder(device) if device.type == "cuda" else None
