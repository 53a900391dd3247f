"""Small labelled cells and trainings of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_impa.cells.store import Cells
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.trainer import Trainer


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
def reference_folder(request: pytest.FixtureRequest) -> Path:
    """Folder of a reference, by name; the two large ones lie outside the repository."""
    ours = Path(__file__).parents[1] / "data" / "reference" / request.param
    return ours if ours.is_dir() else request.getfixturevalue("shared") / "reference" / request.param


@pytest.fixture
def make_trainer(cells: Cells, tmp_path: Path) -> Callable[..., Trainer]:
    """Make a trainer of the smallest networks; keyword arguments are settings."""

    def make(folder: str = "run", *, of: Cells = cells, resume: bool = False, **settings: Any) -> Trainer:
        chosen = TrainingSettings(**{"size": 24, "batch_size": 2, "steps": 4, "style_dim": 8, **settings})
        return Trainer(of, chosen, tmp_path / folder, resume=resume, sample_every=2)

    return make


SMILES = {
    "DMSO": "CS(C)=O",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "ethanol": "CCO",
}


@pytest.fixture(scope="session")
def screen() -> Cells:
    """84 cells of 24 px: DMSO and three compounds at 1 and 10 µM with SMILES, and the genes TP53 and KRAS by CRISPR."""
    treatments = [("DMSO", "0", "")] + [(name, dose, "compound") for name in list(SMILES)[1:] for dose in ("1", "10")]
    treatments += [("KRAS", "", "CRISPR"), ("TP53", "", "CRISPR")]
    rows = [treatment for treatment in treatments for _ in range(12 if treatment[0] == "DMSO" else 9)]
    table = pd.DataFrame(rows, columns=["compound", "dose_um", "modality"])
    table["dose_um"] = pd.to_numeric(table["dose_um"])
    table["smiles"] = table["compound"].map(SMILES)
    table["plate"] = np.where(np.arange(len(table)) % 3, "A", "B")
    pixels = np.random.default_rng(1).integers(200, 2000, (len(table), 2, 24, 24)).astype(np.uint16)
    return Cells(pixels, table, ("DNA", "actin"), 0.5, ("compound", "dose_um"), "DMSO")


@pytest.fixture(scope="session")
def compounds(screen: Cells) -> Cells:
    """The cells of `screen` that were given DMSO or a compound."""
    return screen.take((screen.table["modality"] != "CRISPR").to_numpy())


@pytest.fixture(scope="session")
def genes_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of three numbers a gene or compound, as pandas writes it: the first column has no title."""
    path = tmp_path_factory.mktemp("tables") / "descriptors.csv"
    values = np.random.default_rng(2).normal(50, 20, (6, 3)).round(3)
    names = ["KRAS", "TP53", "BRAF", "aspirin", "caffeine", "ethanol"]
    pd.DataFrame(values, index=names, columns=["a", "b", "c"]).to_csv(path)
    return path
