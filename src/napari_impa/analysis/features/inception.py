"""Inception features: the network of the published Fréchet distance (FID), trained on photographs."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
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

NAME = "inception"

WEIGHTS = PublishedWeights(
    file="weights-inception-2015-12-05-6726825d.pth",
    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    bytes=95_628_359,
    packages=("torch_fidelity",),
    licence="Apache-2.0",
    citation="Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016; "
    "Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash equilibrium, NeurIPS 2017; "
    "weights converted by Obukhov et al., torch-fidelity, doi:10.5281/zenodo.4957738.",
)


def inception_features(
    pixels: NDArray[Any], limits: NDArray[np.float64], /, *, nuclei: int = 0, watch: Watch = UNWATCHED
) -> NDArray[np.float64]:
    """Describe cells by the last pooled layer of the Inception-v3 that the published FID is defined by.

    The TensorFlow network of 5 December 2015 (Heusel et al., NeurIPS 2017) in torch-fidelity's port, which gives its
    numbers to the bit of an image: the whole crop, 8 bits, is brought to 299×299 pixels bilinearly as
    TensorFlow 1 does it, then (x − 128) / 128; 2048 numbers an image. Images are those of `colour_images`, their
    features joined: what is compared with a published FID of three channels are the first 2048 alone.

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
    (N, D), D = 8192 for three channels, else 2048 C.

    Raises
    ------
    CellsError
        If the limits do not fit the channels.
    MissingDependencyError
        If torch-fidelity cannot be imported.
    FetchError
        If the weights are not there, or are not those that were published.
    """
    import torch

    images, network = torch.from_numpy(colour_images(pixels, limits)), _network(WEIGHTS.path)
    out = np.empty((len(images), images.shape[1] * 2048))
    with torch.inference_mode():
        for row, of_cell in zip(out, images, strict=True):
            watch.check()
            row[:] = network(of_cell)[0].flatten().numpy()
    return out


@lru_cache(maxsize=1)
def _network(path: Path) -> nn.Module:
    import torch

    with WEIGHTS.importing():
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    safe = BytesIO()  # torch-fidelity would unpickle whatever the file holds; so it gets the checked tensors alone
    torch.save(WEIGHTS.read(path), safe)
    safe.seek(0)
    network: nn.Module = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=safe
    )
    return network


INCEPTION = FeatureSpace(
    name=NAME,
    title="Inception-v3 of the published FID: a network trained on photographs",
    describe=inception_features,
    missing=lambda: WEIGHTS.missing(NAME),
    weights=WEIGHTS,
)
