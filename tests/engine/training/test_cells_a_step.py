"""How many cells a step takes where nobody says so, by the device, and that a run keeps to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_impa.engine.training import cells_a_step
from napari_impa.engine.training.cells_a_step import cells_in_words, with_cells_a_step
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import TrainingError

GPU, CPU = torch.device("cuda"), torch.device("cpu")


@pytest.mark.parametrize(
    ("gib", "preset", "size", "count"),
    [
        (79, "tiny", 64, 64),
        (79, "tiny", 48, 64),
        (63, "tiny", 64, 32),
        (39, "tiny", 64, 32),
        (24, "tiny", 64, 16),
        (4, "tiny", 64, 16),
        (79, "tiny", 96, 16),
        (79, "small", 64, 16),
        (79, "small", 48, 16),
        (79, "small", 24, 64),
        (79, "paper", 64, 16),
    ],
)
def test_a_large_gpu_gets_more_cells_while_it_would_be_idle(
    monkeypatch: pytest.MonkeyPatch, gib: int, preset: str, size: int, count: int
) -> None:
    monkeypatch.setattr(cells_a_step, "free_memory", lambda device: (1 << 30, gib << 30))
    settings = TrainingSettings(preset=preset, size=size)
    assert with_cells_a_step(settings, GPU) == replace(settings, batch_size=count)
    assert with_cells_a_step(settings, CPU).batch_size == 16
    assert with_cells_a_step(settings, torch.device("mps")).batch_size == 16


def test_what_the_user_says_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_a_step, "free_memory", lambda device: (79 << 30, 79 << 30))
    chosen = TrainingSettings(batch_size=8)
    assert with_cells_a_step(chosen, GPU) is chosen
    assert cells_in_words(chosen, chosen) == "8 cells a step"
    given = TrainingSettings()
    assert cells_in_words(given, with_cells_a_step(given, GPU)).startswith("64 cells a step, with fewer")
    with pytest.raises(TrainingError, match="batch_size is at least 1, not 0"):
        TrainingSettings(batch_size=0)


def test_a_run_writes_down_what_was_chosen_and_is_resumed_with_it(
    make_trainer: Callable[..., Trainer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another device, which would choose otherwise, too."""
    monkeypatch.setattr("napari_impa.engine.training.trainer.with_cells_a_step", lambda given, device: (
        given if given.batch_size else replace(given, batch_size=3)
    ))  # fmt: skip
    first = make_trainer(batch_size=None, steps=2)
    assert len(first.data.batch(0).y_target) == 3
    list(first)
    written = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert written["batch_size"] == 3
    monkeypatch.undo()
    again = make_trainer(batch_size=None, steps=3, resume=True)
    assert again.settings.batch_size == 3
    assert again.model.settings["batch_size"] == 3
    assert len(list(again)) == 2


def test_settings_of_an_older_version_are_read_with_their_batch() -> None:
    old = {**TrainingSettings().to_json(), "batch_size": 16}
    assert TrainingSettings.from_json(old).batch_size == 16
    assert TrainingSettings.from_json({name: old[name] for name in old if name != "batch_size"}).cells_a_step == 16
