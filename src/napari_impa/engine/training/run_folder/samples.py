"""What a training makes of a few cells, to be looked at while it goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_impa.engine.model.intensity import from_normalized
from napari_impa.engine.training.data.training_cells import TrainingCells
from napari_impa.engine.training.events import Samples
from napari_impa.engine.training.steps.step import Step

VARIABILITY = 0.1
"""Factor of the noise, as in predictions by default."""


def draw_samples(step: Step[Any], data: TrainingCells, count: int) -> Samples:
    """Control, predicted and real cells (`count` each), the same ones each time."""
    settings = data.settings
    sources, reals, y = data.examples(count, settings.seed)
    control, real = data.images(sources), data.images(reals)
    normal = np.random.default_rng(0).standard_normal((count, settings.noise_dim), np.float32)
    noise = torch.from_numpy(normal * VARIABILITY)
    labels, predicted = data.labels, torch.empty_like(control)
    for modality in set(labels.modality[y].tolist()):
        mine = torch.from_numpy(labels.modality[y] == modality)
        rows = torch.from_numpy(labels.row[y])[mine]
        start = torch.from_numpy(labels.numbers(sources)) if settings.task == "batch" else None
        predicted[mine] = step.predict(control[mine], rows, noise[mine], modality, start)
    dtype = data.pixels.dtype
    return Samples(
        control=from_normalized(control, data.limits, dtype),
        predicted=from_normalized(predicted, data.limits, dtype),
        real=from_normalized(real, data.limits, dtype),
        conditions=tuple(data.conditions[k] for k in y),
    )
