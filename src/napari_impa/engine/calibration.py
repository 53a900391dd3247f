"""Relative styles set exactly to what the style encoder says of the cells that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.store import Cells, shortest
from napari_impa.engine.labels import held_out_mask
from napari_impa.engine.model import IMPA
from napari_impa.errors import ConditionError, ModelError

BLOCK = 64


def calibrate(model: IMPA, cells: Cells, *, most: int = 256, seed: int = 0) -> None:
    """Set the mean styles of a model's conditions, and of what they are relative to, to those of its training's cells.

    While a model learns, its mean styles follow the style encoder at some distance; once it is trained, they can be
    computed. The mapping network is changed by the least (in the sum of squares) that gives every condition the mean
    style of its cells, so conditions described by numbers keep what the training found of those in between. Its noise
    is set to the spread of styles among cells of one condition, along the principal axes of their covariance: with
    variability 1, cells are moved as far apart as real ones are.

    Parameters
    ----------
    model
        Of the recipe `relative`, changed in place.
    cells
        All cells of its training; those it held out are left out here too.
    most
        Cells that a mean is taken over, at most.
    seed
        Of the cells drawn.

    Raises
    ------
    ModelError
        If the model's styles are not relative, or it knows several modalities or doses.
    ConditionError
        If there are no cells of a condition.
    """
    networks, shape = model.networks, model.shape
    if not shape.relative_style or len(shape.conditions) > 1 or shape.mapping_layers > 1:
        raise ModelError("Only a model of the recipe relative, of one modality and without doses, can be calibrated.")
    cells = model.fit(cells.labelled(model.label, model.control))
    names, free = cells.conditions, ~held_out_mask(cells, model.hold_out)
    rng = np.random.default_rng([seed, 0xCA])

    def styles(name: str) -> Tensor:
        rows = np.flatnonzero((names == name) & free)
        if not len(rows):
            raise ConditionError(f"There are no cells of {name} that the training did not hold out.")
        return _styles(model, cells, np.sort(rng.permutation(rows)[:most]))

    found = [styles(name) for name in model.conditions]
    means = torch.stack([one.mean(0) for one in found])
    starts = means if model.control is None else styles(shortest(model.control)).mean(0, keepdim=True)
    with torch.no_grad():
        embeddings = networks.table().weight
        mapped = networks.style_of(embeddings, embeddings.new_zeros(len(means), shape.noise_dim))
        first = networks.mapping_network.mapping_network.layers[0]  # type: ignore[index]
        change = torch.linalg.pinv(embeddings.double()) @ (means - mapped).double()
        first.weight[:, : embeddings.shape[1]] += change.T.to(embeddings.dtype)  # type: ignore[union-attr]
        first.weight[:, -shape.noise_dim :] = _spread(found, shape.noise_dim)  # type: ignore[union-attr]
        networks.start_style.copy_(starts)


def _spread(styles: Sequence[Tensor], count: int) -> Tensor:
    """(d, n) matrix that turns standard normal noise into the spread of styles (n, d) around each condition's mean.

    The `count` principal axes of the pooled covariance, each as long as its standard deviation; further ones are 0.
    """
    around = torch.cat([one - one.mean(0) for one in styles]).double()
    variance, axes = torch.linalg.eigh(around.T @ around / max(1, len(around) - len(styles)))
    kept = (axes * variance.clamp(min=0).sqrt())[:, -count:].flip(1)
    return torch.nn.functional.pad(kept, (0, count - kept.shape[1])).to(styles[0].dtype)


def _styles(model: IMPA, cells: Cells, rows: NDArray[np.intp]) -> Tensor:
    """Styles (n, d) of some cells, as they are."""
    parts = []
    for start in range(0, len(rows), BLOCK):
        style = model.encode(cells.pixels[rows[start : start + BLOCK]]).style
        assert style is not None
        parts.append(style)
    return torch.cat(parts)
