"""A trained model whose conditions are described afterwards: its networks, and a mapping fitted to descriptions."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_impa.engine.describing.description import Description
from napari_impa.engine.describing.style_fit import StyleFit, fit_styles
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.errors import ModelError
from napari_impa.watch import UNWATCHED, Watch


def require_describable(model: IMPA) -> None:
    """Check that the conditions of a model can be described afterwards.

    Raises
    ------
    ModelError
        If it corrects batches, knows several kinds of perturbation, or its styles are no linear map.
    """
    cannot = f"The conditions of the model {model.name!r} cannot be described afterwards"
    if model.task == "batch":
        raise ModelError(f"{cannot}, as they are batches, which have nothing to be described by.")
    if len(model.shape.conditions) > 1:
        raise ModelError(f"{cannot}, as they are of {len(model.shape.conditions)} kinds; choose a model of one kind.")
    if model.shape.mapping_layers > 1:
        raise ModelError(
            f"{cannot}, as it was trained with doses: its styles are no linear map of what describes a condition."
        )


def describe_afterwards(
    model: IMPA, description: Description, vectors: NDArray[Any], *, watch: Watch = UNWATCHED
) -> tuple[IMPA, StyleFit]:
    """Describe the conditions of a trained model; no cells are needed, as it knows the mean style of each.

    Generator, style encoder, discriminator and the spread of cells under one condition (noise) are the model's own. Its
    mapping network is the linear map from descriptions to styles that `fit_styles` finds. Where styles are relative
    and conditions are described by structures, a compound that has none of the known substructures leaves cells as
    they are; otherwise what all conditions share is fitted too.

    Parameters
    ----------
    model
        With one linear mapping network; it stays as it is.
    description
        How conditions are described from now on.
    vectors
        (K, f) what the mapping network takes for each condition, in the model's order.
    watch
        As of `fit_styles`.

    Returns
    -------
    A new model on the CPU, with what `fit_styles` says of it, which is also kept in its history.

    Raises
    ------
    ModelError
        As `require_describable`.
    ConditionError
        As `fit_styles`.
    """
    require_describable(model)
    old, shape = model.networks, model.shape
    first = _first(old)
    with torch.no_grad():
        known = old.table().weight
        styles = old.style_of(known, torch.zeros(len(known), shape.noise_dim, device=model.device)).cpu().numpy()
    relative = shape.relative_style > 0 and description.needs == "smiles"
    fit = fit_styles(
        vectors, styles, nothing=old.start_style.detach().cpu().numpy().mean(0) if relative else None, watch=watch
    )
    networks = Networks(replace(shape, embedding_dims=(vectors.shape[1],)))
    state = networks.state_dict()
    own = ("embedding_matrix.", "mapping_network.")
    networks.load_state_dict(state | {name: v for name, v in old.state_dict().items() if not name.startswith(own)})
    networks.describe(torch.from_numpy(np.ascontiguousarray(vectors, np.float32)))
    with torch.no_grad():
        new = _first(networks)
        new.bias.copy_(torch.from_numpy(fit.constant))
        new.weight.zero_()  # also for the embedding of the modality, which is the same for all
        new.weight[:, : vectors.shape[1]] = torch.from_numpy(fit.weight.T)
        new.weight[:, -shape.noise_dim :] = first.weight[:, -shape.noise_dim :].cpu()
    about = model.parts() | {
        "networks": networks,
        "descriptions": [replace(description, modality=model.descriptions[0].modality)],
        "history": model.history | {"described": _history(model, description, fit)},
    }
    return IMPA(**about), fit


def _first(networks: Networks) -> torch.nn.Linear:
    layer = networks.mapping_network.mapping_network.layers[0]  # type: ignore[index]
    assert isinstance(layer, torch.nn.Linear)
    return layer


def _history(model: IMPA, description: Description, fit: StyleFit) -> dict[str, Any]:
    """What was fitted and how good it is, JSON-able."""
    return {
        "model": model.name,
        "hash": model.hash,
        "kind": description.kind,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "ridge": fit.ridge,
        "error": round(fit.error, 4),
        "left_out": {name: round(float(value), 4) for name, value in zip(model.conditions, fit.left_out, strict=True)},
        "moved": {name: round(float(value), 4) for name, value in zip(model.conditions, fit.moved, strict=True)},
        "alike": [[model.conditions[row] for row in rows] for rows in fit.alike],
    }
