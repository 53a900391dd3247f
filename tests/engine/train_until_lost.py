"""A training whose discriminator learns too fast, alone or under torchrun: `train_until_lost.py SOURCE OUT TIMES`.

Every process writes into OUT what it was told and the weights it ended with, by its number.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from napari_impa.cells.store import open_cells
from napari_impa.engine.distributed import processes
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.trainer import Trainer


def main(source: str, out: str, times: str) -> None:
    with processes() as group:
        recipe = DefaultRecipe(autoencoder=0.05, critic_rate=float(times) * DefaultRecipe().critic_rate)
        settings = TrainingSettings(
            size=24, steps=40, batch_size=2, style_dim=8, device="cpu", threads=1, checkpoint_seconds=0.0
        )
        run = Path(out) / "run"
        trainer = Trainer(open_cells(source), settings, run, group=group, recipe=recipe, sample_every=10**6)
        told = [event.message for event in trainer if event.message and not event.finished]
        found = {"told": told, "lowered": tuple(trainer._step.lowered), "weights": trainer._step.networks.state_dict()}
        torch.save(found, Path(out) / f"{group.rank}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
