"""Measuring cells: 10,000 crops in several processes against cp-measure's functions one crop by one; the fast space."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Options, Row, alternately, in_child, memory, row_of
from napari_impa.analysis.features.cell_profiler import cell_profiler_measurements
from napari_impa.analysis.features.fast import fast_measurements
from napari_impa.analysis.features.masks import find_masks, scaled_crops
from napari_impa.analysis.features.processes import FEW
from napari_impa.analysis.features.quick import deep_features
from napari_impa.cells.simulated.screen import simulated_cells


def rows(options: Options) -> Iterator[Row]:
    """Seconds a cell of both, with the seconds and the memory of all cells in one run."""
    many, few = (64, 4) if options.quick else (10_000, 100)
    repeats = min(options.repeats, 3)
    pixels, limits = crops(16 if options.quick else 240)
    runs: list[dict[str, Any]] = []

    def in_parallel() -> float:
        runs.append(in_child("measuring:measure_many", count=many, quick=options.quick))
        return float(runs[-1]["seconds"]) / many

    measured = alternately(in_parallel, lambda: a_cell(one_by_one, pixels[:few], limits), repeats)
    row = row_of("measure", *measured, ("all cores, a cell", "cp-measure one by one, a cell"), wanted=0.1)
    last = runs[-1]
    took, size = f"{many} crops in {last['seconds']:.3g} s", f"{last['bytes'] / 1e9:.2g} GB beside its processes"
    row.floor = f"{took} on {last['processes']} cores, {size}"
    row.extra |= {"runs": json.loads(json.dumps(runs))}
    yield row

    def serial(block: NDArray[Any], limits: NDArray[np.float64]) -> object:
        return cell_profiler_measurements(block, limits)

    measured = alternately(
        lambda: a_cell(serial, pixels, limits), lambda: a_cell(one_by_one, pixels[:few], limits), repeats
    )
    yield row_of("measure, one process", *measured, ("a cell", "cp-measure one by one, a cell"))
    measured = alternately(
        lambda: a_cell(fast_measurements, pixels, limits), lambda: a_cell(deep_features, pixels, limits), repeats
    )
    yield row_of("measure fast", *measured, ("fast measurements, a cell", "quick features, a cell"))


def a_cell(work: Any, pixels: NDArray[Any], limits: NDArray[np.float64]) -> float:
    """Seconds that some work takes, a cell."""
    began = time.perf_counter()
    work(pixels, limits)
    return (time.perf_counter() - began) / len(pixels)


def crops(count: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Simulated crops (count, 3, 64, 64) with their limits."""
    pixels = np.asarray(simulated_cells(count // 8, plates=1).pixels)[:count]
    channels = np.moveaxis(pixels, 1, 0).reshape(pixels.shape[1], -1)
    return pixels, np.quantile(channels, [0.005, 0.998], axis=1).T


def measure_many(count: int, quick: bool) -> dict[str, Any]:
    """Measure so many crops, and say what it took (called in a process of its own)."""
    some, limits = crops(16 if quick else 240)
    pixels = some[np.arange(count) % len(some)]
    began = time.perf_counter()
    cell_profiler_measurements(pixels, limits)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "processes": joblib.cpu_count() if count > FEW else 1, "bytes": memory()[1]}


def one_by_one(pixels: NDArray[Any], limits: NDArray[np.float64]) -> None:
    """The same families by cp-measure's functions: each crop, mask and channel in turn."""
    from cp_measure.bulk import get_core_measurements, get_correlation_measurements
    from cp_measure.core.measurecolocalization import get_correlation_overlap

    scaled = scaled_crops(pixels, limits)
    masks = find_masks(scaled, 0)
    core, pairs = get_core_measurements(), get_correlation_measurements()
    of_channels = [core[name] for name in ("intensity", "texture", "granularity", "radial_distribution")]
    of_pairs = [pairs["pearson"], pairs["manders_fold"], get_correlation_overlap]
    with np.errstate(all="ignore"):
        for number, crop in enumerate(scaled):
            clipped = np.minimum(crop, 1)
            for mask in (masks.nucleus[number], masks.cell[number]):
                label = mask.astype(int)
                if not mask.any():
                    continue
                core["sizeshape"](label, clipped[0]), core["feret"](label, clipped[0])
                for channel in clipped:
                    for measure in of_channels:
                        measure(label, channel)
                for first, second in combinations(clipped, 2):
                    for measure in of_pairs:
                        measure(first, second, label)
