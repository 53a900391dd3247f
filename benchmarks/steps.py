"""A training step: recipe `default` against `paper` and bfloat16 against float32, in time and memory."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.measure import Options, Row, alternately, in_child, matrix_rate, memory, row_against, row_of, timed
from napari_impa.engine.device import has_bfloat16
from napari_impa.engine.model import layers
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.one_launch import recorder_for
from napari_impa.engine.training.cost.measure import Outline, shape_of
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import make_step, recipe_named
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.recipe import Recipe, Stage

CONDITIONS, CHANNELS = 5, 3


class Steps:
    """Adversarial steps of one recipe on random images; of those that are alike one is timed."""

    def __init__(
        self, recipe: Recipe, size: int, width: int, batch: int, device: torch.device, *, replayed: bool = True
    ) -> None:
        settings = TrainingSettings(size=size, batch_size=batch)
        shape = replace(shape_of(Outline(CHANNELS, CONDITIONS), settings, recipe), width=width)
        networks = Networks(shape).initialize(torch.Generator().manual_seed(0)).to(device)
        self.device, self.recipe = device, recipe
        self.step = make_step(networks, recipe, batch_size=batch, recorder=recorder_for(device) if replayed else None)
        random = torch.Generator().manual_seed(1)
        images = [torch.rand((batch, CHANNELS, size, size), generator=random).to(device) * 2 - 1 for _ in range(2)]
        y = torch.randint(CONDITIONS, (batch,), generator=random).to(device)
        self.batch = Batch(*images, y, y)

    def make(self, number: int, *, stage: Stage = "adversarial", progress: float = 0.5) -> None:
        """Make step `number`."""
        self.step(self.batch, number, stage, progress=progress)

    def seconds(self) -> float:
        """Mean seconds a step."""
        return sum(part * timed(lambda n=number: self.make(n), self.device) for number, part in kinds(self.recipe))


def kinds(recipe: Recipe) -> list[tuple[int, float]]:
    """Numbers of adversarial steps that differ, as with R1 or without, and the part of them that each stands for."""
    found = [(kind.number, kind.share) for kind in recipe.kinds_of_steps() if kind.stage == "adversarial"]
    whole = sum(share for _, share in found)
    return [(number, share / whole) for number, share in found]


class Operations(TorchDispatchMode):
    """Counts floating-point operations by torch's own formulas.

    Its `FlopCounterMode` also says in which module they were, for which it follows the backward pass; it fails where
    that is differentiated again, as for R1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function._overloadpacket in flop_registry:
            self.count += flop_registry[function._overloadpacket](*args, **(kwargs or {}), out_val=result)
        return result


def operations(recipe: Recipe, size: int, width: int, batch: int) -> float:
    """Floating-point operations of a mean step, counted on two cells."""
    steps, mean = Steps(recipe, size, width, 2, torch.device("cpu")), 0.0
    for number, part in kinds(recipe):
        with Operations() as counter:
            steps.make(number)
        mean += part * counter.count
    return mean * batch / 2


def peak(recipe: str, size: int, width: int, batch: int, device: str) -> dict[str, int]:
    """Bytes that networks, optimisers and two steps take beyond an imported torch (on a GPU, of its memory)."""
    before = memory()[0]
    steps = Steps(recipe_named(recipe), size, width, batch, torch.device(device))
    for number, _ in kinds(recipe_named(recipe)):
        steps.make(number)
    if steps.device.type == "cuda":
        return {"bytes": torch.cuda.max_memory_allocated(steps.device)}
    return {"bytes": memory()[1] - before}


def rows(options: Options) -> Iterator[Row]:
    """Time and memory of a step: 96 px, 3 channels, width 64, batches of 16 and 32."""
    size, width, batches = (24, 4, (2,)) if options.quick else (96, 64, (16, 32))
    paper, default, device = recipe_named("paper"), DefaultRecipe(), options.device
    for batch in batches:
        name = f"step, batch {batch}"
        yield compare(name, default, paper, ("default", "paper"), size, width, batch, options)
        taken = {
            recipe: in_child("steps:peak", recipe=recipe, size=size, width=width, batch=batch, device=str(device))
            for recipe in ("default", "paper")
        }
        a, b = (taken[recipe]["bytes"] for recipe in ("default", "paper"))
        texts = [f"{recipe} {taken[recipe]['bytes'] / 1e9:.2f} GB" for recipe in ("default", "paper")]
        yield row_against(f"memory, batch {batch}", [a], max(1, b), *texts, wanted=1.0, extra={"bytes": taken})


def precision_rows(options: Options) -> Iterator[Row]:
    """The default step in bfloat16 against float32, where the device computes in bfloat16."""
    if not has_bfloat16(options.device):
        return
    size, width, batch = (24, 4, 2) if options.quick else (96, 64, 16)
    mixed, full = (DefaultRecipe(mixed_precision=chosen) for chosen in (True, False))
    row = compare("precision", mixed, full, ("bfloat16", "float32"), size, width, batch, options)
    row.wanted = None
    yield row


def folded_rows(options: Options) -> Iterator[Row]:
    """The default step with folded convolutions against the same without, where that is not the way already."""
    kind = options.device.type
    size, width, batch = (24, 4, 2) if options.quick else (96, 64, 16)
    kept = set(layers.FOLDED)

    def steps(folded: bool) -> Callable[[], float]:
        made = Steps(DefaultRecipe(), size, width, batch, options.device)

        def seconds() -> float:
            layers.FOLDED = kept | {kind} if folded else kept - {kind}
            return made.seconds()

        for _ in range(3 if kind == "cuda" else 1):  # unmeasured: on a GPU they are recorded meanwhile
            seconds()
        return seconds

    try:
        measured = alternately(steps(True), steps(False), options.repeats)
    finally:
        layers.FOLDED = kept
    yield row_of("folded", *measured, ("folded", "apart"))


def compare(
    name: str, a: Recipe, b: Recipe, what: tuple[str, str], size: int, width: int, batch: int, options: Options
) -> Row:
    """Time a step of two recipes on the same network, with the floor of the first."""
    device = options.device
    first, second = (Steps(recipe, size, width, batch, device) for recipe in (a, b))
    for steps in (first, second):  # unmeasured: on a GPU they are recorded meanwhile
        for _ in range(3 if device.type == "cuda" else 1):
            steps.seconds()
    measured = alternately(first.seconds, second.seconds, options.repeats)
    extra: dict[str, Any] = {}
    floors = []
    for recipe, text, taken in zip((a, b), what, measured[:2], strict=True):
        mixed = isinstance(recipe, DefaultRecipe) and recipe.mixed_precision and has_bfloat16(device)
        rate = matrix_rate(device, torch.bfloat16 if mixed else torch.float32, quick=options.quick)
        count = operations(recipe, size, width, batch)
        seconds = statistics.median(taken)
        extra[text] = {
            "flop": count,
            "flop_per_second": rate,
            "floor_seconds": count / rate,
            "steps_per_second": 1 / seconds,
        }
        floors.append(f"{text} {count / 1e12:.3g} TFLOP, {seconds / (count / rate):.2g} × its floor")
    del first, second
    gc.collect()
    wanted = 1 / 3 if device.type == "cuda" else 0.75
    return row_of(name, *measured, what, floor="; ".join(floors), wanted=wanted, extra=extra)
