"""Whole trainings on the device: steps a second, operations launched, share of the floor, waiting, losses that stay."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.measure import Options, Row, matrix_rate, row_against, shown
from benchmarks.steps import Steps, kinds, operations
from napari_impa.cells.store import Cells
from napari_impa.engine.device import compute_repeatably, has_bfloat16
from napari_impa.engine.one_launch import recorder_for
from napari_impa.engine.training.presets import PRESETS, WIDTHS
from napari_impa.engine.training.settings import CELLS_A_STEP, TrainingSettings
from napari_impa.engine.training.steps import RECIPES, recipe_named
from napari_impa.engine.training.steps.recipe import Recipe
from napari_impa.engine.training.trainer import Trainer

CHANNELS, SIDES = 3, (64, 96)
STEPS_A_SECOND = 60
"""Wanted of `tiny` at 64 px on an H100."""

AWAY = 50.0
"""A loss has run away where it is so many times its own median, and more than `LARGE`."""

LARGE = 100.0


def cells(count: int, size: int) -> Cells:
    """Noisy discs, larger and brighter the more of the compound there is."""
    rng = np.random.default_rng(0)
    dose = np.arange(count) % 4
    at = np.arange(size) - (size - 1) / 2
    distance = np.hypot(at[:, None], at) / size
    radius = 0.15 + 0.04 * dose[:, None] + 0.03 * rng.standard_normal((count, CHANNELS))
    discs = 1 / (1 + np.exp((distance - radius[..., None, None]) * 60))
    pixels = 400 + 3000 * discs * (1 + 0.2 * dose[:, None, None, None]) * rng.uniform(0.7, 1.3, (count, CHANNELS, 1, 1))
    pixels = np.clip(pixels + 100 * rng.standard_normal(pixels.shape), 0, 65535).astype(np.uint16)
    table = pd.DataFrame({"compound": np.where(dose == 0, "DMSO", [f"drug {number}" for number in dose])})
    return Cells(pixels, table, tuple(f"channel {number}" for number in range(CHANNELS))).labelled("compound", "DMSO")


def operations_launched(recipe: Recipe, size: int, width: int, batch: int, device: torch.device) -> float | None:
    """Operations that a mean step launches where it is made one by one; None without a GPU."""
    if device.type != "cuda":
        return None
    steps, mean = Steps(recipe, size, width, batch, device, replayed=False), 0.0
    for number, part in kinds(recipe):
        steps.make(number)
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
            steps.make(number)
        mean += part * sum(1 for one in found.events() if one.name in ("cudaLaunchKernel", "cudaLaunchKernelExC"))
    return mean


def training_rows(options: Options) -> Iterator[Row]:
    """Every preset at two crop sides for a fixed number of steps."""
    steps = 6 if options.quick else 1500
    for size in (24,) if options.quick else SIDES:
        given = cells(16 if options.quick else 1000, size)
        for preset in [one.name for one in PRESETS][: 1 if options.quick else None]:
            yield training_row(given, size, preset, steps, options)
            if (preset, size) == ("tiny", SIDES[0]) or options.quick:
                yield training_row(given, size, preset, max(6, steps // 5), options, batch=None)


def training_row(
    given: Cells, size: int, preset: str, steps: int, options: Options, *, batch: int | None = CELLS_A_STEP
) -> Row:
    """One training: seconds a step once all kinds of steps are recorded, beside what is wanted of `tiny`.

    `batch` is None for as many cells a step as the training itself chooses.
    """
    device, recipe = options.device, recipe_named("default")
    settings = TrainingSettings(
        size=size, preset=preset, steps=steps, batch_size=batch, device=str(device), checkpoint_seconds=1e6
    )
    trainer = Trainer(given, settings, options.folder / f"{preset}-{size}-{time.time_ns()}", sample_every=10**9)
    losses: list[dict[str, float]] = []
    marks: list[tuple[float, float]] = []
    stopped = ""
    try:
        for event in trainer:
            if event.message and not event.finished:
                stopped += f"; {event.message}"
            elif not event.finished:
                losses.append(dict(event.losses))
                marks.append((trainer.seconds, trainer._batches.seconds))
    except Exception as error:
        stopped += f"; stopped at step {trainer.step}: {error}"
    half = len(marks) // 2  # the second stage, which is the dearer one
    taken, waited = (b - a for a, b in zip(marks[half - 1], marks[-1], strict=True))
    a_step = taken / (len(marks) - half)
    mixed = recipe.mixed_precision and has_bfloat16(device)  # type: ignore[attr-defined]
    rate = matrix_rate(device, torch.bfloat16 if mixed else torch.float32, quick=options.quick)
    floor = operations(recipe, size, WIDTHS[preset], trainer.settings.cells_a_step) / rate
    launched = operations_launched(recipe, size, WIDTHS[preset], trainer.settings.cells_a_step, device)
    extra: dict[str, Any] = {
        "steps_per_second": 1 / a_step,
        "launched": launched,
        "share_of_floor": floor / a_step,
        "waiting": waited / taken,
        "away": away(losses) + stopped,
        "one_launch": trainer._step.one_launch.reason or "yes",
        "last": losses[-1],
    }
    said = f"{1 / a_step:.1f} steps/s, waiting {100 * waited / taken:.1f} %, one launch: {extra['one_launch']}"
    text = f"{said}{'; RAN AWAY: ' + extra['away'] if extra['away'] else ''}"
    counted = "" if launched is None else f"{launched:.0f} operations a step; "
    floors = f"{counted}{100 * floor / a_step:.2g} % of its floor {shown(floor)}"
    wanted = 1.0 if (preset, size, batch) == ("tiny", 64, CELLS_A_STEP) and device.type == "cuda" else None
    chosen = "" if batch else f", {trainer.settings.cells_a_step} cells a step as chosen"
    return row_against(
        f"train {preset} {size} px{chosen}", [a_step], 1 / STEPS_A_SECOND, text, f"{STEPS_A_SECOND} steps/s",
        floor=floors, wanted=wanted, extra=extra,
    )  # fmt: skip


def away(losses: list[dict[str, float]]) -> str:
    """Losses that ran away, in words; empty for none."""
    found = []
    for name in {name for one in losses for name in one}:
        values = [one[name] for one in losses if name in one]
        late = statistics.median(values[-max(1, len(values) // 10) :])
        if not math.isfinite(late) or late > max(LARGE, AWAY * abs(statistics.median(values))):
            found.append(f"{name} {late:.3g}")
    return ", ".join(sorted(found))


def replayed_rows(options: Options) -> Iterator[Row]:
    """Largest difference of weights between steps replayed and steps made one by one, beside 1e-6.

    By operations that give the same bits each time, as a training has them: rounding alone would grow in 40 steps.
    """
    if recorder_for(options.device) is None:
        return
    compute_repeatably(options.device)
    for entry in RECIPES:
        recipe = recipe_named(entry.name)
        mixed = [recipe]
        if getattr(recipe, "mixed_precision", False):
            mixed.append(replace(recipe, mixed_precision=False))  # type: ignore[call-arg]
        for one in mixed:
            pair = [Steps(one, 64, 16, 16, options.device, replayed=replayed) for replayed in (False, True)]
            for steps in pair:
                for number in range(40):
                    steps.make(number, stage=one.stage(number / 40), progress=number / 40)
            states = [steps.step.state() for steps in pair]
            weights = [name for name in states[0] if name.startswith(("networks.", "average."))]
            worst = max(float((states[0][name].double() - states[1][name].double()).abs().max()) for name in weights)
            of = f"after 40 steps, {pair[1].step.one_launch.reason or 'replayed'}"
            name = f"same weights, {entry.name}{' in float32' if one is not recipe else ''}"
            yield row_against(name, [worst], 1e-6, of, "1e-6", wanted=1.0)
