from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_cells import drawn_cells
from numpy.typing import NDArray
from pretrained_stand_ins import MODULES, TENSORS, write_stand_in
from torchvision_kernels import import_torchvision

from napari_impa.analysis.features import FEATURE_SPACES, FeatureSpace
from napari_impa.analysis.features.published_weights import NETWORKS, PublishedWeights
from napari_impa.cache import CACHE


@pytest.fixture(scope="session")
def stand_in_cache(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, PublishedWeights]]:
    """A cache folder with stand-ins for the pretrained networks, and what they are."""
    import_torchvision()
    pytest.importorskip("torch_fidelity")
    pytest.importorskip("timm")
    cache = tmp_path_factory.mktemp("cache")
    return cache, {
        name: write_stand_in(module.WEIGHTS, TENSORS[name](), cache / NETWORKS) for name, module in MODULES.items()
    }


@pytest.fixture
def stand_ins(
    stand_in_cache: tuple[Path, dict[str, PublishedWeights]], monkeypatch: pytest.MonkeyPatch
) -> dict[str, PublishedWeights]:
    """Put the stand-ins in place of the pretrained networks."""
    cache, weights = stand_in_cache
    monkeypatch.setenv(CACHE, str(cache))
    for name, module in MODULES.items():
        monkeypatch.setattr(module, "WEIGHTS", weights[name])
    return weights


@pytest.fixture(params=FEATURE_SPACES, ids=lambda space: space.name)
def space(request: pytest.FixtureRequest) -> FeatureSpace:
    """Each feature space; the pretrained ones have stand-ins."""
    found: FeatureSpace = request.param
    if found.weights is not None:
        request.getfixturevalue("stand_ins")
    return found


@pytest.fixture(scope="session")
def drawn() -> NDArray[np.uint16]:
    """Twelve cells of three channels, as measurements with names need them."""
    return drawn_cells(12)
