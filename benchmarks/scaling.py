"""What a cell costs, and a plate, a screen and a genome: `python -m benchmarks.scaling [--quick] [--device cuda]`.

Prints the two tables of `docs/scaling.md`. On a CPU it is seconds of processor time on one thread, which other work on
the machine does not change; on a GPU it is seconds by the clock. What a plate takes is the cost of a cell times cells.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from benchmarks.prediction import random_model
from benchmarks.steps import CHANNELS, Steps
from napari_impa.analysis.features.cell_profiler import cell_profiler_measurements
from napari_impa.analysis.features.fast import fast_measurements
from napari_impa.cells.folder import crop_source
from napari_impa.cells.simulated.plate import write_simulated_plate
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import Cells
from napari_impa.engine.training.presets import PRESETS
from napari_impa.engine.training.steps import recipe_named

SIZE, BATCH, STEPS = 64, 16, 5000
CELLS_A_FIELD = 100
SCALES = {
    "a plate": 384 * 4 * CELLS_A_FIELD,
    "a screen of 20 plates": 20 * 384 * 4 * CELLS_A_FIELD,
    "a genome: 60,000 wells": 60_000 * 4 * CELLS_A_FIELD,
}
"""Cells, with four fields a well and 100 cells a field."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few cells, to try the command")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args()
    device = torch.device(given.device)
    torch.set_num_threads(1)
    costs = dict(measured(device, quick=given.quick))
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()}, one thread"
    print(f"| what (crops of {SIZE} px, {CHANNELS} channels; {where}) | a cell |\n| --- | ---: |")
    for what, seconds in costs.items():
        print(f"| {what} | {float(f'{1000 * seconds:.3g}'):,g} ms |")
    print(f"\n| | {' | '.join(SCALES)} |\n| --- |{' ---: |' * len(SCALES)}")
    print(f"| cells | {' | '.join(f'{count:,}' for count in SCALES.values())} |")
    for what, seconds in costs.items():
        if "training" not in what:
            print(f"| {what} | {' | '.join(in_words(seconds * count) for count in SCALES.values())} |")
    for preset in PRESETS:
        seconds = costs[f"training, `{preset.name}`, a step"] * BATCH
        print(
            f"| training, `{preset.name}`, {STEPS:,} steps | {' | '.join([in_words(seconds * STEPS)] * len(SCALES))} |"
        )


def measured(device: torch.device, *, quick: bool) -> Iterator[tuple[str, float]]:
    """Seconds a cell of everything that grows with cells, and of a cell of a step of each preset."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    yield "finding and cutting (fields of 1,024 px, on a CPU)", cutting(1 if quick else 4)
    for preset in PRESETS:
        count = 8 if quick else 256 if device.type == "cpu" else 65_536
        yield (
            f"predicting one condition, `{preset.name}`",
            predicting(4 if quick else preset.width, count, device, clock),
        )
    cells = simulated_cells(2 if quick else 20, size=SIZE, plates=1)
    limits = np.quantile(np.moveaxis(np.asarray(cells.pixels), 1, 0).reshape(CHANNELS, -1), [0.005, 0.998], axis=1).T
    for what, measure in (("fast", fast_measurements), ("measurements", cell_profiler_measurements)):
        began = time.process_time()
        measure(np.asarray(cells.pixels), limits)
        yield f"measuring, `{what}` (on a CPU)", (time.process_time() - began) / len(cells)
    for preset in PRESETS:
        steps = Steps(recipe_named("default"), SIZE, 4 if quick else preset.width, BATCH, device)
        numbers = range(1, 3 if quick else 9)  # one of them with penalties
        steps.make(0)
        began = clock()
        for number in numbers:
            steps.make(number)
        if device.type == "cuda":
            torch.cuda.synchronize()
        yield f"training, `{preset.name}`, a step", (clock() - began) / len(numbers) / BATCH


def cutting(wells: int) -> float:
    """Seconds of processor time that finding and cutting take a cell."""
    with TemporaryDirectory() as folder:
        plate = write_simulated_plate(Path(folder) / "plate", "imagexpress", wells=wells, size=1024)
        began = time.process_time()
        cells = crop_source(plate, size=SIZE)
        return (time.process_time() - began) / len(cells)


def predicting(width: int, count: int, device: torch.device, clock: Callable[[], float]) -> float:
    """Seconds that turning a cell into one condition takes."""
    model = random_model(SIZE, width, 1).to(device)
    pixels = np.random.default_rng(0).integers(0, 4000, (count, CHANNELS, SIZE, SIZE), dtype=np.uint16)
    cells = Cells(pixels, pd.DataFrame({"field": ["f"] * count}), model.channels)
    model.predict(cells.take(np.arange(min(count, 16))), model.conditions[0])
    began = clock()
    model.predict(cells, model.conditions[0])
    return (clock() - began) / count


def in_words(seconds: float) -> str:
    """`40 s`, `12 min`, `3.4 h`, `2.1 days`."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}" if seconds < 100 * length else f"{seconds / length:.0f} {unit}"
    return f"{seconds:.2g} s"


if __name__ == "__main__":
    main()
