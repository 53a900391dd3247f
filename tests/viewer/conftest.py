"""Fixtures of the docks: no dialogs, and waiting for background jobs."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("napari")


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


@pytest.fixture(autouse=True, scope="session")
def what_is_imported_is_no_garbage() -> None:
    """Napari looks for garbage several times a test, which would go through all modules of torch and Qt each time."""
    for name in ("napari.viewer", "torch", "napari_impa.viewer.perturb.dock", "napari_impa.viewer.train.dock"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def layers_go_without_a_look_for_garbage() -> Iterator[None]:
    """Napari looks for garbage after each layer that goes, for drivers of Windows: a fifth of these tests' time."""
    from napari._vispy import canvas

    with pytest.MonkeyPatch.context() as patch:
        if sys.platform != "win32":
            patch.setattr(canvas, "gc", SimpleNamespace(collect=lambda: 0))
        yield


@pytest.fixture
def settle(qtbot: Any) -> Callable[..., None]:
    """Let the window work until a condition holds."""

    def wait(condition: Callable[[], object], seconds: float = 60) -> None:
        qtbot.waitUntil(lambda: bool(condition()), timeout=int(1000 * seconds))

    return wait


@pytest.fixture
def stepped_aside_for() -> Iterator[list[Any]]:
    """Lists of layers, each of which a view that has the canvas for itself would step aside for."""
    from napari_impa.viewer.kit.canvas import tell_of_layers

    class Holder:
        def __init__(self) -> None:
            self.told: list[Any] = []

        def make_room(self, layers: Any) -> None:
            self.told.append(layers)

    holder = Holder()
    tell_of_layers(holder.make_room)
    yield holder.told
    holder.told.clear()


@pytest.fixture
def other_dock() -> Any:
    """A dock that is told which cells are chosen in others."""
    from napari_impa.viewer.layers.chosen_cells import follow_chosen

    class Follower:
        def __init__(self) -> None:
            self.told: list[Any] = []
            follow_chosen(self.light)

        def light(self, chosen: Any) -> None:
            self.told.append(chosen)

    return Follower()


@pytest.fixture(autouse=True)
def docks_as_they_come() -> Iterator[None]:
    """Forget what a Perturb dock was set to when a test closed it."""
    from napari_impa.viewer.perturb.dock_memory import MEMORY

    yield
    MEMORY.forget()


@pytest.fixture(autouse=True)
def segmenters_as_they_come() -> Iterator[None]:
    """Forget what a test has set of a segmenter."""
    from napari_impa.viewer.layers.segmenter_form import MEMORY

    yield
    MEMORY.forget()
