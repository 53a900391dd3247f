"""The random numbers of a training step, the same whether one process makes the step or several share it."""

from __future__ import annotations

import numpy as np
import torch

from napari_impa.engine.training.steps.batch import Batch


class Draws:
    """A step's random numbers, fixed by the seed and the step's number.

    Parameters
    ----------
    seed, number
        Of the training, and of the step.
    batch
        The cells, of which there may be more in other processes.
    batch_size, noise_dim
        Cells of the whole batch, and dimension n of the noise.
    device
        Where the numbers are wanted.

    Attributes
    ----------
    noise
        Two draws (B, n), standard normal.
    normal, uniform
        For `at_other_contrast`: (3, B, C) standard normal and (B,) from 0 to 1.
    """

    def __init__(
        self, seed: int, number: int, batch: Batch, *, batch_size: int, noise_dim: int, device: torch.device
    ) -> None:
        rng = np.random.default_rng([seed, number, 1])
        mine = slice(batch.first, batch.first + len(batch.y_target))
        noise = [rng.standard_normal((batch_size, noise_dim), np.float32)[mine] for _ in range(2)]
        self.noise = [torch.from_numpy(draw).to(device) for draw in noise]
        normal = rng.standard_normal((3, batch_size, batch.control.shape[1]), np.float32)[:, mine]
        self.normal = torch.from_numpy(normal).to(device)
        self.uniform = torch.from_numpy(rng.random(batch_size, np.float32)[mine]).to(device)
