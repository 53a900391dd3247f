"""Small labelled cells and trainings of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.store import Cells
from napari_impa.engine.settings import TrainingSettings
from napari_impa.engine.training import Trainer


@pytest.fixture(scope="session")
def cells() -> Cells:
    """40 cells of 26 px in two channels: controls dim, the drug bright, on plates A and B in two batches."""
    rng = np.random.default_rng(0)
    drug = np.arange(40) % 2 == 1
    pixels = rng.integers(200, 2000, (40, 2, 26, 26)) + 1000 * drug[:, None, None, None]
    table = pd.DataFrame(
        {
            "drug": np.where(drug, np.where(np.arange(40) % 4 == 1, "low", "high"), "DMSO"),
            "plate": np.where(np.arange(40) < 30, "A", "B"),
            "batch": np.where(np.arange(40) < 20, "one", "two"),
        }
    )
    return Cells(pixels.astype(np.uint16), table, ("DNA", "actin"), 0.5, ("drug",), "DMSO")


@pytest.fixture
def make_trainer(cells: Cells, tmp_path: Path) -> Callable[..., Trainer]:
    """Make a trainer of the smallest networks; keyword arguments are settings."""

    def make(folder: str = "run", *, of: Cells = cells, resume: bool = False, **settings: Any) -> Trainer:
        chosen = TrainingSettings(**{"size": 24, "batch_size": 2, "steps": 4, "style_dim": 8, **settings})
        return Trainer(of, chosen, tmp_path / folder, resume=resume, sample_every=2)

    return make
