"""What the scripts of the bundled models share: a model goes into the package as float16, and one way to train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import napari_impa as impa
from napari_impa.engine.model.intensity import LEVELS
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.trainer import Trainer
from napari_impa.work.training import follow

MODELS = Path(__file__).parents[1] / "src" / "napari_impa" / "models"


def trained_to_keep(cells: impa.Cells, settings: TrainingSettings, folder: Path) -> impa.Run:
    """Train with half as much again of all that gives cells back as themselves; a run that is there is gone on with."""
    recipe = DefaultRecipe(self_reconstruction=3.0, cycle=1.5, backward_cycle=3.0)
    follow(Trainer(cells, settings, folder, recipe=recipe, resume=folder.exists()))
    return impa.Run(folder)


def bundle(run: impa.Run, cells: impa.Cells, *, most: int = 32) -> Path:
    """Write `MODELS/NAME.impa`, named as the run's folder, and print the largest difference in grey levels."""
    model = impa.IMPA.load(run.last_path)
    model.name = run.folder.name
    path = model.save(MODELS / model.name, compact=True, half=True)
    rounded = impa.IMPA.load(path)
    some = cells if model.control is None else cells.controls()
    some = some.take(np.linspace(0, len(some) - 1, most).astype(int))
    some = replace(some, pixels=some.pixels.astype(np.float32))  # so that predictions are not rounded
    one, other = (each.predict(some, model.conditions).pixels for each in (model, rounded))
    levels = np.abs(one - other) / (model.limits[:, 1] - model.limits[:, 0])[:, None, None] * LEVELS
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB; float16 changes predictions by {levels.max():.2f} at most")
    return path
