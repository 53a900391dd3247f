"""Networks that were not trained, in the layout of the published checkpoints."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape
from napari_impa.engine.published.checkpoint_folder import NETWORKS


def write_published(folder: Path, networks: Networks, *, prefix: str = "", number: int = 200) -> Path:
    """Save networks in the layout of the published checkpoints."""
    folder.mkdir(exist_ok=True)

    def part(name: str) -> dict[str, torch.Tensor]:
        return {prefix + key: value.clone() for key, value in networks.get_submodule(name).state_dict().items()}

    torch.save({name: part(name) for name in NETWORKS}, folder / f"{number:06}_nets.ckpt")
    torch.save({"embedding_matrix": part("embedding_matrix")}, folder / f"{number:06}_embeddings.ckpt")
    if networks.shape.modality_dim:
        content = {"condition_embedding_matrix": part("modality_embedding")}
        torch.save(content, folder / f"{number:06}_condition_embeddings.ckpt")
    return folder


def random_networks(shape: Shape, seed: int = 0) -> Networks:
    """Networks with random weights."""
    return Networks(shape).initialize(torch.Generator().manual_seed(seed))
