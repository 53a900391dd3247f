"""DINOv2 features: a small vision transformer that learned from photographs without labels."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_impa.analysis.features.colour_images import colour_images
from napari_impa.analysis.features.published_weights import PublishedWeights
from napari_impa.analysis.features.space import FeatureSpace
from napari_impa.watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from torch import nn

NAME = "dinov2"

WEIGHTS = PublishedWeights(
    file="dinov2_vits14_pretrain.pth",
    url="https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain.pth",
    sha256="b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
    bytes=88_283_115,
    packages=("timm",),
    licence="Apache-2.0",
    citation="Oquab et al., DINOv2: Learning robust visual features without supervision, TMLR 2024.",
)

ARCHITECTURE = "vit_small_patch14_dinov2"
"""Name of the network in timm."""

SIDE = 224
"""Pixels: 16 by 16 patches."""

DEPTH = 384
"""Numbers an image."""

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of each colour of ImageNet, which the network's images were standardised by."""


def dinov2_features(
    pixels: NDArray[Any], limits: NDArray[np.float64], /, *, nuclei: int = 0, watch: Watch = UNWATCHED
) -> NDArray[np.float64]:
    """Describe cells by the class token of DINOv2's small network (ViT-S/14, without registers).

    Of the spaces that generated images are compared in, DINOv2's agrees best with what people see (Stein et al.,
    NeurIPS 2023). As there, the whole crop of 8 bits is brought to 224×224 pixels bicubically, nothing is cut off, and
    the colours are standardised by ImageNet's; 384 numbers an image. Images are those of `colour_images`, their
    features joined.

    Cells go through the network one by one, so that no number depends on how many are described at a time.

    Parameters
    ----------
    pixels
        (N, C, S, S) in the camera's units; NaN counts as the lower limit.
    limits
        (C, 2) lower and upper intensity of each channel.
    nuclei
        Not needed.
    watch
        Asked before every cell whether to go on.

    Returns
    -------
    (N, D), D = 1536 for three channels, else 384 C.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    MissingDependencyError
        If timm cannot be imported.
    FetchError
        If the weights are not there, or are not those that were published.
    """
    import torch
    from torch.nn import functional as F

    images, network = torch.from_numpy(colour_images(pixels, limits)), _network(WEIGHTS.path)
    mean, sd = (torch.tensor(one).view(1, 3, 1, 1) for one in (MEAN, SD))
    out = np.empty((len(images), images.shape[1] * DEPTH))
    with torch.inference_mode():
        for row, of_cell in zip(out, images, strict=True):
            watch.check()
            resized = F.interpolate(of_cell / 255, (SIDE, SIDE), mode="bicubic", antialias=True).clip(0, 1)
            row[:] = network((resized - mean) / sd).flatten().numpy()
    return out


@lru_cache(maxsize=1)
def _network(path: Path) -> nn.Module:
    with WEIGHTS.importing():
        import timm
        from timm.models.vision_transformer import checkpoint_filter_fn
    network: Any = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0, img_size=SIDE)
    network.load_state_dict(checkpoint_filter_fn(WEIGHTS.read(path), network))  # brings the positions to 16 by 16
    module: nn.Module = network.eval().requires_grad_(False)
    return module


DINOV2 = FeatureSpace(
    name=NAME,
    title="DINOv2: a network that learned from photographs without labels",
    describe=dinov2_features,
    missing=lambda: WEIGHTS.missing(NAME),
    weights=WEIGHTS,
)
