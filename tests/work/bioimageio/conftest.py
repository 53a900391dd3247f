"""Fixtures of packages of bioimage.io: small models of each kind, and cells in numbers that are not rounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.cells.simulated.screen import CHANNELS, CONTROL
from napari_impa.cells.store import Cells, open_cells
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.model.networks import Networks
from napari_impa.engine.model.shape import Shape

SIDE = 24
CARD = """---
title: Poisons
author: A. Name, Lab; B. Name
license: cc-by-4.0
doi: https://doi.org/10.5281/zenodo.0000000
citation: Name et al.
---

Trained on two wells.
"""


@pytest.fixture(scope="session")
def cells(cells_path: Path) -> Cells:
    """Three cells of a control and as many of a compound, in float32, larger than the models take."""
    stored = open_cells(cells_path)
    some = stored.take(np.concatenate([np.flatnonzero(stored.is_control)[:3], np.flatnonzero(~stored.is_control)[:3]]))
    return replace(some, pixels=np.asarray(some.pixels, np.float32))


@pytest.fixture(scope="session")
def make_model() -> Callable[..., IMPA]:
    """A model of two conditions or batches, of random weights."""

    def make(*, card: str = CARD, descriptions: Any = (), e: int = 6, task: Any = "perturbation", **shape: Any) -> IMPA:
        sizes = Shape(SIDE, 3, 4, 8, 4, (e,), (2,), **shape)
        networks = Networks(sizes).initialize(torch.Generator().manual_seed(0))
        if sizes.relative_style:
            networks.start_style.data.normal_(generator=torch.Generator().manual_seed(1))
        names = ("batch 1", "batch 2") if task == "batch" else ("shrinkage", "μ-poison 5")
        return IMPA(
            networks, channels=CHANNELS, conditions=names, limits=np.array([[100.0, 3000.0], [0, 999], [50, 6000]]),
            task=task, control=None if task == "batch" else CONTROL, counts=dict.fromkeys(names, 1200), pixel_size=0.65,
            descriptions=descriptions, name="mine", card=card,
        )  # fmt: skip

    return make
