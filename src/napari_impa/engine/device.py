"""Which device torch runs on, said in words."""

from __future__ import annotations

import os
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
            return Device(torch.device("cuda"), f"GPU {torch.cuda.get_device_name()}")
        if torch.backends.mps.is_available():
            return Device(torch.device("mps"), "Apple GPU (MPS)")
        return Device(
            torch.device("cpu"), f"CPU, {torch.get_num_threads()} threads (no GPU that torch can use was found)"
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"{name!r} is no device; choose auto, cuda, mps or cpu.") from error
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device.type, False):
        raise ModelError(f"The device {name!r} is not there for torch; choose auto or cpu.")
    return Device(device, f"{device.type.upper()}, as asked")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 in hardware, so that it is faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))
    return False


def leave_a_core_free() -> int:
    """Let torch use all cores but one, so that the viewer stays responsive; returns the number of threads."""
    threads = max(1, min(torch.get_num_threads(), (os.cpu_count() or 2) - 1))
    torch.set_num_threads(threads)
    return threads


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the machine ran out of memory."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def release_memory(device: torch.device) -> None:
    """Give memory that torch keeps for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
