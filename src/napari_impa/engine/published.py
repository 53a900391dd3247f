"""Checkpoints in the layout that IMPA was published in, read without unpickling code."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_impa.engine.networks import Networks, Shape
from napari_impa.errors import ModelError

NETWORKS = ("generator", "style_encoder", "discriminator", "mapping_network")


def _read(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path.name} is not a published IMPA checkpoint, or is damaged ({error}).") from error


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): value for name, value in state.items()}


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
        `{generator, style_encoder, discriminator, mapping_network, embedding_matrix}` → state dict.
    """
    styles, mapping = state["style_encoder"], state["mapping_network"]
    width, channels = styles["conv.0.weight"].shape[:2]
    downs = len([name for name in styles if re.fullmatch(r"conv\.\d+\.conv1\.weight", name)])
    kernel = styles[f"conv.{downs + 2}.weight"].shape[-1]
    embeddings = _numbered(state["embedding_matrix"], r"(?:(\d+)\.)?weight")
    firsts = _numbered(mapping, r"mapping_network\.(?:(\d+)\.)?layers\.0\.weight")
    layers = len([name for name in mapping if re.fullmatch(r"mapping_network\.(?:0\.)?layers\.\d+\.weight", name)])
    return Shape(
        size=kernel * 2**downs,
        channels=channels,
        width=width,
        style_dim=styles["linear.weight"].shape[0],
        noise_dim=firsts[0].shape[1] - embeddings[0].shape[1],
        embedding_dims=tuple(table.shape[1] for table in embeddings),
        conditions=tuple(table.shape[0] for table in embeddings),
        mapping_layers=layers,
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
    state["embedding_matrix"] = _plain(_read(tables)["embedding_matrix"])
    try:
        networks = Networks(shape_of(state))
        for name, part in state.items():
            networks.get_submodule(name).load_state_dict(part)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise ModelError(f"The weights in {nets[-1].name} do not fit IMPA's networks ({error}).") from error
    return networks
