"""Processes that torchrun started: they train one model, or share out cells; where it did not, one process alone."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter

from napari_impa.errors import ModelError, PeerError, TrainingError


class BatchShare(NamedTuple):
    """One process's part of every batch: number of its cells, and their fraction of the batch."""

    cells: int
    weight: float


class Processes:
    """All processes of a program, as one of them sees them; every method but `rows` and `device` is called by all.

    An error of one process reaches the others at their next call, as a `PeerError`, so that none waits for ever.

    Parameters
    ----------
    rank, count
        Number of this process, and of all.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count
        self._failed = False

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and talks to the user."""
        return self.rank == 0

    def rows(self, total: int) -> slice:
        """Which of `total` rows are this process's: parts in the order of ranks, as even as can be."""
        return slice(total * self.rank // self.count, total * (self.rank + 1) // self.count)

    def share_of(self, batch_size: int) -> BatchShare:
        """Say what part of every batch is this process's.

        Raises
        ------
        TrainingError
            If there are more processes than cells in a batch.
        """
        if batch_size < self.count:
            raise TrainingError(
                f"{self.count} processes cannot share {batch_size} cells a step; "
                f"take a batch size of at least {self.count}."
            )
        mine = self.rows(batch_size)
        return BatchShare(mine.stop - mine.start, (mine.stop - mine.start) / batch_size)

    def device(self, name: str) -> str:
        """Name this process's own device: under torchrun each takes the GPU of its number on its machine.

        Raises
        ------
        ModelError
            If there are more processes than GPUs, or the device is of no use to several processes.
        """
        if self.count == 1 or name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
            return name if self.count == 1 else "cpu"
        if name not in ("auto", "cuda"):
            raise ModelError(f"Several processes share CUDA GPUs or CPUs, not {name!r}; choose cuda, cpu or auto.")
        local, gpus = int(os.environ.get("LOCAL_RANK", self.rank)), torch.cuda.device_count()
        if local >= gpus:
            raise ModelError(
                f"More processes were started on this machine than it has GPUs ({gpus}); "
                f"start {max(1, gpus)} of them (--nproc-per-node), or choose the device cpu."
            )
        torch.cuda.set_device(local)
        return f"cuda:{local}"

    # ---- talking to each other ----------------------------------------------------------------------------------

    def agree(self) -> None:
        """Wait for all.

        Raises
        ------
        PeerError
            If another process failed.
        """
        if self._first_failed(ok=True) < self.count:
            raise PeerError("Another process stopped on an error.")

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do something that may fail in one process: then all leave the block with an error, at the latest at its end.

        Where several fail, the one of the lowest rank keeps its own error, the others get a `PeerError`.
        """
        try:
            yield
        except BaseException as error:
            if self._failed or self.count == 1:
                raise
            if self._first_failed(ok=False) != self.rank:
                raise PeerError("Another process stopped on an error too.") from error
            raise
        self.agree()

    def _first_failed(self, *, ok: bool) -> int:
        """Lowest rank that failed, or `count` if none did."""
        if self.count == 1:
            return 1
        if self._failed:  # all know already
            raise PeerError("Another process stopped on an error.")
        status = torch.tensor(self.count if ok else self.rank)
        dist.all_reduce(status, dist.ReduceOp.MIN)
        lowest = int(status)
        self._failed = lowest < self.count
        return lowest

    def total(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes, element by element."""
        if self.count == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64)
        self.agree()
        dist.all_reduce(numbers)
        return [float(number) for number in numbers]

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the first one's values, in place."""
        if self.count == 1:
            return
        self.agree()
        with torch.no_grad():
            for tensor in tensors:
                values = tensor.contiguous()
                dist.broadcast(values, 0)
                tensor.copy_(values)

    def average_gradients(self, parameters: Sequence[Parameter], weight: float) -> None:
        """Replace gradients by their sum over all processes, each times its weight (the weights of all sum to 1).

        Backward hooks that average while the graph is walked do not go together with the double backward of R1, so all
        gradients go as one buffer afterwards. Gradients that no process has stay None.
        """
        if self.count == 1:
            return
        parts = [torch.zeros_like(p) if p.grad is None else p.grad * weight for p in parameters]
        present = torch.tensor([float(p.grad is not None) for p in parameters], device=parts[0].device)
        buffer = torch.cat([part.flatten() for part in parts] + [present])
        self.agree()
        dist.all_reduce(buffer)
        *sums, present = buffer.split_with_sizes([part.numel() for part in parts] + [len(parts)])
        for parameter, part, found in zip(parameters, sums, present.tolist(), strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(part.view_as(parameter)) if found else None


@contextmanager
def processes() -> Iterator[Processes]:
    """Join the processes that torchrun started; without it, this one alone.

    Raises
    ------
    TrainingError
        If the others cannot be reached.
    """
    if dist.is_initialized():  # by the caller
        group = Processes(dist.get_rank(), dist.get_world_size())
        with group.together():
            yield group
        return
    count = int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1
    if count == 1:
        yield Processes()
        return
    # Its functions keep the group that is there when it is first imported (as their default argument), and with it the
    # threads that send: one that still holds a tensor when Python ends aborts the process.
    importlib.import_module("torch.distributed.nn")
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"The other processes cannot be reached ({error}); start them with torchrun.") from error
    group = Processes(dist.get_rank(), count)
    try:
        with group.together():
            yield group
    finally:
        dist.destroy_process_group()
