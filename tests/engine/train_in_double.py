"""A training of 20 steps in double precision, alone or under torchrun: `train_in_double.py SOURCE OUT RECIPE=BATCH,…`.

In single precision no two ways of adding up a batch can be compared over 20 steps: Adam divides each gradient by its
own size, so that rounding decides about the sign of a step where the gradient is near zero. One process with one and
with two threads differs there as much as one and two processes do.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from napari_impa.cells.store import open_cells
from napari_impa.engine.distributed import Processes, processes
from napari_impa.engine.training.presets import WIDTHS
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.trainer import Trainer


def main(source: str, out: str, recipes: str, precision: str = "double", threads: str = "1") -> None:
    WIDTHS["tiny"] = 16 if precision == "single" else 8
    with processes() as group:
        for recipe, batch_size in (one.split("=") for one in recipes.split(",")):
            train(source, Path(out) / recipe, recipe, int(batch_size), precision, int(threads), group)
    tasks = Path("/proc/self/task")
    left = [thread.read_text() for thread in tasks.glob("*/comm")] if tasks.exists() else []
    assert not any("gloo" in name for name in left), "threads that send are left, and may abort the process at its end"


def train(source: str, out: Path, recipe: Any, batch_size: int, precision: str, threads: int, group: Processes) -> None:
    settings = TrainingSettings(size=24, steps=20, batch_size=batch_size, recipe=recipe, device="cpu", threads=threads)
    trainer = Trainer(open_cells(source), settings, out, group=group, sample_every=10**6)
    step, draw = trainer._step, trainer.data.batch
    if precision == "double":
        torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]  # losses are computed in float
        for networks in (step.networks, step.average):
            if networks is not None:
                networks.double()

        def batch(*which: Any) -> Batch:
            drawn = draw(*which)
            return replace(drawn, control=drawn.control.double(), treated=drawn.treated.double())

        trainer.data.batch = batch  # type: ignore[method-assign]
        trainer.samples = lambda: None  # type: ignore[assignment, method-assign]
    else:
        step._mixed = False  # type: ignore[attr-defined]
    for event in trainer:
        if group.is_first and event.step in (1, 20):
            torch.save(step.networks.state_dict(), out / f"{event.step}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
