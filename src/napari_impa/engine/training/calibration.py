"""Relative styles set exactly to what the style encoder says of the cells that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.data.training_cells import TrainingCells
from napari_impa.errors import ModelError

BLOCK = 64
"""Cells encoded at a time."""

MOST, LEAST = 1024, 32
"""Treated cells that are encoded in all, about, and of a condition at least, where it has so many."""


def can_calibrate(shape: Shape) -> bool:
    """Whether mean styles can be computed: relative ones, of one modality, and linear in what is mapped."""
    return shape.relative_style > 0 and len(shape.conditions) == 1 and shape.mapping_layers == 1


def calibrate(model: IMPA, data: TrainingCells, *, most: int = 256, seed: int = 0) -> None:
    """Set the mean styles of a model's conditions, and of what they are relative to, to those of its training's cells.

    While a model learns, its mean styles follow the style encoder at some distance; once it is trained, they can be
    computed. The mapping network becomes the least one (in the sum of squares) that gives every condition the mean
    style of its cells and, where conditions are described by numbers, leaves cells as they are under one that has
    nothing in common with those of the training. Its noise is set to the spread of styles among cells of one
    condition, along the principal axes of their covariance: with variability 1, cells are moved as far apart as real
    ones are. That covariance is also what batches are told apart by (linear discriminant analysis).

    Parameters
    ----------
    model
        Of relative styles (the recipe `default`), changed in place.
    data
        The cells of its training.
    most
        Cells that a mean is taken over, at most; fewer where there are many conditions (`MOST`, `LEAST`), but as many
        controls, from which every condition starts.
    seed
        Of the cells drawn.

    Raises
    ------
    ModelError
        If the model cannot be calibrated (`can_calibrate`).
    """
    networks, shape, labels = model.networks, model.shape, data.labels
    if not can_calibrate(shape):
        raise ModelError("Only a model of relative styles, of one modality and without doses, can be calibrated.")
    rng = np.random.default_rng([seed, 0xCA])
    groups = np.split(labels.pool, labels.starts[1:])
    counts = [min(most, max(LEAST, MOST // len(groups)))] * len(groups)
    if model.control is not None:
        groups.append(labels.sources[0])
        counts.append(most)
    drawn = [np.sort(rng.permutation(rows)[:count]) for rows, count in zip(groups, counts, strict=True)]
    found = [_styles(model, data, rows) for rows in drawn]
    starts = found.pop().mean(0, keepdim=True) if model.control is not None else None
    means = torch.stack([one.mean(0) for one in found])
    starts = means if starts is None else starts
    with torch.no_grad():
        embeddings, nothing = networks.table().weight, starts.mean(0)
        first = networks.mapping_network.mapping_network.layers[0]  # type: ignore[index]
        assert isinstance(first, torch.nn.Linear)
        first.bias.copy_(nothing)
        first.weight.zero_()
        least = torch.linalg.pinv(embeddings.cpu().double()) @ (means - nothing).cpu().double()
        first.weight[:, : embeddings.shape[1]] = least.T.to(means)
        first.weight[:, -shape.noise_dim :] = _spread(found, shape.noise_dim)
        networks.start_style.copy_(starts)
        if "start_axes" in dict(networks.named_buffers()):
            networks.start_axes.copy_(_whitening(found))


def _spread(styles: Sequence[Tensor], count: int) -> Tensor:
    """(d, n) matrix that turns standard normal noise into the spread of styles (n, d) around each condition's mean.

    The `count` principal axes of the pooled covariance, each as long as its standard deviation; further ones are 0.
    """
    around = torch.cat([one - one.mean(0) for one in styles]).cpu().double()
    _, lengths, axes = torch.linalg.svd(around / max(1, len(around) - len(styles)) ** 0.5, full_matrices=False)
    kept = (axes.T * lengths)[:, :count]
    return torch.nn.functional.pad(kept, (0, count - kept.shape[1])).to(styles[0])


def _whitening(styles: Sequence[Tensor]) -> Tensor:
    """(d, d) axes in which styles (n, d) have the same spread in all directions around each condition's mean.

    By the covariance estimate of Ledoit & Wolf (2004), as there may be fewer cells than dimensions.
    """
    from sklearn.covariance import ledoit_wolf  # takes a second to import

    around = torch.cat([one - one.mean(0) for one in styles]).cpu().double()
    covariance, _ = ledoit_wolf(around.numpy(), assume_centered=True)
    if not covariance.any():  # one cell a batch
        return torch.eye(len(covariance)).to(styles[0])
    axes: Tensor = torch.linalg.cholesky(torch.linalg.inv(torch.from_numpy(covariance)))
    return axes.to(styles[0])


@torch.inference_mode()
def _styles(model: IMPA, data: TrainingCells, rows: NDArray[np.intp]) -> Tensor:
    """Styles (n, d) of some cells, as they are, on the model's device."""
    parts = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    return torch.cat([model.networks.style_encoder(data.images(part).to(model.device)) for part in parts])
