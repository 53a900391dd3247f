"""Fixtures for every room: shared images, a small model that was not trained, cells on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from napari_impa.engine.model.model import IMPA

# No deadlines, as a busy machine is no fault; `--slow` draws as many examples as Hypothesis does by itself.
settings.register_profile("usual", deadline=None, max_examples=30)
settings.register_profile("slow", deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--slow`."""
    parser.addoption(
        "--slow", action="store_true",
        help="run the tests marked `slow` too, and more examples of each property (nightly; see CONTRIBUTING.md)",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples of a property are tried."""
    settings.load_profile("slow" if config.getoption("--slow") else "usual")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked `slow` unless `--slow`, or `-m` with their name, asks for them."""
    if config.getoption("--slow") or "slow" in config.getoption("markexpr"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real images and reference numbers; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("NAPARI_IMPA_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real images and reference numbers (set NAPARI_IMPA_SHARED; looked in {folder})")
    return folder


def small_model(size: int = 48) -> IMPA:
    """A model whose weights are random: what it predicts is no cell, but always the same."""
    import torch

    from napari_impa.cells.simulated.screen import CHANNELS, CONDITIONS, CONTROL
    from napari_impa.engine.model.model import IMPA
    from napari_impa.engine.model.networks import Networks
    from napari_impa.engine.model.shape import Shape

    conditions = tuple(name for name in CONDITIONS if name != CONTROL)
    shape = Shape(size=size, channels=3, width=4, embedding_dims=(8,), conditions=(len(conditions),))
    networks = Networks(shape).initialize(torch.Generator().manual_seed(0))
    limits = np.array([[100.0, 3000.0]] * 3)
    return IMPA(networks, channels=CHANNELS, conditions=conditions, limits=limits, control=CONTROL, name="small")


@pytest.fixture(scope="session")
def model() -> IMPA:
    return small_model()


@pytest.fixture(scope="session")
def model_path(model: IMPA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.save(tmp_path_factory.mktemp("models") / "small.impa", compact=True)


@pytest.fixture(scope="session")
def cells_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.cells` folder of three conditions on four plates."""
    from napari_impa.cells.simulated.screen import CONTROL, simulated_cells

    cells = simulated_cells(8, size=48, conditions=(CONTROL, "shrinkage", "mitotic arrest"))
    return cells.save(tmp_path_factory.mktemp("cells") / "screen.cells")
