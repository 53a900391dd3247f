"""How sure a model is of each pixel: the spread of its predictions over draws of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_impa.cells.store import Cells
from napari_impa.engine.model.prediction import batches_of

if TYPE_CHECKING:
    from torch import Tensor

    from napari_impa.engine.describing.new_condition import Target
    from napari_impa.engine.model.encoder import Encoded
    from napari_impa.engine.model.model import IMPA

DRAWS = 8
"""Predictions that a spread is taken over."""

_CELLS = 32


def spread(
    model: IMPA,
    cells: Cells,
    target: Target,
    *,
    draws: int = DRAWS,
    strength: float = 1.0,
    variability: float = 0.1,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return the standard deviation of each predicted pixel over draws of the noise.

    Parameters
    ----------
    model
        Predicts; of the cells' channels and crop side.
    cells
        N cells.
    target
        The condition they are turned into.
    draws
        At least 2: the predictions of the seeds `seed`, `seed` + 1, …
    strength, variability, seed
        As `IMPA.predict` takes them; with variability 0 nothing is spread.

    Returns
    -------
    (N, C, S, S) float32, in the camera's units; the n − 1 estimate.

    Raises
    ------
    ModelError, ConditionError
        If the model does not fit the cells or does not know the condition.
    """
    cells = model.fit(cells)
    noises = noise_draws(model, len(cells), draws=draws, variability=variability, seed=seed)
    batches = batches_of(model, cells)
    out = np.empty(cells.pixels.shape, np.float32)
    for start in range(0, len(cells), _CELLS):
        rows = slice(start, start + _CELLS)
        of = None if batches is None else batches[rows]
        encoded = model.encode(cells.pixels[rows], style=strength != 1, batches=of)
        out[rows] = spread_of(model, encoded, target, [noise[rows] for noise in noises], strength=strength)
    return out


def noise_draws(model: IMPA, count: int, *, draws: int, variability: float, seed: int) -> list[Tensor]:
    """Noise (count, n) of each draw, that of the seeds `seed`, `seed` + 1, …"""
    if draws < 2:
        raise ValueError(f"a spread needs at least 2 draws, not {draws}")
    return [model.noise(count, variability=variability, seed=seed + draw) for draw in range(draws)]


def spread_of(
    model: IMPA, encoded: Encoded, target: Target, noises: Sequence[Tensor], *, strength: float = 1.0
) -> NDArray[np.float32]:
    """(n, C, S, S) spread, in the camera's units, of cells that are encoded already."""
    images = torch.stack([model.decode(encoded, target, noise, strength=strength) for noise in noises])
    half_range = (model.limits[:, 1] - model.limits[:, 0]) / 2  # decoded images are in [-1, 1]
    spread: NDArray[np.float32] = images.float().std(dim=0).cpu().numpy()
    return np.asarray(spread * half_range[:, None, None].astype(np.float32))
