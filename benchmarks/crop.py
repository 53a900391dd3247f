"""Cropping whole fields by two processes against one: seconds, the same cells, a process killed in the middle, memory.

Each run is the command `napari-impa crop` as a user types it, in a process of its own, watched from outside.
"""

from __future__ import annotations

import contextlib
import filecmp
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import tifffile

from benchmarks.measure import Options, Row, alternately, memory, row_against, row_of, shown
from napari_impa.cells.simulated.screen import simulated_field
from napari_impa.cells.wells import wells_of

DRAWN = 3
"""Fields that are drawn; the others show the same cells elsewhere."""

OFTEN = 0.05
"""Seconds between two looks at a command's processes."""


@dataclass
class Run:
    """What one command took, with its processes apart.

    Parameters
    ----------
    seconds
        From its start to its end.
    before
        Seconds of CPU before the first process was started: what it cannot share.
    own, others
        Seconds of CPU of the command's process, and of all that it started.
    memory
        Most bytes in memory at a time, of every process; the first is the command's.
    killed
        How many processes were killed on the way.
    said
        What it printed.
    """

    seconds: float = 0.0
    before: float = 0.0
    own: float = 0.0
    others: float = 0.0
    memory: dict[int, int] = field(default_factory=dict)
    killed: int = 0
    said: str = ""


def rows(options: Options) -> Iterator[Row]:
    """One process and two in turn; then two of which one is killed when half of the cells are written."""
    count, side, repeats = (8, 320, 2) if options.quick else (100, 1024, min(options.repeats, 3))
    fields = make_fields(options.folder / "BR1", count, side)
    outs = {jobs: options.folder / f"cropped-{jobs}.cells" for jobs in (1, 2)}
    runs: dict[int, list[Run]] = {1: [], 2: []}
    other: list[bool] = []

    def by(jobs: int) -> float:
        run = crop(fields, outs[jobs], jobs)
        runs[jobs].append(run)
        if all(out.exists() for out in outs.values()):
            other.append(not same(*outs.values()))
        return run.seconds

    measured = alternately(lambda: by(2), lambda: by(1), repeats)
    row = row_of("crop", *measured, ("two processes", "one process"), wanted=0.555)
    one, two = runs[1][-1], runs[2][-1]
    crops = (outs[1] / "pixels.npy").stat().st_size
    row.floor = f"{count} fields of {side} px, {crops / 1e9:.2g} GB of cells; {by_cpu(one, two)}"
    row.extra |= {
        "times": [1 / ratio for ratio in measured[2]],
        "runs": {n: [vars(x) for x in r] for n, r in runs.items()},
    }
    yield row

    half = crops // 2
    run = crop(fields, outs[2], 2, kill=lambda: written(outs[2]) > half)
    other.append(not same(*outs.values()))
    usual = statistics.median(measured[0])
    yield row_against(
        "crop, one killed", [run.seconds], usual, f"{run.killed} process killed half-way {shown(run.seconds)}",
        f"none killed {shown(usual)}", floor=lost_of(run.said),
    )  # fmt: skip
    yield row_against(
        "crop, other cells", [sum(other)], 1, f"{sum(other)} of {len(other)} folders differ in a byte",
        "the cells of one process", wanted=0,
    )  # fmt: skip
    (first, *others), alone = two.memory.values(), max(one.memory.values())
    yield row_against(
        "crop, memory", [first + sum(others)], alone,
        f"{first / 1e6:.0f} MB and {' and '.join(f'{each / 1e6:.0f}' for each in others)} MB of its processes",
        f"one process {alone / 1e6:.0f} MB", floor=f"a field is {5 * side * side * 2 / 1e6:.1f} MB",
    )  # fmt: skip


def make_fields(folder: Path, count: int, side: int) -> Path:
    """Write so many fields of five channels as ImageXpress does, with about as many cells as a plate has."""
    folder.mkdir(parents=True)
    drawn = [simulated_field(seed=seed, size=side).pixels for seed in range(DRAWN)]
    drawn = [np.concatenate([pixels, (pixels[:2] + pixels[1:]) // 2]) for pixels in drawn]
    for number, well in zip(range(count), wells_of(384), strict=False):
        shift = (number * 97 % side, number * 61 % side)
        for channel, pixels in enumerate(np.roll(drawn[number % DRAWN], shift, (1, 2)), 1):
            tifffile.imwrite(folder / f"{folder.name}_{well.name}_s1_w{channel}.tif", pixels)
    return folder


def crop(fields: Path, out: Path, jobs: int, kill: Callable[[], bool] | None = None) -> Run:
    """Run the command, and kill one of its processes once where that is asked for."""
    command = [sys.executable, "-m", "napari_impa", "crop", str(fields), "--out", str(out), "--overwrite"]
    command += ["--jobs", str(jobs), "--nuclei-channel", "0"]
    run, started = Run(), time.perf_counter()
    log = out.with_suffix(".log")
    with open(log, "w", encoding="utf-8") as said:
        process = psutil.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                look(process, run, kill)
                time.sleep(OFTEN)
        finally:
            if process.is_running():
                process.kill()
    run.seconds, run.said = time.perf_counter() - started, log.read_text(encoding="utf-8")
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{run.said}")
    return run


def look(process: psutil.Popen, run: Run, kill: Callable[[], bool] | None) -> None:
    """Note what the processes of a command have taken until now."""
    with contextlib.suppress(psutil.Error, OSError, KeyError):  # any of them may just have ended
        workers = [child for child in process.children() if not is_tracker(child)]
        times = process.cpu_times()
        run.own, run.others = times.user + times.system, times.children_user + times.children_system
        if not workers and not run.others:
            run.before = run.own
        for one in (process, *workers):
            run.memory[one.pid] = max(run.memory.get(one.pid, 0), memory(one.pid)[1])
        for worker in workers:
            spent = worker.cpu_times()
            run.others += spent.user + spent.system
        if kill is not None and not run.killed and workers and kill():
            workers[0].kill()
            run.killed += 1


def is_tracker(process: psutil.Process) -> bool:
    """Whether it only keeps count of what the others share."""
    return "resource_tracker" in " ".join(process.cmdline())


def written(out: Path) -> int:
    """Bytes of cells that a command has written, in the hidden folder beside the one that it makes."""
    return max((file.stat().st_size for file in out.parent.glob(f".{out.name}.*.partial/pixels.npy")), default=0)


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files, byte by byte."""
    names = sorted(file.name for file in one.iterdir())
    if names != sorted(file.name for file in other.iterdir()):
        return False
    return all(filecmp.cmp(one / name, other / name, shallow=False) for name in names)


def by_cpu(one: Run, two: Run) -> str:
    """Say how many times as fast two cores that do nothing else could be, by the seconds of CPU that each took."""
    shared = two.own + two.others - two.before
    best = (one.own + one.others) / (two.before + shared / 2)
    return (
        f"CPU {one.own:.3g} s in one process; in two {two.own:.3g} s of the command ({two.before:.2g} s before it has "
        f"others) and {two.others:.3g} s of the others: {best:.2f} times as fast at best"
    )


def lost_of(said: str) -> str:
    """The lines that a command says of a lost process."""
    return " ".join(line.strip() for line in said.splitlines() if "was lost" in line)
