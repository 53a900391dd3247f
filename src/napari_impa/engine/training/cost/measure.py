"""How long a training step takes and how much memory, measured on throw-away networks instead of guessed."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.device import (
    choose_device,
    compute_repeatably,
    free_memory,
    is_out_of_memory,
    release_memory,
    use_threads,
)
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.one_launch import recorder_for
from napari_impa.engine.training.cells_a_step import cells_in_words, with_cells_a_step
from napari_impa.engine.training.cost.budget import Measured, advise, describe_budget
from napari_impa.engine.training.data.labels import TrainingLabels
from napari_impa.engine.training.presets import PRESETS
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import make_step, recipe_named
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.recipe import Recipe, StepKind
from napari_impa.errors import OutOfMemoryError
from napari_impa.watch import UNWATCHED, Watch

SECONDS = 8.0
"""Time limit; each kind of step is made at least once unless it is passed."""

ROUNDS = 5
"""Measurements of each kind of step, at most."""

HEADROOM = 0.8
"""Fraction of the free memory that a training may take: cells and scores want some too."""


@dataclass(frozen=True)
class Outline:
    """What a step's time depends on beside the settings: numbers of channels and of conditions."""

    channels: int
    conditions: int


def measure(
    of: Cells | Outline,
    settings: TrainingSettings,
    *,
    recipe: Recipe | None = None,
    seconds: float = SECONDS,
    watch: Watch = UNWATCHED,
) -> Measured:
    """Make some steps of every kind with random numbers for cells; nothing of it is kept.

    Parameters
    ----------
    of
        Labelled cells, of which only the numbers of channels and conditions matter, or these numbers.
    settings
        What to train; the true crop side, preset, recipe, batch size, device and threads are used.
    recipe
        Another recipe than the settings name.
    seconds
        When to stop.
    watch
        Asked many times a step; what it raises ends the measurement.

    Raises
    ------
    OutOfMemoryError
        If the memory does not suffice for a step.
    ConditionError
        As `TrainingLabels`.
    """
    outline = outline_of(of, settings) if isinstance(of, Cells) else of
    settings = with_cells_a_step(settings, choose_device(settings.device).device)
    recipe = recipe or recipe_named(settings.recipe)
    use_threads(settings.threads)
    chosen = choose_device(settings.device)
    compute_repeatably(chosen.device)
    release_memory(chosen.device)
    memory = _Memory(chosen.device)
    times, model_bytes = None, 0
    try:
        networks = Networks(shape_of(outline, settings, recipe)).initialize(torch.Generator().manual_seed(0))
        model_bytes = sum(p.numel() * p.element_size() for p in networks.parameters())
        times = _time_steps(networks.to(chosen.device), outline, settings, recipe, seconds, watch, memory)
        del networks
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    release_memory(chosen.device)
    if times is None:  # only here are the tensors of the failed step free
        raise OutOfMemoryError(
            f"The memory does not suffice for the preset {settings.preset} at {settings.size} px with "
            f"{settings.cells_a_step} cells a step; take a smaller preset, crop side or batch size."
        )
    kinds = recipe.kinds_of_steps()
    medians = {kind: statistics.median(found) for kind, found in times.items()}
    average = sum(kind.share * medians.get(kind, max(medians.values())) for kind in kinds)
    rough = any(len(times.get(kind, ())) < 2 for kind in kinds)
    return Measured(average, memory.most, chosen.reason, model_bytes, rough)


def _time_steps(
    networks: Networks,
    outline: Outline,
    settings: TrainingSettings,
    recipe: Recipe,
    seconds: float,
    watch: Watch,
    memory: _Memory,
) -> dict[StepKind, list[float]]:
    """Seconds of each kind of step, as many times as there is time for, the first of all left out."""
    how = {"is_batch_task": settings.task == "batch", "seed": settings.seed, "batch_size": settings.cells_a_step}
    device = networks.generator.from_rgb.weight.device
    step = make_step(networks, recipe, **how, watch=watch, recorder=recorder_for(device))
    batch = random_batch(outline, settings)
    kinds, times = recipe.kinds_of_steps(), dict[StepKind, list[float]]()
    began = time.perf_counter()

    def one(kind: StepKind) -> float:
        start = time.perf_counter()
        step(batch, kind.number, kind.stage, progress=kind.progress)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        memory.look()
        return time.perf_counter() - start

    first = kinds[-1], one(kinds[-1])  # allocates, and chooses kernels; it counts only where nothing else is known
    for _ in range(ROUNDS):
        for kind in kinds:
            if time.perf_counter() - began > seconds:
                return times or {first[0]: [first[1]]}
            times.setdefault(kind, []).append(one(kind))
    return times


def outline_of(cells: Cells, settings: TrainingSettings) -> Outline:
    """Count the channels and the conditions that labelled cells would be trained on."""
    return Outline(len(cells.channels), len(TrainingLabels(cells, settings).conditions))


def shape_of(outline: Outline, settings: TrainingSettings, recipe: Recipe) -> Shape:
    """Return the networks' shape, with conditions of one kind that are learned: other descriptions change little."""
    starts = outline.conditions if settings.task == "batch" else 1
    return Shape(
        size=settings.size,
        channels=outline.channels,
        width=settings.width,
        style_dim=settings.style_dim,
        noise_dim=settings.noise_dim,
        embedding_dims=(settings.embedding_dim,),
        conditions=(outline.conditions,),
        mapping_layers=1 if settings.dose is None else 2,
        relative_style=recipe.starts(starts),
        upsampling=recipe.upsampling,
        discriminator=recipe.discriminator,
    )


def random_batch(outline: Outline, settings: TrainingSettings) -> Batch:
    """Draw a batch of noise as large as a real one."""
    random = torch.Generator().manual_seed(0)
    count, side = settings.cells_a_step, settings.size
    control, treated = (2 * torch.rand((count, outline.channels, side, side), generator=random) - 1 for _ in range(2))
    y = torch.arange(count) % outline.conditions
    return Batch(control, treated, y, y.flip(0))


class _Memory:
    """The most memory that torch has taken from a GPU since the beginning; `most` is None on a CPU."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.most = device, None if device.type == "cpu" else 0
        self._before = self._taken()

    def look(self) -> None:
        if self.most is not None:
            self.most = max(self.most, self._taken() - self._before)

    def _taken(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.memory_reserved(self.device)  # what was taken is kept for later until it is released
        return torch.mps.driver_allocated_memory() if self.device.type == "mps" else 0


def suggest_preset(
    of: Cells | Outline,
    settings: TrainingSettings,
    *,
    watch: Watch = UNWATCHED,
) -> tuple[str, Measured]:
    """Choose the largest preset that fits: `tiny` on a CPU, on a GPU by the memory that its steps take.

    Returns
    -------
    The preset, and what was measured with it.

    Raises
    ------
    OutOfMemoryError
        If not even the smallest fits.
    ConditionError
        As `TrainingLabels`.
    """
    free = free_memory(choose_device(settings.device).device)
    smallest, *larger = (preset.name for preset in PRESETS)
    for preset in reversed(larger if free else []):
        try:
            measured = measure(of, replace(settings, preset=preset), watch=watch)
        except OutOfMemoryError:
            continue
        if free and (measured.memory_bytes or 0) <= HEADROOM * free[0]:
            return preset, measured
    return smallest, measure(of, replace(settings, preset=smallest), watch=watch)


def dry_run(cells: Cells, settings: TrainingSettings) -> list[str]:
    """Say what a training would be, line by line: conditions, device, the time of a step, and what the budget gives.

    Raises
    ------
    OutOfMemoryError, ConditionError
        As `measure`.
    """
    labels = TrainingLabels(cells, settings)
    measured = measure(Outline(len(cells.channels), len(labels.conditions)), settings)
    cells_a_step = cells_in_words(settings, with_cells_a_step(settings, choose_device(settings.device).device))
    counts = ", ".join(f"{name} {count:,}" for name, count in labels.counts.items())
    return [
        f"Conditions ({' '.join(cells.label)}): {counts}",
        f"Would train on {measured.device}; {cells_a_step}; a model file of {measured.model_bytes / 1e6:.0f} MB.",
        f"{describe_budget(measured, settings)}.",
        advise(measured, settings),
    ]
