"""A training that is to be left ends within a second, whatever it is doing, by the work it still does."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import Parameter

from napari_impa.analysis.features import quick
from napari_impa.cells.simulated.screen import simulated_cells
from napari_impa.cells.store import open_cells
from napari_impa.engine.steering import Abandoned, Steering
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.default_step import DefaultStep
from napari_impa.engine.training.steps.optimizers import Muon
from napari_impa.engine.training.trainer import Trainer
from napari_impa.watch import CancelledError, Watch
from napari_impa.work.training import make_trainer as with_scores


def functions_around() -> set[str]:
    frame, found = sys._getframe(1), set()
    while frame is not None:
        found.add(frame.f_code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def test_all_that_takes_long_looks_whether_to_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution, its gradient, a product of matrices, the features of a few cells, a part of a file."""
    where: set[str] = set()
    monkeypatch.setattr(Steering, "check", lambda self: where.update(functions_around()))
    cells = simulated_cells(90, size=24, conditions=("DMSO", "shrinkage")).save(tmp_path / "s.cells")
    settings = TrainingSettings(size=24, batch_size=2, steps=2, device="cpu", hold_out={"plate": ["sim-B"]})
    monkeypatch.setattr("napari_impa.engine.training.data.feed.HOST_BYTES", 20_000)
    trainer, kept = with_scores(open_cells(cells).labelled(["compound"], "DMSO"), settings, tmp_path / "run")
    assert "kept by the gap" in kept
    list(trainer)
    assert where >= {"after_forward", "before_backward", "orthogonalised", "fast_measurements", "_fill"}


def test_the_optimiser_is_left_between_two_products() -> None:
    kernels, calls = [Parameter(torch.ones(16, 16, 3, 3)) for _ in range(2)], []

    class Leaving(Watch):
        def check(self) -> None:
            calls.append(1)
            if len(calls) == 3:
                raise Abandoned

    for kernel in kernels:
        kernel.grad = torch.ones_like(kernel)
    with pytest.raises(Abandoned):
        Muon(kernels, 0.1, watch=Leaving()).step()
    assert len(calls) == 3
    assert all(bool((kernel == 1).all()) for kernel in kernels)


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="the system does not say what a thread took")
@pytest.mark.parametrize(
    "moment",
    [
        "_teach_generator",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("_teach_discriminator", "orthogonalised")),
    ],
)
def test_a_step_of_seconds_is_left_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The work that the thread still does is measured, which others who use the machine do not make more."""
    begun, seen = threading.Event(), []
    owner: Any = (
        sys.modules["napari_impa.engine.training.steps.optimizers"] if moment == "orthogonalised" else DefaultStep
    )
    whole: Callable[..., Any] = getattr(owner, moment)

    def watched(*args: Any, **more: Any) -> Any:
        begun.set()
        return whole(*args, **more)

    monkeypatch.setattr(owner, moment, watched)
    cells = simulated_cells(20, size=64, conditions=("DMSO", "shrinkage")).labelled(["compound"], "DMSO")
    settings = TrainingSettings(
        size=64, batch_size=16, steps=9, device="cpu", preset="small", threads=1
    )  # fmt: skip
    recipe = DefaultRecipe(autoencoder=0.35 if moment == "orthogonalised" else 0.0)
    trainer = Trainer(cells, settings, tmp_path / "run", recipe=recipe)
    took: list[float] = []
    threads = torch.get_num_threads()

    def train() -> None:
        seen.extend(trainer)
        took.append(time.thread_time())

    thread = threading.Thread(target=train)
    thread.start()
    assert begun.wait(120)
    before = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    trainer.abandon()
    thread.join(60)
    torch.set_num_threads(threads)
    assert took[0] - before < 1.0
    assert [event.finished for event in seen] == [True]
    assert not thread.is_alive()


def test_features_end_where_they_are_asked_to() -> None:
    calls: list[int] = []

    class Leaving(Watch):
        def check(self) -> None:
            calls.append(1)
            if len(calls) == 2:
                raise CancelledError

    pixels = simulated_cells(2 * quick.BATCH + 1, size=24, conditions=("DMSO", "shrinkage")).pixels
    limits = np.array([[0.0, 1000.0]] * pixels.shape[1])
    with pytest.raises(CancelledError):
        quick.deep_features(pixels, limits, watch=Leaving())
    assert len(calls) == 2
