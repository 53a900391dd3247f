"""Timing two things alternately, what the machine can do at best, and memory measured in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]


@dataclass
class Row:
    """One line of the table: a ratio, what it is of, and the floor beside it."""

    name: str
    ratio: float
    lowest: float
    highest: float
    of: str
    against: str
    floor: str = ""
    wanted: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Whether the ratio is as wanted."""
        if self.wanted is None:
            return ""
        return f"≤ {self.wanted:g}: {'yes' if self.ratio <= self.wanted else 'NO'}"


@dataclass
class Options:
    """How to measure."""

    quick: bool
    repeats: int
    device: torch.device
    folder: Path
    cycles: int = 300


def alternately(
    a: Callable[[], float], b: Callable[[], float], repeats: int
) -> tuple[list[float], list[float], list[float]]:
    """Seconds that a and b say they took, in turn and each first in every other turn, and their ratios a / b."""
    taken: dict[Callable[[], float], list[float]] = {a: [], b: []}
    for number in range(repeats):
        for one in (a, b) if number % 2 == 0 else (b, a):
            taken[one].append(one())
    return taken[a], taken[b], [x / y for x, y in zip(taken[a], taken[b], strict=True)]


def row_of(name: str, a: list[float], b: list[float], ratios: list[float], what: tuple[str, str], **more: Any) -> Row:
    """Make a row of what `alternately` gave: the median of the ratios with its lowest and highest."""
    texts = [f"{text} {shown(statistics.median(taken))}" for text, taken in zip(what, (a, b), strict=True)]
    more["extra"] = {**more.get("extra", {}), "seconds": {what[0]: a, what[1]: b}}
    return Row(name, statistics.median(ratios), min(ratios), max(ratios), *texts, **more)


def row_against(name: str, values: Sequence[float], target: float, of: str, against: str, **more: Any) -> Row:
    """Make a row of values against one target: the median of the ratios with its lowest and highest."""
    ratios = [value / target for value in values]
    return Row(name, statistics.median(ratios), min(ratios), max(ratios), of, against, **more)


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that a piece of work takes; on a GPU by its own clock, from an idle device to an idle one."""
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize(device)
        return start.elapsed_time(end) / 1000
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def shown(seconds: float) -> str:
    """Seconds as text."""
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"


def matrix_rate(device: torch.device, dtype: torch.dtype, *, quick: bool) -> float:
    """Floating-point operations a second of the best of some matrix products on this device, with these threads."""
    side = 256 if quick else 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best = min(timed(lambda: a @ b, device) for _ in range(5 if quick else 8))
    return 2 * side**3 / best


def bandwidth(device: torch.device, *, quick: bool) -> float:
    """Bytes a second read and written by the best of some copies in the device's memory."""
    a = torch.zeros((1 << 20) if quick else (1 << 28), dtype=torch.uint8, device=device)
    b = torch.empty_like(a)
    return 2 * a.numel() / min(timed(lambda: b.copy_(a), device) for _ in range(5))


def memory(process: int | str = "self") -> tuple[int, int]:
    """Bytes of this process, or of the one with a number, in memory now, and the most there have been.

    From the kernel's own account of this program where there is one: `ru_maxrss` starts at what the parent had.
    """
    status = Path(f"/proc/{process}/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return tuple(int(lines[key].split()[0]) << 10 for key in ("VmRSS", "VmHWM"))  # type: ignore[return-value]
    if process != "self":
        import psutil

        now = int(psutil.Process(int(process)).memory_info().rss)
        return now, now
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return most, most


def in_child(function: str, **arguments: Any) -> dict[str, Any]:
    """Call `benchmarks.MODULE:FUNCTION`, which gives a JSON-able dictionary, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.child", function, json.dumps(arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{function} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def machine(device: torch.device) -> dict[str, Any]:
    """What computes."""
    from napari_impa.versions import versions

    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    found: dict[str, Any] = {"cpu": model, "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(device), "tf32_convolutions": torch.backends.cudnn.allow_tf32}
    return found | versions()
