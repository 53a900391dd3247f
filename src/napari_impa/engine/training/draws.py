"""What a training step draws: its random numbers, and the control cells under their target conditions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_impa.engine.training.data.training_cells import Batch
from napari_impa.engine.training.settings import TrainingSettings


class Drawn(NamedTuple):
    """Control cells under their target conditions, and how far the maps that they were drawn from peak."""

    content: Tensor
    style: Tensor
    fake: Tensor
    excess: Tensor | float
    own: Tensor | None = None


class Draws:
    """A step's random numbers, the same whether one process makes the step or several share it."""

    def __init__(self, settings: TrainingSettings, step: int, batch: Batch, device: torch.device) -> None:
        rng = np.random.default_rng([settings.seed, step, 1])
        count, mine = settings.batch_size, slice(batch.first, batch.first + len(batch.y_target))
        noise = [rng.standard_normal((count, settings.noise_dim), np.float32)[mine] for _ in range(2)]
        self.noise = [torch.from_numpy(draw).to(device) for draw in noise]
        normal = rng.standard_normal((3, count, batch.control.shape[1]), np.float32)[:, mine]
        self.normal = torch.from_numpy(normal).to(device)
        self.uniform = torch.from_numpy(rng.random(count, np.float32)[mine]).to(device)
