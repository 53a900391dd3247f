"""The networks that a training begins with, before the first step."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from napari_impa.engine.describing.description import Description, Vector
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.training.data.labels import TrainingLabels
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.recipe import Recipe


def first_networks(
    labels: TrainingLabels,
    described: Sequence[tuple[Description, Vector | None]],
    settings: TrainingSettings,
    channels: int,
    recipe: Recipe,
) -> Networks:
    """Networks with random weights from the settings' seed, for cells of so many channels.

    Parameters
    ----------
    labels, described
        The conditions, and what `TrainingLabels.describe` says of them.
    settings
        What to train.
    channels
        Number of image channels.
    recipe
        What the networks have to be like.
    """
    starts = labels.conditions if settings.task == "batch" else labels.modalities  # what mean styles belong to
    shape = Shape(
        size=settings.size,
        channels=channels,
        width=settings.width,
        style_dim=settings.style_dim,
        noise_dim=settings.noise_dim,
        embedding_dims=tuple(settings.embedding_dim if v is None else v.shape[1] for _, v in described),
        conditions=tuple(len(labels.of_modality(number)) for number in range(len(labels.modalities))),
        mapping_layers=1 if settings.dose is None else 2,  # one layer alone adds the same for every compound
        modality_dim=settings.modality_dim,
        relative_style=recipe.starts(len(starts)),
        upsampling=recipe.upsampling,
        discriminator=recipe.discriminator,
    )
    networks = Networks(shape).initialize(torch.Generator().manual_seed(settings.seed))
    for number, (_, vectors) in enumerate(described):
        if vectors is not None:
            networks.describe(torch.from_numpy(vectors), number)
            if recipe.forgets_unknown:
                networks.forget_unknown(number)
    return networks
