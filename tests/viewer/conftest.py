"""Fixtures of the docks: a small model that was not trained, cells on disk, and waiting for background jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_impa.cells.simulated import CHANNELS, CONDITIONS, CONTROL, simulated_cells
from napari_impa.engine.model import IMPA
from napari_impa.engine.networks import Networks, Shape


@pytest.fixture(autouse=True)
def own_list_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's list of recent models out of the tests."""
    monkeypatch.setenv("NAPARI_IMPA_CACHE", str(tmp_path))
    return tmp_path / "recent-models.json"


@pytest.fixture(autouse=True)
def no_dialogs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file dialog that no test expects fail, instead of waiting for a user for ever."""
    from qtpy.QtWidgets import QFileDialog

    for name in ("getOpenFileName", "getExistingDirectory", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: pytest.fail("a file dialog was opened"))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Small networks are faster on one thread."""
    import torch

    torch.set_num_threads(1)


def small_model(
    size: int = 48, conditions: tuple[str, ...] = tuple(name for name in CONDITIONS if name != CONTROL)
) -> IMPA:
    """A model whose weights are random: what it predicts is no cell, but always the same."""
    import torch

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
    cells = simulated_cells(8, size=48, conditions=(CONTROL, "shrinkage", "mitotic arrest"))
    return cells.save(tmp_path_factory.mktemp("cells") / "screen.cells")


@pytest.fixture
def settle(qtbot: Any) -> Callable[..., None]:
    """Let the window work until a condition holds."""

    def wait(condition: Callable[[], object], seconds: float = 60) -> None:
        qtbot.waitUntil(lambda: bool(condition()), timeout=int(1000 * seconds))

    return wait
