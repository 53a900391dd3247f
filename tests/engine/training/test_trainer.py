from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_impa.cells.store import Cells
from napari_impa.engine.model import tensor_file
from napari_impa.engine.model.model import IMPA
from napari_impa.engine.training import stopwatch
from napari_impa.engine.training.settings import TrainingSettings
from napari_impa.engine.training.steps import recipe_named
from napari_impa.engine.training.steps.batch import Batch
from napari_impa.engine.training.steps.default_recipe import DefaultRecipe
from napari_impa.engine.training.steps.paper_step import PaperStep
from napari_impa.engine.training.steps.step import Step
from napari_impa.engine.training.trainer import Trainer
from napari_impa.errors import ConditionError, OutOfMemoryError, TrainingError
from napari_impa.work.catalog import load_model

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
    assert stages == (["adversarial"] * 4 if recipe == "paper" else ["autoencoder"] * 2 + ["adversarial"] * 2)
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
    assert model.hash == IMPA.load(trainer.run.last_path).hash
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


def test_a_run_folder_is_not_overwritten(make_trainer: Make, cells: Cells) -> None:
    make_trainer()
    with pytest.raises(TrainingError, match="holds a run already"):
        make_trainer()
    with pytest.raises(TrainingError, match="other settings \\(seed\\)"):
        make_trainer(seed=5, resume=True)
    with pytest.raises(TrainingError, match=f"other cells \\({len(cells)} cells, drug, control DMSO; now 12 cells"):
        make_trainer(of=cells.take(np.arange(12)), resume=True)
    resumed = make_trainer(steps=9, threads=1, device="cpu", checkpoint_seconds=5, resume=True)
    assert resumed.settings.steps == 9


def test_a_run_goes_on_with_the_recipe_that_it_was_begun_with(make_trainer: Make, cells: Cells, tmp_path: Path) -> None:
    begun = DefaultRecipe(cycle=0.25)
    settings = TrainingSettings(size=24, batch_size=2, steps=4, style_dim=8, device="cpu")
    for event in (first := Trainer(cells, settings, tmp_path / "run", recipe=begun)):
        if event.step == 2:
            first.stop()
    assert Trainer(cells, settings, tmp_path / "run", resume=True).recipe == begun


def test_batch_correction_moves_cells_between_batches(make_trainer: Make, cells: Cells) -> None:
    trainer = make_trainer(of=replace(cells, label=("batch",), control=None), task="batch")
    list(trainer)
    assert trainer.model.conditions == ("one", "two")
    batch = trainer.data.batch(3)
    assert torch.equal(batch.control, batch.treated)
    assert (batch.y_target != batch.y_treated).all()


@pytest.mark.parametrize(("room", "words"), [(3, "batch size of 2, which fits"), (0, "not even one cell a step fits")])
def test_out_of_memory_says_which_batch_would_fit(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch, room: int, words: str
) -> None:
    trainer = make_trainer(batch_size=8, checkpoint_seconds=0, recipe="paper")
    events = iter(trainer)
    next(events), next(events)
    good = trainer.model.hash
    on_disk = trainer.run.checkpoint_path.read_bytes()  # of step 1
    make = PaperStep._make

    def crowded(step: PaperStep, batch: Batch, *about: Any) -> dict[str, torch.Tensor]:
        losses = make(step, batch, *about)  # the weights have changed when the memory runs out
        if len(batch.control) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return losses

    monkeypatch.setattr(PaperStep, "_make", crowded)
    with pytest.raises(OutOfMemoryError, match=words):
        list(events)
    assert trainer.step == 2
    assert trainer.model.hash == good
    assert trainer.run.checkpoint_path.read_bytes() != on_disk  # written after step 2, before the third
    assert IMPA.load(trainer.run.model_path).hash == good


def test_out_of_memory_at_the_first_step(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    trainer = make_trainer(batch_size=8)
    before = weights(trainer)
    monkeypatch.setattr(Step, "__call__", explode)
    with pytest.raises(OutOfMemoryError, match="CPU ran out of memory with 8 cells a step; not even one"):
        list(trainer)
    assert torch.equal(weights(trainer), before)
    assert not trainer.run.model_path.exists()


def test_nan_stops_and_goes_back_to_the_last_good_checkpoint(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(checkpoint_seconds=0)
    events = iter(trainer)
    next(events), next(events), next(events)
    good = IMPA.load(trainer.run.model_path).hash
    trainer.settings = replace(trainer.settings, checkpoint_seconds=1000)
    monkeypatch.setattr(Step, "__call__", lambda *_, **__: {"cycle": float("nan")})
    said = str(next(events).message)
    assert said.startswith("The training ran to NaN at step 4 (loss cycle); it went back to step 2 and goes on with")
    with pytest.raises(
        TrainingError, match=r"NaN again, .*, at step 3 \(loss cycle\) and went back to its checkpoint of step 2,"
    ):
        list(events)
    assert IMPA.load(trainer.run.model_path).hash == good == trainer.model.hash
    assert trainer.run.history["step"].tolist() == [1, 2]
    monkeypatch.undo()
    resumed = make_trainer(resume=True)
    assert resumed.step == 2
    assert resumed.model.hash == good


def test_weights_that_are_not_finite_are_never_written(make_trainer: Make) -> None:
    trainer = make_trainer()
    events = iter(trainer)
    next(events)
    before = {path: path.read_bytes() for path in trainer.run.folder.rglob("*") if path.is_file()}
    with torch.no_grad():
        trainer._step.networks.generator.to_rgb[2].bias[0] = torch.inf
    with pytest.raises(TrainingError, match=r"NaN at step 1 \(weights\) and went back to its start"):
        trainer.save()
    assert {path: path.read_bytes() for path in trainer.run.folder.rglob("*") if path.is_file()} == before
    assert tensor_file.all_finite(trainer._step.state())


def test_a_training_killed_before_its_first_checkpoint_starts_anew(make_trainer: Make) -> None:
    trainer = make_trainer()
    trainer.run.append_history([{"step": 1, "seconds": 0.1, "stage": "adversarial"}])  # killed right after this
    again = make_trainer(resume=True)
    assert again.step == 0
    list(again)
    assert again.run.history["step"].tolist() == [1, 2, 3, 4]


def test_a_full_disk_is_said_and_the_old_checkpoint_stays(make_trainer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    list(trainer)
    before = trainer.run.checkpoint_path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_impa.engine.model.tensor_file.save_file", full)
    with pytest.raises(Exception, match="free some space"):
        trainer.save()
    assert trainer.run.checkpoint_path.read_bytes() == before
    assert not list(trainer.run.folder.rglob(".*.partial*"))


def test_one_whose_folder_was_removed_is_left_without_another_error(make_trainer: Make) -> None:
    trainer = make_trainer()
    events = iter(trainer)
    next(events)
    shutil.rmtree(trainer.run.folder)
    with pytest.raises(TrainingError, match="is gone"):
        trainer.save()
    events.close()  # as when the error ends the loop over them
    assert not trainer.run.folder.exists()


def test_conditions_that_cannot_be_trained_are_refused(make_trainer: Make, cells: Cells) -> None:
    with pytest.raises(ConditionError, match="All cells left to train on are controls"):
        make_trainer(of=cells.controls())
    with pytest.raises(ConditionError, match="No control was named"):
        make_trainer(of=replace(cells, control=None))
    with pytest.raises(ConditionError, match="at least two batches"):
        make_trainer(of=replace(cells.where(batch="one"), label=("batch",), control=None), task="batch")
    with pytest.raises(ConditionError, match="no column 'well'"):
        make_trainer(hold_out={"well": ["A"]})


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_the_history_holds_every_loss(make_trainer: Make, recipe: str) -> None:
    trainer = make_trainer(recipe=recipe)
    made = {name for event in trainer for name in event.losses}
    assert made <= set(trainer.run.history.columns)


def test_what_is_done_with_an_event_takes_none_of_the_training_s_minutes(
    make_trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = 0.0
    monkeypatch.setattr(stopwatch, "monotonic", lambda: time.monotonic() + away)
    trainer = make_trainer(minutes=5.0, steps=6)
    began, seen = time.monotonic(), []
    for event in trainer:
        away += 1000.0  # a viewer draws
        seen.append(event)
        if event.step == 3 and not event.paused and not event.finished:
            trainer.pause()
        if event.paused:
            trainer.go_on()
    assert [event.step for event in seen] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert 0 < seen[-1].seconds <= time.monotonic() - began
    assert seen[-1].message is not None
    assert "finished after 6 steps" in seen[-1].message
    assert trainer.run.history["seconds"].is_monotonic_increasing


@pytest.mark.parametrize(("named", "used"), [("paper", "default"), ("default", "paper")])
def test_a_training_goes_by_the_recipe_it_is_given_whatever_the_settings_name(
    screen: Cells, genes_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, used: str
) -> None:
    monkeypatch.setattr("napari_impa.engine.training.data.feed.HOST_BYTES", 30 * 2 * 24**2 * 2)  # a pool
    how = {"size": 24, "batch_size": 4, "steps": 3, "style_dim": 8, "modality": "modality", "device": "cpu"}
    about = {"compound": "bit", "CRISPR": str(genes_csv)}
    runs = [
        Trainer(
            screen, TrainingSettings(recipe=name, description=about, **how), tmp_path / name, recipe=recipe_named(used)
        )
        for name in (named, used)
    ]
    one, other = runs
    assert one.data._feed.plan.widths.tolist() == other.data._feed.plan.widths.tolist()
    assert torch.equal(weights(one), weights(other))  # and so what the first layer says of what it does not know
    for a, b in zip(one.model.descriptions, other.model.descriptions, strict=True):
        assert [getattr(a, name, ()) for name in ("center", "spread")] == [
            getattr(b, name, ()) for name in ("center", "spread")
        ]
    for run in runs:
        list(run)
    assert torch.equal(weights(one), weights(other))


def test_a_run_goes_on_with_its_own_cells_alone(make_trainer: Make, cells: Cells) -> None:
    make_trainer()
    exchanged = {"low": "high", "high": "low", "DMSO": "DMSO"}
    others = {
        "renamed": cells.table["drug"].replace("low", "new"),
        "exchanged": cells.table["drug"].map(exchanged),
    }
    for drug in others.values():
        with pytest.raises(TrainingError, match=r"other cells \(their labels or their order differ\)"):
            make_trainer(of=replace(cells, table=cells.table.assign(drug=drug)), resume=True)
    order = np.r_[1, 0, 2:40]
    with pytest.raises(TrainingError, match="their labels or their order and their pixels differ"):
        make_trainer(of=cells.take(order), resume=True)
    pixels = cells.pixels.copy()
    pixels[7, 0, 0, 0] += 1
    with pytest.raises(TrainingError, match=r"other cells \(their pixels differ\)"):
        make_trainer(of=replace(cells, pixels=pixels), resume=True)
    assert make_trainer(of=replace(cells, table=cells.table.assign(more=1)), resume=True).step == 0


def test_a_run_that_kept_no_recipe_has_the_networks_of_its_time(cells: Cells, tmp_path: Path) -> None:
    settings = TrainingSettings(size=24, batch_size=2, steps=4, style_dim=8, device="cpu")
    old = Trainer(cells, settings, tmp_path / "run", recipe=DefaultRecipe(discriminator="published"))
    for event in old:
        if event.step == 1:
            old.stop()
    path = old.run.folder / "config.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "recipe"}))
    again = Trainer(cells, settings, tmp_path / "run", resume=True)
    assert again.model.shape.discriminator == "published"
    assert again.step == 1


def test_a_run_that_an_earlier_version_began_goes_on(make_trainer: Make, cells: Cells) -> None:
    run = make_trainer().run
    path = run.folder / "config.json"
    config = json.loads(path.read_text())
    del config["source"]["fingerprint"]
    path.write_text(json.dumps(config))
    assert make_trainer(resume=True).step == 0
