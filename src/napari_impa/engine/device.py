"""Which device torch runs on, said in words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from napari_impa.errors import ModelError


@dataclass(frozen=True)
class Device:
    """A torch device and one phrase that says which it is and why, for the user to read."""

    device: torch.device
    reason: str

    @property
    def is_gpu(self) -> bool:
        """Whether this is a GPU."""
        return self.device.type != "cpu"


def choose_device(name: str = "auto") -> Device:
    """Choose `cuda`, `mps` or `cpu`; `auto` takes the first that is there, in this order.

    Raises
    ------
    ModelError
        If the device named is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            device = torch.device("cuda")
            return Device(device, f"GPU {torch.cuda.get_device_name()}{_with_memory(device)}")
        if torch.backends.mps.is_available():
            device = torch.device("mps")
            return Device(device, f"Apple GPU{_with_memory(device)}")
        return Device(torch.device("cpu"), f"CPU, {_threads()}: no GPU that torch can use was found")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"{name!r} is no device; choose auto, cuda, mps or cpu.") from error
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.type, False):
        raise ModelError(f"The device {name!r} is not there for torch; choose auto or cpu.")
    if device.type == "cuda":
        if (device.index or 0) >= torch.cuda.device_count():
            raise ModelError(f"There is no {name!r}: torch sees {torch.cuda.device_count()} GPUs, numbered from 0.")
        return Device(device, f"GPU {torch.cuda.get_device_name(device)}{_with_memory(device)}: {name}, as chosen")
    if device.type == "cpu":
        return Device(device, f"CPU, {_threads()}: as chosen")
    return Device(device, f"Apple GPU{_with_memory(device)}: as chosen")


def free_memory(device: torch.device) -> tuple[int, int] | None:
    """Free and total bytes of a GPU's memory; an Apple GPU's is the computer's. None on a CPU."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return max(0, total - torch.mps.driver_allocated_memory()), total
    return None


def _with_memory(device: torch.device) -> str:
    """How much memory a GPU has, and how much of it is free."""
    memory = free_memory(device)
    return "" if memory is None else f", {memory[0] / 2**30:.0f} of {memory[1] / 2**30:.0f} GB of memory free"


def _threads() -> str:
    count = torch.get_num_threads()
    return f"{count} thread{'s' * (count != 1)}"


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 in hardware, so that it is faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))
    return False


def leave_a_core_free() -> int:
    """Let torch use all cores but one, so that the viewer stays responsive; returns the number of threads."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    threads = max(1, min(torch.get_num_threads(), usable - 1))
    torch.set_num_threads(threads)
    return threads


def use_threads(threads: int | None = None) -> None:
    """Let torch use so many CPU threads, by default all cores but one.

    Their number fixes the order in which floats are summed: the same seed gives the same bits with as many threads.
    """
    if threads is None:
        leave_a_core_free()
    else:
        torch.set_num_threads(threads)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one CPU thread where this is asked for, as each of several processes does.

    Floats are then summed in one order, so that a computer with other cores gives the same bits.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compute_repeatably(device: torch.device) -> None:
    """On a GPU, let cuDNN take only algorithms that always give the same bits."""
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False


_NO_MEMORY = (
    "out of memory", "can't allocate memory", "not enough memory", "could not create a primitive",
    "could not create a memory object", "bad_alloc", "bad allocation", "alloc_failed", "failed to allocate",
)  # fmt: skip
"""What CUDA, MPS, torch's CPU allocator, oneDNN, C++ and cuBLAS say, in lower case."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the machine ran out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)


def release_memory(device: torch.device) -> None:
    """Give memory that torch keeps for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def largest_batch(count: int, attempt: Callable[[int], object], device: torch.device) -> int | None:
    """Largest of count/2, count/4, …, 1 for which `attempt` does not run out of memory; None if there is none."""
    while count > 1:
        count //= 2
        release_memory(device)  # outside the except clause, where the failed attempt's tensors are free
        try:
            attempt(count)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return count
    return None


def what_fits(device: torch.device, batch_size: int, fits: int | None, back: int) -> str:
    """Say that a training ran out of memory, which batch would fit, and to what step the run went back."""
    text = f"{device.type.upper()} ran out of memory with {batch_size} cells a step"
    text += f" and the run went back to its checkpoint of step {back:,}; " if back else "; "
    if fits is None:
        return f"{text}not even one cell a step fits: train a smaller preset or crop side."
    return f"{text}train with a batch size of {fits}, which fits, or a smaller preset."
