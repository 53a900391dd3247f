from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.model import IMPA, load_model
from napari_impa.engine.steps import Step
from napari_impa.engine.training import Trainer
from napari_impa.errors import ConditionError, OutOfMemoryError, TrainingError

Make = Callable[..., Trainer]


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([value.flatten() for value in trainer.model.networks.state_dict().values()])


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_one_event_a_step_then_one_that_ends(make_trainer: Make, recipe: str) -> None:
    trainer = make_trainer(recipe=recipe)
    events = list(trainer)
    assert [event.step for event in events] == [1, 2, 3, 4, 4]
    assert [event.finished for event in events] == [False] * 4 + [True]
    assert events[-1].message is not None
    assert "finished after 4 steps" in events[-1].message
    assert [event.samples is not None for event in events] == [True, True, False, True, True]
    assert all(np.isfinite(list(event.losses.values())).all() for event in events)
    stages = [event.stage for event in events[:4]]
    assert stages == (["adversarial"] * 4 if recipe == "paper" else ["autoencoder"] + ["adversarial"] * 3)
    assert list(trainer.run.history["step"]) == [1, 2, 3, 4]
    samples = events[0].samples
    assert samples is not None
    assert samples.predicted.dtype == np.uint16
    assert samples.predicted.shape == (8, 2, 24, 24)


def test_the_model_of_a_run(make_trainer: Make) -> None:
    trainer = make_trainer(hold_out={"plate": ["B"]})
    list(trainer)
    model = load_model(trainer.run.folder)
    assert model.conditions == ("high", "low")
    assert model.counts == {"high": 7, "low": 8, "DMSO": 15}
    assert model.hold_out == {"plate": ("B",)}
    assert model.control == "DMSO"
    assert model.hash == trainer.model.hash
    assert model.history["steps"] == 4


def test_stop_is_obeyed_at_the_step_and_resume_gives_the_same_weights(make_trainer: Make) -> None:
    whole = make_trainer("whole", steps=6)
    list(whole)
    broken = make_trainer("broken", steps=6)
    for event in broken:
        if event.step == 3:
            broken.stop()
    assert event.message is not None
    assert "stopped after 3 steps" in event.message
    resumed = make_trainer("broken", steps=6, resume=True)
    assert resumed.step == 3
    list(resumed)
    assert torch.equal(weights(whole), weights(resumed))
    assert list(resumed.run.history["step"]) == [1, 2, 3, 4, 5, 6]


def test_leaving_the_loop_keeps_what_was_learned(make_trainer: Make) -> None:
    events = iter(make_trainer("left"))
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert make_trainer("left", resume=True).step == 1


def test_a_seed_fixes_the_training(make_trainer: Make) -> None:
    runs = [make_trainer(name, seed=seed, steps=2) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    for run in runs:
        list(run)
    a, b, c = map(weights, runs)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_a_run_folder_is_not_overwritten(make_trainer: Make) -> None:
    make_trainer()
    with pytest.raises(TrainingError, match="holds a run already"):
        make_trainer()
    with pytest.raises(TrainingError, match="other settings \\(seed\\)"):
        make_trainer(seed=5, resume=True)


def test_batch_correction_moves_cells_between_batches(make_trainer: Make, cells: Cells) -> None:
    trainer = make_trainer(of=replace(cells, label=("batch",), control=None), task="batch")
    list(trainer)
    assert trainer.model.conditions == ("one", "two")
    batch = trainer.data.batch(3, trainer.recipe)
    assert torch.equal(batch.control, batch.treated)
    assert (batch.y_target != batch.y_treated).all()


def test_out_of_memory_says_which_batch_would_fit(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    trainer = make_trainer(batch_size=8)
    monkeypatch.setattr(Step, "__call__", explode)
    with pytest.raises(OutOfMemoryError, match="batch size of 4"):
        list(trainer)


def test_nan_stops_and_keeps_the_last_good_checkpoint(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(checkpoint_seconds=0)
    events = iter(trainer)
    next(events), next(events)
    good = trainer.model.hash
    monkeypatch.setattr(Step, "__call__", lambda *_, **__: {"cycle": float("nan")})
    with pytest.raises(TrainingError, match="NaN at step 3"):
        list(events)
    assert IMPA.load(trainer.run.model_path).hash == good


def test_a_full_disk_is_said_and_the_old_checkpoint_stays(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    list(trainer)
    before = trainer.run.checkpoint_path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_impa.engine.checkpoint.save_file", full)
    with pytest.raises(Exception, match="free some space"):
        trainer.save()
    assert trainer.run.checkpoint_path.read_bytes() == before
    assert not list(trainer.run.folder.rglob("*.partial"))


def test_conditions_that_cannot_be_trained_are_refused(make_trainer: Make, cells: Cells) -> None:
    with pytest.raises(ConditionError, match="All cells left to train on are controls"):
        make_trainer(of=cells.controls())
    with pytest.raises(ConditionError, match="No control was named"):
        make_trainer(of=replace(cells, control=None))
    with pytest.raises(ConditionError, match="at least two batches"):
        make_trainer(of=replace(cells.where(batch="one"), label=("batch",), control=None), task="batch")
    with pytest.raises(ConditionError, match="no column 'well'"):
        make_trainer(hold_out={"well": ["A"]})
