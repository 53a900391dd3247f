"""Files like those of the pretrained networks: the same tensors by name and shape, of random numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch

from napari_impa.analysis.features import dinov2, inception
from napari_impa.analysis.features.published_weights import PublishedWeights
from napari_impa.fetching.members import sha256_of


def dinov2_tensors() -> dict[str, torch.Tensor]:
    """The 175 tensors of the published file, whose positions are those of images of 518 pixels."""
    wide, shapes = 384, dict[str, tuple[int, ...]]()
    shapes |= {"cls_token": (1, 1, wide), "pos_embed": (1, 37 * 37 + 1, wide), "mask_token": (1, wide)}
    shapes |= {"patch_embed.proj.weight": (wide, 3, 14, 14), "patch_embed.proj.bias": (wide,)}
    for block in range(12):
        parts: dict[str, tuple[int, ...]] = {
            "norm1.weight": (wide,), "norm1.bias": (wide,), "norm2.weight": (wide,), "norm2.bias": (wide,),
            "attn.qkv.weight": (3 * wide, wide), "attn.qkv.bias": (3 * wide,),
            "attn.proj.weight": (wide, wide), "attn.proj.bias": (wide,), "ls1.gamma": (wide,), "ls2.gamma": (wide,),
            "mlp.fc1.weight": (4 * wide, wide), "mlp.fc1.bias": (4 * wide,),
            "mlp.fc2.weight": (wide, 4 * wide), "mlp.fc2.bias": (wide,),
        }  # fmt: skip
        shapes |= {f"blocks.{block}.{name}": shape for name, shape in parts.items()}
    shapes |= {"norm.weight": (wide,), "norm.bias": (wide,)}
    random = torch.Generator().manual_seed(1)
    tensors = {name: 0.05 * torch.randn(shape, generator=random) for name, shape in shapes.items()}
    scales = (name for name in tensors if name.endswith(("gamma", "norm.weight", "norm1.weight", "norm2.weight")))
    return tensors | {name: 1 + tensors[name] for name in scales}


def inception_tensors() -> dict[str, torch.Tensor]:
    """The 566 tensors of the published file."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(2)
    with patch.object(FeatureExtractorInceptionV3, "load_state_dict"), patch.object(torch, "load"):
        network = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path="nowhere")
    tensors = network.state_dict()
    return {
        name: 2.45 * tensor if name.endswith("conv.weight") else tensor  # does not fade with depth (He et al. 2015)
        for name, tensor in tensors.items()
    }


def write_stand_in(weights: PublishedWeights, tensors: dict[str, torch.Tensor], folder: Path) -> PublishedWeights:
    """Write tensors under the name of a published file, and say what was written."""
    path = folder / weights.file
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path)
    return replace(weights, sha256=sha256_of(path), bytes=path.stat().st_size)


MODULES = {"inception": inception, "dinov2": dinov2}
TENSORS = {"inception": inception_tensors, "dinov2": dinov2_tensors}
