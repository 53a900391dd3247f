"""Checkpoints in the layout that IMPA was published in, read without unpickling code."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_impa.cells.words import Task
from napari_impa.engine.describing import DESCRIPTIONS, kind_named, kind_told, names_of
from napari_impa.engine.describing.description import Description
from napari_impa.engine.model.intensity import LEVELS
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.published.naming import Named, Naming
from napari_impa.errors import DAMAGE, ModelError, brief

NETWORKS = ("generator", "style_encoder", "discriminator", "mapping_network")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():  # a pipe would be waited for
        raise ModelError(f"{path} is no file; get the checkpoint again.")
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's doubts about a file that is none
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise ValueError("it holds no tensors by name")
        return state
    except (*DAMAGE, OSError, EOFError, struct.error, pickle.UnpicklingError) as error:
        raise ModelError(f"{path.name} is not a published IMPA checkpoint, or is damaged ({brief(error)}).") from error


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError("A part of the checkpoint holds other things than tensors by name; get it again.")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _part(path: Path) -> Mapping[str, Tensor]:
    """Return the one state dict in a file of embeddings."""
    parts = list(_read(path).values())
    if len(parts) != 1 or not isinstance(parts[0], Mapping):
        raise ModelError(f"{path.name} is no file of embeddings: it holds {len(parts)} parts instead of one.")
    return parts[0]


def _numbered(names: Mapping[str, Tensor], pattern: str) -> list[Tensor]:
    """Tensors whose names match `pattern`, in the order of the number in it."""
    found = {int(m.group(1) or 0): t for name, t in names.items() if (m := re.fullmatch(pattern, name))}
    return [found[i] for i in sorted(found)]


def is_published(folder: str | Path) -> bool:
    """Whether a folder holds a published checkpoint (`000200_nets.ckpt` and its embeddings)."""
    return any(Path(folder).glob("*_nets.ckpt"))


def shape_of(state: Mapping[str, Mapping[str, Tensor]]) -> Shape:
    """Read every setting off the shapes of the weights.

    Parameters
    ----------
    state
        `{generator, style_encoder, discriminator, mapping_network, embedding_matrix}` → state dict, and
        `modality_embedding` where there is one.
    """
    styles, mapping = state["style_encoder"], state["mapping_network"]
    width, channels = styles["conv.0.weight"].shape[:2]
    downs = len([name for name in styles if re.fullmatch(r"conv\.\d+\.conv1\.weight", name)])
    kernel = styles[f"conv.{downs + 2}.weight"].shape[-1]
    embeddings = _numbered(state["embedding_matrix"], r"(?:(\d+)\.)?weight")
    firsts = _numbered(mapping, r"mapping_network\.(?:(\d+)\.)?layers\.0\.weight")
    beside = state["modality_embedding"]["weight"].shape[1] if "modality_embedding" in state else 0
    layers = len([name for name in mapping if re.fullmatch(r"mapping_network\.(?:0\.)?layers\.\d+\.weight", name)])
    return Shape(
        size=kernel * 2**downs,
        channels=channels,
        width=width,
        style_dim=styles["linear.weight"].shape[0],
        noise_dim=firsts[0].shape[1] - embeddings[0].shape[1] - beside,
        embedding_dims=tuple(table.shape[1] for table in embeddings),
        conditions=tuple(table.shape[0] for table in embeddings),
        mapping_layers=layers,
        modality_dim=beside,
    )


def read_published(folder: str | Path) -> Networks:
    """Build the networks of a published checkpoint folder; the latest where it holds several.

    Raises
    ------
    ModelError
        If the folder holds no checkpoint, a part is missing, or the weights do not fit each other.
    """
    folder = Path(folder)
    nets = sorted(folder.glob("*_nets.ckpt"))
    if not nets:
        raise ModelError(f"{folder} holds no published IMPA checkpoint (a file like 000200_nets.ckpt).")
    tables = nets[-1].with_name(nets[-1].name.replace("_nets", "_embeddings"))
    if not tables.is_file():
        raise ModelError(f"{nets[-1].name} needs {tables.name} beside it, which is missing.")
    state = {name: _plain(part) for name, part in _read(nets[-1]).items()}
    missing = [name for name in NETWORKS if name not in state]
    if missing:
        raise ModelError(f"{nets[-1].name} is no IMPA checkpoint: it lacks {', '.join(missing)}.")
    state["embedding_matrix"] = _plain(_part(tables))
    modalities = nets[-1].with_name(nets[-1].name.replace("_nets", "_condition_embeddings"))
    if modalities.is_file():
        state["modality_embedding"] = _plain(_part(modalities))
    try:
        shape = shape_of(state)
        with torch.device("meta"):  # takes no memory, whatever the shapes ask for
            expected = Networks(shape)
        for name, part in state.items():
            own = expected.get_submodule(name).state_dict()
            if {key: value.shape for key, value in own.items()} != {key: value.shape for key, value in part.items()}:
                raise ValueError(f"{name} has other weights than IMPA's")
        networks = Networks(shape)
        for name, part in state.items():
            networks.get_submodule(name).load_state_dict(part)
    except DAMAGE as error:
        raise ModelError(f"The weights in {nets[-1].name} do not fit IMPA's networks ({brief(error)}).") from error
    return networks


def model_of(
    folder: str | Path,
    *,
    naming: Naming | None = None,
    channels: Sequence[str] | None = None,
    task: Task = "perturbation",
    description: str | Mapping[str, str] | None = None,
) -> IMPA:
    """Make a model of a published checkpoint folder, which holds neither names nor how conditions are described.

    Parameters
    ----------
    folder
        The checkpoint folder.
    naming
        Where the names of the conditions are found; `condition 1`, `condition 2`, … without it.
    channels
        Channel names; `channel 1`, `channel 2`, … where not given.
    task
        `perturbation` or `batch`.
    description
        `learned`, `bit`, `count` or `table`, for all or for each modality; told from the values where not given.

    Raises
    ------
    ModelError
        If the folder holds no checkpoint, or channels or description do not fit it.
    ConditionError
        If the names do not fit the embedding tables.
    """
    networks = read_published(folder)
    shape = networks.shape
    matrices = [networks.table(m).weight.detach().numpy() for m in range(len(shape.conditions))]
    named = [Named() for _ in matrices] if naming is None else naming.find(matrices, task)
    if naming is None and len(matrices) > 1:
        named = [replace(one, modality=f"modality {number + 1}") for number, one in enumerate(named)]
    kinds = _kinds(matrices, named, task, description)
    return IMPA(
        networks,
        channels=channels or [f"channel {i + 1}" for i in range(shape.channels)],
        conditions=[name for one in named for name in one.names]
        or [f"condition {i + 1}" for i in range(sum(shape.conditions))],
        descriptions=[kind(one.modality, unseen=one.unseen) for kind, one in zip(kinds, named, strict=True)],
        limits=np.tile([0.0, LEVELS], (shape.channels, 1)),
        task=task,
        control=naming.control if naming and task == "perturbation" else None,
        label=(naming.column,) if naming and naming.column else (),
        name=Path(folder).resolve().name,
    )


def _kinds(
    matrices: Sequence[NDArray[Any]], named: Sequence[Named], task: Task, description: str | Mapping[str, str] | None
) -> list[type[Description]]:
    kinds: list[type[Description]] = []
    modalities = [one.modality for one in named]
    if isinstance(description, Mapping) and (unknown := set(description) - set(modalities)):
        raise ModelError(f"The model has no modality {sorted(unknown)[0]!r}; it has: {', '.join(modalities)}.")
    for matrix, one in zip(matrices, named, strict=True):
        given = description.get(one.modality) if isinstance(description, Mapping) else description
        kind = one.kind if given is None else kind_named(given)
        if given is not None and kind is None:
            names = ", ".join(names_of(DESCRIPTIONS))
            raise ModelError(f"The description of a published model is one of {names}, not {given!r}.")
        if given is not None and kind is not None and not kind.fits(matrix):
            raise ModelError(f"The conditions of this model are not described by {kind.plural}.")
        kinds.append(kind or (DESCRIPTIONS[0] if task == "batch" else kind_told(matrix)))
    return kinds
